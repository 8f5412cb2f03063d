import { setTimeout as sleep } from "node:timers/promises";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { ModelAddRequest, ModelAddStep } from "../../../shared/model-registry.ts";
import { FOLLOW_DEADLINE_MS, FOLLOW_PATIENCE_MS } from "../follow.ts";
import { inParallel } from "../in-parallel.ts";
import { digestOf, FILES_AT_ONCE } from "../inputs.ts";
import { type CommonOptions, clientFor } from "../options.ts";
import { Progress } from "../progress.ts";
import type { SteadyClient } from "../steady-client.ts";
import { whileAlive } from "../submit.ts";
import { plural, bytes as sizeText } from "../table.ts";
import { uploadFiles } from "../upload.ts";
import type { World } from "../world.ts";
import type { LocalModelFile } from "./gather.ts";

/** A model on this disk; hashes that are known from before are believed. */
export interface ModelOnDisk {
  name: string;
  version?: number;
  files: (LocalModelFile & { blob?: BlobHash })[];
}

export interface Added {
  model: string;
  existing: boolean;
}

const STEPS: Partial<Record<ModelAddStep, string>> = {
  waiting: "waiting for another model that is being added there",
  examining: "examining: it is loaded and run in a process of its own",
  copying: "copying its files to other boxes",
  agreeing: "having it agreed",
};
/** The agent that took the files may die before the model was added; the next one then says that it lacks them. */
const SENT_AGAIN: readonly string[] = ["BLOB_MISSING", "COPIES_SHORT"];
const AGAIN_MS = 1_000;
const PATIENCE = { patienceMs: FOLLOW_PATIENCE_MS };

export const modelClient = (options: CommonOptions, world: World): Promise<SteadyClient> =>
  clientFor(options, world, FOLLOW_DEADLINE_MS);

/** Checks, hashes, sends, and waits until the fleet has it. May be made again, on any agent. @throws DEADLINE_EXCEEDED, and what the fleet refuses it with */
export async function addToFleet(client: SteadyClient, model: ModelOnDisk, world: World): Promise<Added> {
  const terms = { name: model.name, ...(model.version !== undefined && { version: model.version }) };
  const plain = model.files.map(({ path, bytes, use }) => ({ path, bytes, use }));
  await client.call((one) => one.modelCheck({ ...terms, files: plain }), PATIENCE);
  const hashed = await inParallel(model.files, FILES_AT_ONCE, async ({ blob, bytes, path, use, at }) => ({
    ...(blob === undefined ? await digestOf(at, LIMITS.blobBytesMax) : { blob, bytes }),
    ...{ path, use, at },
  }));
  const request = { ...terms, files: hashed.map(({ path, blob, bytes, use }) => ({ path, blob, bytes, use })) };
  const sent = hashed.map(({ at, blob, bytes }) => ({ path: at, blob, bytes }));
  const progress = new Progress(world);
  const total = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  progress.say(`${model.name}: sending ${plural(sent.length, "file")}, ${sizeText(total)}`);
  const endsAtMs = performance.now() + TIMING.modelAddMs;
  const show = (done: number): void => progress.showUpload(done, sent.length);
  let failingSinceMs: number | undefined;
  try {
    for (;;) {
      await client.call((one) => whileAlive(one, uploadFiles(one, sent, show)), PATIENCE);
      try {
        return await untilAdded(client, request, progress, endsAtMs);
      } catch (error) {
        if (!SENT_AGAIN.includes(SkeinError.from(error).code)) throw error;
        failingSinceMs ??= performance.now();
        if (performance.now() - failingSinceMs > FOLLOW_PATIENCE_MS) throw error;
        await sleep(AGAIN_MS);
      }
    }
  } finally {
    progress.clear();
  }
}

async function untilAdded(
  client: SteadyClient,
  request: ModelAddRequest,
  progress: Progress,
  endsAtMs: number,
): Promise<Added> {
  let told: ModelAddStep | undefined;
  while (performance.now() < endsAtMs) {
    const { step, model, existing } = await client.call((one) => one.modelAdd(request), PATIENCE);
    if (step === "added") return { model: model!, existing: existing ?? false };
    const text = STEPS[step];
    if (text !== undefined && step !== told) progress.say(`${request.name}: ${text}`);
    told = step;
  }
  throw new SkeinError("DEADLINE_EXCEEDED", { what: `Adding ${request.name}`, deadlineMs: TIMING.modelAddMs });
}
