import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import {
  type IgnoredReport,
  isOpen,
  type JobCut,
  type JobInput,
  type JobPriority,
  type JobState,
  type RecordedResult,
  type StageTask,
} from "../../../shared/job.ts";
import type { JobSubmitted } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { JobForm } from "../../../shared/pipeline/compiled.ts";

/**
 * A job as the ledger has agreed on it. A staged one that is cut in several segments has a stage job for each but the last
 * one: a record of its own, whose places are tasks and come as results are recorded; see stages.ts.
 */
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
  /** None of its items may be leased before it has a form. */
  readonly staged: boolean;
  /** How a staged job shall be cut. */
  readonly cut: JobCut;
  /** How a staged job is cut, once that is decided. */
  form: JobForm | undefined;
  /** Of a stage job: the job that it is a part of, and which segment. */
  readonly parent: { readonly jobId: JobId; readonly segment: number } | undefined;
  /** Of a stage job: what each of its places stands for. Its inputs are those of the items, by name and by blob. */
  readonly tasks: readonly StageTask[];
  /** Of a stage job: results that were lost, and so had to be made anew. */
  runsAgain: number;
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
    staged: entry.staged === true,
    cut: entry.cut ?? "auto",
    form: undefined,
    parent: undefined,
    tasks: [],
    runsAgain: 0,
    state: "running",
    endedAtMs: undefined,
    results: new Array(entry.inputs.length).fill(undefined),
    recordedCount: 0,
    failedCount: 0,
    duplicatesIgnored: 0,
    ignoredReports: [],
  };
}

/** The blobs a job stands on: every input, and every output recorded so far. Inputs of a stage job are its job's. */
export function* blobsOf(job: JobRecord): Iterable<BlobHash> {
  if (!job.parent) for (const input of job.inputs) yield input.blob;
  for (const item of job.results.keys()) {
    const output = outputHeld(job, item);
    if (output) yield output;
  }
}

/** What a stage job made is let go when its job ends. */
export const outputHeld = (job: JobRecord, item: number): BlobHash | undefined =>
  job.parent && !isOpen(job.state) ? undefined : job.results[item]?.output;

export const unrecordedItems = (job: JobRecord): number[] =>
  job.results.flatMap((result, item) => (result === undefined ? [item] : []));

/** Remembers that a report was ignored, in the place of the oldest if there are many. */
export function ignoreReport(job: JobRecord, report: IgnoredReport): void {
  job.duplicatesIgnored++;
  job.ignoredReports.push(report);
  if (job.ignoredReports.length > LIMITS.ignoredReportsKept) job.ignoredReports.shift();
}
