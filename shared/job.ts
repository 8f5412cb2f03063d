import type { ErrorBody } from "./errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "./ids.ts";

/** One input of a job: a page, an image, a recording. Items are what is recorded once; shards are only how they are handed out. */
export interface JobInput {
  /** Unique within the job; names the output files. */
  name: string;
  blob: BlobHash;
  bytes: number;
}

/** What a client sends. Inputs are blobs that this agent already holds (`PUT /v1/blobs/HASH`). */
export interface JobSpec {
  pipeline: string;
  inputs: JobInput[];
  /** Two submits under one key are one job; the second returns the first. */
  idempotencyKey?: string;
}

export type JobState = "running" | "done" | "cancelled";

/** How an item ended. */
export interface ItemResult {
  item: number;
  /** Absent for an item that failed. */
  output?: BlobHash;
  outputBytes: number;
  /** Absent for an item that succeeded. */
  error?: ErrorBody;
  node: NodeId;
  shardId: ShardId;
  /** Of the run itself, without queueing and copying. */
  durationMs: number;
  finishedAtMs: number;
}

/** A result with what the ledger knows of it. */
export interface RecordedResult extends ItemResult {
  name: string;
  input: BlobHash;
  /** Raft index of the entry that recorded it. */
  recordedAtIndex: number;
  /** Nodes that hold the output, as recorded. */
  holders: NodeId[];
}

export interface JobShare {
  nodeId: NodeId;
  name: string;
  itemsRecorded: number;
  itemsLeased: number;
  shardsRecorded: number;
}

/** A job as any node can tell it from its ledger; what only the leader knows (leases, plan) is filled in when it is reachable. */
export interface JobView {
  jobId: JobId;
  pipeline: string;
  state: JobState;
  submittedAtMs: number;
  /** Of the entry that ended it. */
  endedAtMs?: number;
  items: number;
  itemsRecorded: number;
  itemsFailed: number;
  shares: JobShare[];
  /** Late or repeated reports that the ledger counted and ignored. */
  duplicatesIgnored: number;
  idempotencyKey?: string;
}

/** Everything that can be proved of a job. */
export interface Receipt {
  job: JobView;
  submittedAtIndex: number;
  results: RecordedResult[];
  /** Smallest and largest number of live copies among the results' outputs, counted by asking the holders. */
  copiesMin: number;
  copiesMax: number;
}
