import { invariant } from "../../../shared/errors.ts";
import { blobsOf, type JobRecord } from "./job.ts";
import type { LedgerContents } from "./ledger.ts";
import { assertStageSound } from "./stages.ts";

/** Throws where a ledger contradicts itself about these jobs. */
export function assertJobsSound(ledger: LedgerContents, jobs: Iterable<JobRecord>): void {
  for (const job of jobs) {
    const filled = job.results.filter((result) => result !== undefined);
    invariant(filled.length === job.recordedCount, `${job.jobId}: recordedCount counts the filled places`);
    invariant(filled.filter((r) => r.error).length === job.failedCount, `${job.jobId}: failedCount counts the failed`);
    invariant(
      job.parent || job.state !== "done" || filled.length === job.inputs.length,
      `${job.jobId}: done means every item recorded`,
    );
    for (const blob of blobsOf(job)) invariant(ledger.holders.has(blob), `${job.jobId}: every blob has its holders`);
    if (job.parent) assertStageSound(ledger.jobs.get(job.parent.jobId), job);
  }
}
