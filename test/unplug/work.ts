/** Work whose every answer is known beforehand: canaries, each a chain of hashes that takes about as long as it is told to. */
import { createHash, hash, randomUUID } from "node:crypto";
import { writeCanaryInput } from "../../shared/canary.ts";
import type { Client } from "../../shared/client.ts";
import type { BlobHash, JobId } from "../../shared/ids.ts";
import type { JobView } from "../../shared/job.ts";

export interface Canary {
  name: string;
  blob: BlobHash;
  bytes: Uint8Array;
  /** What every box must make of it. */
  digest: string;
}

/** Rounds of the chain that one core does in a second, here and now. */
export function roundsPerSecond(): number {
  const startMs = performance.now();
  let digest = hash("sha256", "warm", "buffer");
  let rounds = 0;
  for (; performance.now() - startMs < 300; rounds++) digest = hash("sha256", digest, "buffer");
  return (rounds * 1_000) / (performance.now() - startMs);
}

export function canaries(count: number, rounds: number): Canary[] {
  const run = randomUUID().slice(0, 8);
  return Array.from({ length: count }, (_, n) => {
    const seed = `${run}-${n}`;
    const bytes = writeCanaryInput({ rounds, seed });
    const blob = createHash("sha256").update(bytes).digest("hex") as BlobHash;
    return { name: `canary-${n}.json`, blob, bytes, digest: digestAfter(rounds, seed) };
  });
}

function digestAfter(rounds: number, seed: string): string {
  let digest = hash("sha256", seed, "buffer");
  for (let round = 0; round < rounds; round++) digest = hash("sha256", digest, "buffer");
  return digest.toString("hex");
}

/** Hands them in through one box. */
export async function submit(
  client: Client,
  work: readonly Canary[],
  idempotencyKey: string = randomUUID(),
): Promise<JobId> {
  await client.putBlobs(work.map(({ blob, bytes }) => ({ hash: blob, bytes })));
  const inputs = work.map(({ name, blob, bytes }) => ({ name, blob, bytes: bytes.length }));
  return (await client.jobSubmit({ pipeline: "canary", inputs, idempotencyKey })).jobId;
}

/** Seconds from submit to the last result. */
export const secondsOf = ({ submittedAtMs, endedAtMs }: JobView): number =>
  ((endedAtMs ?? Number.NaN) - submittedAtMs) / 1_000;
