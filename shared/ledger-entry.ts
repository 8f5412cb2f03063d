import type { Replicas } from "./decision.ts";
import type { NodePart } from "./fleet.ts";
import type { BlobHash, FleetId, InviteId, JobId, NodeId } from "./ids.ts";
import type { ItemResult, JobCut, JobInput, JobPriority } from "./job.ts";
import type { Labels } from "./labels.ts";
import type { ModelManifest } from "./model.ts";
import type { JobForm } from "./pipeline/compiled.ts";
import type { PipelineDefinition } from "./pipeline/definition.ts";
import type { KeptRule } from "./rules.ts";

/** The first entry of a fleet. */
export interface FleetFounded {
  fleetId: FleetId;
  name: string;
  founder: { nodeId: NodeId; name: string; addresses: string[] };
}

/** A one-time invitation. Only the hash of its secret is agreed on, so the journal cannot be used to come in. */
export interface InviteIssued {
  inviteId: InviteId;
  secretHash: string;
  expiresAtMs: number;
}

/** Burns the invitation. Refused (a recorded no-op) if it is unknown, used, or expired at `admittedAtMs`. */
export interface NodeAdmitted {
  inviteId: InviteId;
  nodeId: NodeId;
  name: string;
  addresses: string[];
  /** The proposer's clock. */
  admittedAtMs: number;
  /** Absent: full. */
  part?: NodePart;
}

export interface NodeRemoved {
  nodeId: NodeId;
}

/** A node tells where it can be dialled now. */
export interface NodeMoved {
  nodeId: NodeId;
  addresses: string[];
}

export interface JobSubmitted {
  jobId: JobId;
  pipeline: string;
  idempotencyKey: string;
  inputs: JobInput[];
  /** Nodes that held every input when the job was submitted: at least two in a fleet of two or more. */
  holders: NodeId[];
  submittedBy: NodeId;
  submittedAtMs: number;
  priority: JobPriority;
  /** Nodes that hold each input and each result. */
  copies: number;
  /** Absent: none. */
  deadlineAtMs?: number;
  /** Its pipeline is one of stages: none of it may be leased before a leader has decided how it is cut (jobFormed). */
  staged?: true;
  /** Of a staged job: how it shall be cut. Absent: auto. */
  cut?: JobCut;
}

/** How a staged job is cut. The first one holds; later ones change nothing. */
export interface JobFormed {
  jobId: JobId;
  form: JobForm;
}

/**
 * Nobody alive holds the outputs of these tasks of a stage job any more, and what comes after them is not done: they are
 * open again. That nobody does, the proposer has found out.
 */
export interface ResultsLost {
  /** Of the stage job. */
  jobId: JobId;
  items: number[];
}

/** Nothing more of it is leased, or again. What runs ends and is recorded. */
export interface JobPaused {
  jobId: JobId;
  paused: boolean;
}

/** The job ran into its deadline. */
export interface JobExpired {
  jobId: JobId;
  expiredAtMs: number;
}

/** Ended jobs that nobody needs any more: their results, and the blobs that no other job stands on, are let go. */
export interface JobsForgotten {
  jobIds: JobId[];
}

/** What people say of a box; takes the place of what was said before. */
export interface NodeLabelled {
  nodeId: NodeId;
  labels: Labels;
}

/** A rehearsal begins. Refused while another runs: two at once could take a quorum down together. */
export interface DrillBegun {
  drillId: string;
  startedBy: NodeId;
  startedAtMs: number;
  /** By then every fault has reverted by itself, and a drill that never said its end counts no more. */
  untilMs: number;
}

/** What it showed, as JSON (see shared/drill.ts). */
export interface DrillEnded {
  drillId: string;
  recordJson: string;
}

/** A model that was loaded and found sound by the box that proposes it. A version is given once, for ever. */
export interface ModelAdded {
  manifest: ModelManifest;
  /** Nodes that held every file then. */
  holders: NodeId[];
  /** Nodes that shall hold each file, whether or not the model stands there. */
  copies: number;
  addedBy: NodeId;
  addedAtMs: number;
}

export interface ModelRemoved {
  name: string;
  version: number;
}

/** `name:alias` means this version from now on; 0 takes the alias away. */
export interface ModelAliased {
  name: string;
  alias: string;
  version: number;
}

/**
 * A pipeline that was checked by the box that proposes it; it always says its version, which is given once. The models and
 * pipelines that it names are there, and stay while it is.
 */
export interface PipelineAdded {
  definition: PipelineDefinition & { version: number };
  addedBy: NodeId;
  addedAtMs: number;
}

export interface PipelineRemoved {
  name: string;
  version: number;
}

/** A rule for the planner; without `rule` it is taken back. */
export type RuleChanged = Pick<KeptRule, "ruleId"> & Partial<KeptRule>;

/** Where models stand from now on, and how that was decided: a PlacementDecision as JSON. */
export interface PlacementDecided {
  term: number;
  replicas: Replicas[];
  decisionJson: string;
}

/** How a leader split a job: a JobDecision as JSON. */
export interface JobPlanned {
  jobId: JobId;
  decisionJson: string;
}

export interface JobCancelled {
  jobId: JobId;
  reason: string;
  cancelledAtMs: number;
}

/** Results of several shards in one entry. First record of an item wins; a later one is counted and ignored. */
export interface ResultsRecorded {
  /** Term of the leader that proposed them. Once one of a later term is applied, the entry is refused: its proposer was deposed. */
  term: number;
  results: (ItemResult & { jobId: JobId; holders: NodeId[] })[];
}

/** Where blobs were copied to after they were recorded, or dropped from. */
export interface HoldersChanged {
  changes: { blob: BlobHash; added: NodeId[]; dropped: NodeId[] }[];
}

/** The last one of a name holds. Not idempotent: written again after another's, it would undo that one. */
export interface SettingChanged {
  name: string;
  /** Empty takes the setting away. */
  value: string;
}

/** A box is to be emptied, or (`drained` false) takes part in full again. `leaving`: for good, so its copies are made anew elsewhere. */
export interface NodeDrained {
  nodeId: NodeId;
  drained: boolean;
  leaving: boolean;
}

/** The fleet lost its quorum for good and goes on from one box's log. Takes the missing off the roster. */
export interface FleetRecovered {
  recoveredBy: NodeId;
  removed: NodeId[];
  recoveredAtMs: number;
}

/** What may be written in the agreed log. */
export type LedgerEntry =
  | ({ kind: "fleetFounded" } & FleetFounded)
  | ({ kind: "inviteIssued" } & InviteIssued)
  | ({ kind: "nodeAdmitted" } & NodeAdmitted)
  | ({ kind: "nodeRemoved" } & NodeRemoved)
  | ({ kind: "nodeMoved" } & NodeMoved)
  | ({ kind: "nodeDrained" } & NodeDrained)
  | ({ kind: "fleetRecovered" } & FleetRecovered)
  | ({ kind: "jobSubmitted" } & JobSubmitted)
  | ({ kind: "jobCancelled" } & JobCancelled)
  | ({ kind: "resultsRecorded" } & ResultsRecorded)
  | ({ kind: "holdersChanged" } & HoldersChanged)
  | ({ kind: "settingChanged" } & SettingChanged)
  | ({ kind: "jobPaused" } & JobPaused)
  | ({ kind: "jobExpired" } & JobExpired)
  | ({ kind: "jobsForgotten" } & JobsForgotten)
  | ({ kind: "nodeLabelled" } & NodeLabelled)
  | ({ kind: "drillBegun" } & DrillBegun)
  | ({ kind: "drillEnded" } & DrillEnded)
  | ({ kind: "modelAdded" } & ModelAdded)
  | ({ kind: "modelRemoved" } & ModelRemoved)
  | ({ kind: "modelAliased" } & ModelAliased)
  | ({ kind: "ruleChanged" } & RuleChanged)
  | ({ kind: "placementDecided" } & PlacementDecided)
  | ({ kind: "jobPlanned" } & JobPlanned)
  | ({ kind: "pipelineAdded" } & PipelineAdded)
  | ({ kind: "pipelineRemoved" } & PipelineRemoved)
  | ({ kind: "jobFormed" } & JobFormed)
  | ({ kind: "resultsLost" } & ResultsLost);
