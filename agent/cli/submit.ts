import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { bundlesOf } from "../../shared/blob-bundle.ts";
import type { Client } from "../../shared/client.ts";
import type { JobSpec } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { SubmitAnswer } from "../../shared/routes.ts";
import { inParallel } from "./in-parallel.ts";
import { FILES_AT_ONCE, type LocalInput } from "./inputs.ts";

/** How a job is to be done; what is left out is the fleet's default. */
export type JobTerms = Pick<JobSpec, "priority" | "copies" | "deadlineInMs">;

export interface Submission {
  pipeline: string;
  inputs: readonly LocalInput[];
  terms?: JobTerms;
  /** Always there, so that a submit whose answer was lost can be made again. */
  idempotencyKey: string;
}

/** Between two looks at whether the agent still answers. */
const WATCH_MS = 2_000;

/**
 * Large files and many copies may take minutes, so a submit has a long deadline; a frozen agent must not use it up. So
 * beside the work the agent is asked for a sign of life, and the work is given up when none comes.
 */
export async function whileAlive<T>(client: Client, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const watch = async (): Promise<never> => {
    for (;;) {
      await sleep(WATCH_MS, undefined, { signal: over.signal });
      await client.health();
    }
  };
  try {
    return await Promise.race([work, watch()]);
  } finally {
    over.abort();
  }
}

/** One is sent while the agent writes the other down. */
const BUNDLES_AT_ONCE = 2;

/**
 * Sends what the agent lacks (small files without asking: that costs no less), then submits. May be made again, to this
 * agent or another: what is there is not kept twice, and the key makes the second submit return the first job.
 */
export async function uploadAndSubmit(
  client: Client,
  { pipeline, inputs, terms, idempotencyKey }: Submission,
  onUploaded: (done: number) => void,
): Promise<SubmitAnswer> {
  const distinct = [...new Map(inputs.map((input) => [input.blob, input])).values()];
  const isSmall = ({ bytes }: LocalInput): boolean => bytes <= LIMITS.bundledBlobBytesMax;
  let done = 0;
  await inParallel(bundlesOf(distinct.filter(isSmall)), BUNDLES_AT_ONCE, async (bundle) => {
    const blobs = await Promise.all(
      bundle.map(async ({ blob, path }) => ({ hash: blob, bytes: await readFile(path) })),
    );
    await client.putBlobs(blobs);
    done += bundle.length;
    onUploaded(done);
  });
  const large = distinct.filter((input) => !isSmall(input));
  await inParallel(large, FILES_AT_ONCE, async (input) => {
    if (!(await client.hasBlob(input.blob))) await client.putBlob(input.blob, createReadStream(input.path));
    onUploaded(++done);
  });
  const named = inputs.map(({ name, blob, bytes }) => ({ name, blob, bytes }));
  return client.jobSubmit({ pipeline, inputs: named, idempotencyKey, ...terms });
}
