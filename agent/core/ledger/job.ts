import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import type { IgnoredReport, JobInput, JobPriority, JobState, RecordedResult } from "../../../shared/job.ts";
import type { JobSubmitted } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";

/** A job as the ledger has agreed on it. */
export interface JobRecord {
  readonly jobId: JobId;
  readonly pipeline: string;
  readonly idempotencyKey: string;
  readonly inputs: readonly JobInput[];
  readonly submittedBy: NodeId;
  readonly submittedAtMs: number;
  readonly submittedAtIndex: number;
  readonly priority: JobPriority;
  readonly copies: number;
  readonly deadlineAtMs: number | undefined;
  state: JobState;
  endedAtMs: number | undefined;
  /** One place per input. Invariant: once filled, a place never changes but for its holders. */
  readonly results: (RecordedResult | undefined)[];
  /** Invariant: the number of filled places, failed ones included. */
  recordedCount: number;
  failedCount: number;
  /** Reports of items that were recorded already, or came after the end. */
  duplicatesIgnored: number;
  /** The newest of them. */
  readonly ignoredReports: IgnoredReport[];
}

export function openJob(entry: JobSubmitted, index: number): JobRecord {
  return {
    jobId: entry.jobId,
    pipeline: entry.pipeline,
    idempotencyKey: entry.idempotencyKey,
    inputs: entry.inputs,
    submittedBy: entry.submittedBy,
    submittedAtMs: entry.submittedAtMs,
    submittedAtIndex: index,
    priority: entry.priority,
    copies: entry.copies,
    deadlineAtMs: entry.deadlineAtMs,
    state: "running",
    endedAtMs: undefined,
    results: new Array(entry.inputs.length).fill(undefined),
    recordedCount: 0,
    failedCount: 0,
    duplicatesIgnored: 0,
    ignoredReports: [],
  };
}

/** The blobs a job stands on: every input, and every output recorded so far. */
export function* blobsOf(job: JobRecord): Iterable<BlobHash> {
  for (const input of job.inputs) yield input.blob;
  for (const result of job.results) if (result?.output) yield result.output;
}

export const unrecordedItems = (job: JobRecord): number[] =>
  job.results.flatMap((result, item) => (result === undefined ? [item] : []));

/** Remembers that a report was ignored, in the place of the oldest if there are many. */
export function ignoreReport(job: JobRecord, report: IgnoredReport): void {
  job.duplicatesIgnored++;
  job.ignoredReports.push(report);
  if (job.ignoredReports.length > LIMITS.ignoredReportsKept) job.ignoredReports.shift();
}
