import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../shared/client.ts";
import type { JobSpec } from "../../shared/job.ts";
import type { SubmitAnswer } from "../../shared/routes.ts";
import type { LocalInput } from "./inputs.ts";
import { uploadFiles } from "./upload.ts";

/** How a job is to be done; what is left out is the fleet's default. */
export type JobTerms = Pick<JobSpec, "priority" | "copies" | "deadlineInMs" | "cut">;

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

/** May be made again, to this agent or another: the key makes the second submit return the first job. */
export async function uploadAndSubmit(
  client: Client,
  { pipeline, inputs, terms, idempotencyKey }: Submission,
  onUploaded: (done: number) => void,
): Promise<SubmitAnswer> {
  await uploadFiles(client, inputs, onUploaded);
  const named = inputs.map(({ name, blob, bytes }) => ({ name, blob, bytes }));
  return client.jobSubmit({ pipeline, inputs: named, idempotencyKey, ...terms });
}
