/**
 * A ledger as a row of records, in this order: one head, its invitations, settings and drills, its models, their aliases, its
 * pipelines, the planner's rules and placements, each job followed by its items, the decisions about jobs, and who holds the blobs of all
 * items and then of all models. Every list is in the ledger's own order, which is the log's, so that equal ledgers give equal
 * bytes. Holders come last because they change for every item when a box goes; what is recorded of an ended job does not.
 */
import type { KeptDrill, RunningDrill } from "./drill.ts";
import type { FleetRecovery, RosterNode } from "./fleet.ts";
import type { BlobHash, FleetId, JobId, NodeId } from "./ids.ts";
import type { IgnoredReport, JobCut, JobInput, JobPriority, JobState, RecordedResult, StageTask } from "./job.ts";
import type {
  InviteIssued,
  JobPlanned,
  ModelAdded,
  ModelAliased,
  PipelineAdded,
  PlacementDecided,
  RuleChanged,
} from "./ledger-entry.ts";
import type { JobForm } from "./pipeline/compiled.ts";

/** What is one of a kind, or small. */
export interface LedgerHead {
  appliedIndex: number;
  fleetId?: FleetId;
  fleetName: string;
  roster: RosterNode[];
  lastRecovery?: FleetRecovery;
  recordingTerm: number;
  drill?: RunningDrill;
}

export interface KeptInvite extends InviteIssued {
  usedBy?: NodeId;
}

export interface KeptSetting {
  name: string;
  value: string;
}

export interface KeptJob {
  jobId: JobId;
  pipeline: string;
  idempotencyKey: string;
  submittedBy: NodeId;
  submittedAtMs: number;
  submittedAtIndex: number;
  state: JobState;
  endedAtMs?: number;
  duplicatesIgnored: number;
  ignoredReports: IgnoredReport[];
  priority: JobPriority;
  copies: number;
  deadlineAtMs?: number;
  staged?: true;
  /** Of a staged job: how it shall be cut. Absent: auto. */
  cut?: JobCut;
  /** Of a staged job: how it is cut, once that is decided. */
  form?: JobForm;
  /** Of a stage job. */
  parent?: { jobId: JobId; segment: number };
  /** Of a stage job. */
  runsAgain: number;
  /** How many items follow. */
  items: number;
}

/** What is recorded of an item, but for what the item itself says. */
export type KeptResult = Omit<RecordedResult, "item" | "name" | "input">;

export interface KeptItem extends JobInput {
  /** Of a stage job. */
  task?: StageTask;
  result?: KeptResult;
}

/** Who holds an item's blobs now. */
export interface KeptHolders {
  input: NodeId[];
  /** Empty if there is no output. */
  output: NodeId[];
}

export type LedgerRecord =
  | ({ kind: "head" } & LedgerHead)
  | { kind: "invites"; invites: KeptInvite[] }
  | { kind: "settings"; settings: KeptSetting[] }
  | { kind: "drills"; drills: KeptDrill[] }
  /** Its holders are told at the end. */
  | ({ kind: "model" } & ModelAdded)
  | ({ kind: "alias" } & ModelAliased)
  /** Behind all that it is made of. */
  | ({ kind: "pipeline" } & PipelineAdded)
  | ({ kind: "rule" } & RuleChanged)
  | ({ kind: "placement" } & PlacementDecided)
  | ({ kind: "decision" } & JobPlanned)
  | ({ kind: "job" } & KeptJob)
  /** Of the job before it, following on the items before it. */
  | { kind: "items"; items: KeptItem[] }
  /** Of the items of all jobs, in their order, then of the files of all models (as inputs), following on the holders before it. */
  | { kind: "holders"; holders: KeptHolders[] };

/** Names a piece of a snapshot: a blob with some of the records. */
export interface SnapshotPiece {
  hash: BlobHash;
  bytes: number;
}
