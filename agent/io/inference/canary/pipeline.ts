import { hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { readCanaryInput, writeCanaryOutput } from "../../../../shared/canary.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import type { Pipeline } from "../protocol.ts";

/** Between two turns of the event loop, on which an executor hears that its agent is gone: some milliseconds. */
const ROUNDS_PER_TURN = 5_000;
/** The compilers have seen the loop by then. */
const WARM_ROUNDS = 2_000;

/** SHA-256 of the seed, hashed again `rounds` times; hex. */
export async function digestAfter(rounds: number, seed: string): Promise<string> {
  let digest = hash("sha256", seed, "buffer");
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && round % ROUNDS_PER_TURN === 0) await setImmediate();
    digest = hash("sha256", digest, "buffer");
  }
  return digest.toString("hex");
}

/** The pipeline `canary` of shared/canary.ts. Loads nothing. */
export async function loadCanaryPipeline(): Promise<Pipeline> {
  await digestAfter(WARM_ROUNDS, "");
  return {
    info: { name: "canary", version: "1", models: [], itemsAlike: false },
    async run(input, name) {
      const { rounds, seed } = inputOf(input, name);
      return writeCanaryOutput({ version: 1, rounds, digest: await digestAfter(rounds, seed) });
    },
  };
}

function inputOf(input: Uint8Array, name: string): ReturnType<typeof readCanaryInput> {
  if (input.length === 0) throw new SkeinError("INPUT_EMPTY", { name });
  try {
    return readCanaryInput(input);
  } catch (error) {
    const { reason } = SkeinError.from(error).facts;
    throw new SkeinError("INPUT_INVALID", { name, pipeline: "canary", reason }, { cause: error });
  }
}
