import { setTimeout as sleep } from "node:timers/promises";
import type { JobId } from "../../shared/ids.ts";
import { isOpen, type JobView } from "../../shared/job.ts";
import type { Pages } from "./pages.ts";
import type { Progress } from "./progress.ts";
import type { Patience, SteadyClient } from "./steady-client.ts";

/** How long the agents of the fleet may be gone (restart, election) before a command gives up on them. */
export const FOLLOW_PATIENCE_MS = 30_000;
/** Of one small call: a frozen agent holds the command up for this long before the next is asked. */
export const FOLLOW_DEADLINE_MS = 6_000;
const POLL_MS = 400;
/** Results are fetched at most this share of the time, or a large job would be busy telling how far it is. */
const FETCH_SHARE_MAX = 0.25;

/** An agent that starts, or lags, may not know the job yet, nor where its outputs are. */
export const patiently = (signal?: AbortSignal): Patience => ({
  patienceMs: FOLLOW_PATIENCE_MS,
  alsoPassing: ["JOB_UNKNOWN", "BLOB_MISSING"],
  ...(signal ? { signal } : {}),
});

export interface FollowOptions {
  client: SteadyClient;
  jobId: JobId;
  pages: Pages;
  progress: Progress;
  /** Of all inputs. */
  names: readonly string[];
  signal: AbortSignal;
}

/** Keeps each page as it is recorded, until the job has ended; undefined if the signal ended it first. */
export async function follow(options: FollowOptions): Promise<JobView | undefined> {
  const { client, jobId, pages, progress, names, signal } = options;
  const patience = patiently(signal);
  while (!signal.aborted) {
    const startedMs = performance.now();
    const { job } = await client.call((one) => one.job(jobId), patience);
    progress.show(job);
    if (job.itemsRecorded > pages.kept.size) {
      const { results } = await client.call((one) => one.results(jobId), patience);
      await pages.keep(results, names);
    }
    if (!isOpen(job.state) && pages.kept.size >= job.itemsRecorded) return job;
    const tookMs = performance.now() - startedMs;
    await sleep(Math.max(POLL_MS, tookMs / FETCH_SHARE_MAX), undefined, { signal }).catch(() => {
      // Interrupted: the loop's condition says so.
    });
  }
  return undefined;
}
