import type { NodeId } from "../../../shared/ids.ts";
import { isOpen } from "../../../shared/job.ts";
import type { JobLoss } from "../../../shared/recovery.ts";
import type { JobRecord } from "./job.ts";
import type { Ledger } from "./ledger.ts";

/** What nobody holds any more, by the record, when these nodes are gone for good; jobs that lose nothing are left out. */
export function lossesWithout(ledger: Ledger, gone: ReadonlySet<NodeId>): JobLoss[] {
  const isLost = (blob: Parameters<Ledger["holdersOf"]>[0]): boolean =>
    ledger.holdersOf(blob).every((nodeId) => gone.has(nodeId));
  const lossOf = (job: JobRecord): JobLoss => ({
    jobId: job.jobId,
    results: job.results.flatMap((result, item) => (result?.output && isLost(result.output) ? [item] : [])),
    inputs: job.inputs.flatMap((input, item) =>
      isOpen(job.state) && !job.results[item] && isLost(input.blob) ? [item] : [],
    ),
  });
  // What a stage job made is made anew.
  const jobs = [...ledger.jobs.values()].filter(({ parent }) => !parent);
  return jobs.map(lossOf).filter((loss) => loss.results.length + loss.inputs.length > 0);
}
