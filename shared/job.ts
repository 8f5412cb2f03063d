import type { ErrorBody } from "./errors.ts";
import type { BlobHash, FleetId, JobId, NodeId, ShardId } from "./ids.ts";

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
  /** Default: normal. */
  priority?: JobPriority;
  /** How many nodes hold each input and each result; default: the setting `copies`. */
  copies?: number;
  /** From the submit on; what is not recorded by then is not done any more. Default: none. */
  deadlineInMs?: number;
  /** Of a job of a pipeline only; default: auto. */
  cut?: JobCut;
}

/**
 * How a job of a pipeline is cut: its items go whole to one node each, or stage by stage over several in the best way that is
 * known, whatever is foretold; or as the leader finds to be the quicker.
 */
export const JOB_CUTS = ["auto", "whole", "stages"] as const;
export type JobCut = (typeof JOB_CUTS)[number];

/** Whose items go first. Within one priority the fleet's time is shared between the jobs. */
export const JOB_PRIORITIES = ["low", "normal", "high"] as const;
export type JobPriority = (typeof JOB_PRIORITIES)[number];

/** A paused job keeps what runs and gets nothing new. An expired one ran into its deadline: what is recorded stays. */
export const JOB_STATES = ["running", "done", "cancelled", "paused", "expired"] as const;
export type JobState = (typeof JOB_STATES)[number];

export const isOpen = (state: JobState): boolean => state === "running" || state === "paused";

/** What an item of a stage job stands for: a run of a segment for an item of the job, or for some elements of a list of it. */
export interface StageTask {
  /** Of the job that the stage job belongs to. */
  item: number;
  /** Of a segment that runs over a list: the elements from `from` to before `to`. */
  slice?: { from: number; to: number };
}

/** A lease of an item that did not bring its recorded result. */
export interface LostAttempt {
  node: NodeId;
  shardId: ShardId;
  /** By the leader's clock. */
  leasedAtMs: number;
  endedAtMs: number;
  /** The end of a sentence: "it was taken back because attic is gone". */
  because: string;
  isHedge: boolean;
}

/** A report that came too late, twice, or from a leader that had been deposed: a recorded no-op. */
export interface IgnoredReport {
  item: number;
  node: NodeId;
  shardId: ShardId;
  because: "recorded" | "ended";
  /** Raft index of the entry that brought it. */
  atIndex: number;
}

/** Of a result: by the node that is said to have made it, by nobody, or not over what is told. */
export type SignatureState = "valid" | "absent" | "wrong";

/** The task of a stage that an item failed with, as its node stated it: what the item's signature is over. */
export interface SignedTask {
  /** Of the form. */
  segment: number;
  /** Its place in the stage job `<jobId>/<segment>`. */
  item: number;
  /** Of a task that gave something with which the item could not go on. */
  output?: BlobHash;
  outputBytes: number;
  /** Of its error. */
  code?: string;
}

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
  /** Digest of the pipeline that made it: its name, version and models. Absent: not told. */
  madeWith?: BlobHash;
  /** By `node`, over the statement of this result, base64. Absent: not signed. */
  signature?: string;
  /** Of an item that a stage failed: the signature is over this. */
  signedTask?: SignedTask;
  /** Of a task of a segment: the lengths of the lists that others run over, in the order of `listsToldBy`. */
  elements?: number[];
  /** Leases of this item that came to nothing before, as far as the leader that recorded it knew; the newest. */
  lostAttempts?: LostAttempt[];
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
/** How far a segment is of a job that goes stage by stage. */
export interface StageView {
  /** As in leases: `document-reading:1/1-2`. */
  segment: string;
  /** Names of its stages. */
  stages: string[];
  /** So far: of a list it is not known before it is made. */
  tasks: number;
  recorded: number;
  failed: number;
  /** Results that were lost, and so had to be made anew. */
  runsAgain: number;
  /** Nodes that hold each of its outputs. */
  copies: number;
  /** Results by the name of who made them. */
  nodes: Record<string, number>;
}

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
  priority: JobPriority;
  copies: number;
  deadlineAtMs?: number;
  /** Of a job that is cut in several segments, in the order in which they run; the last one's tasks are its items. */
  stages?: StageView[];
}

export interface ReceiptItem extends RecordedResult {
  signatureState: SignatureState;
}

/** What a node's leases cost that brought no recorded result: it died, froze, failed, or another was first. */
export interface NodeLoss {
  node: NodeId;
  /** Items that it had and did not bring. */
  attempts: number;
  /** Of them second tries beside another node's. */
  hedges: number;
  /** From the lease to its end, each shard once. */
  lostMs: number;
}

/** Everything that can be proved of a job. */
export interface Receipt {
  version: 1;
  fleetId: FleetId;
  fleetName: string;
  job: JobView;
  submittedAtIndex: number;
  results: ReceiptItem[];
  /** The newest of the reports that were ignored. */
  ignoredReports: IgnoredReport[];
  /** As far as `lostAttempts` goes: of results that are recorded. */
  losses: NodeLoss[];
  /** Smallest and largest number of live copies among the results' outputs, counted by asking the holders. */
  copiesMin: number;
  copiesMax: number;
  writtenBy: NodeId;
  writtenAtMs: number;
  /** By `writtenBy`, over all the rest (see shared/receipt.ts), base64. */
  signature: string;
}
