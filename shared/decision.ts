/**
 * A decision of the planner with all that it was made from, so that it can be explained later from what was known then, and
 * made again with something changed ("what if"). Kept in the ledger as JSON; a new leader tells it like the old one.
 */
import type { JobId, NodeId } from "./ids.ts";
import type { Labels } from "./labels.ts";
import type { ModelProfile } from "./model-profile.ts";
import type { Plan } from "./plan.ts";
import type { KeptRule } from "./rules.ts";

/** A node as it was when a job was split. */
export interface JobCandidate {
  nodeId: NodeId;
  name: string;
  /** Firmware profile; absent if nothing was heard of it. */
  profile?: string;
  /** Of this pipeline, all executors together, before heat and battery; 0 if it was not measured. */
  itemsPerSecond: number;
  executors: number;
  /** Share of that speed which heat and battery are expected to leave, 0 to 1, and why it is not 1. */
  derating: number;
  deratedBecause?: string;
  /** From handing work over to the first item that can begin there. */
  handOverMs: number;
  /** Items that waited there. */
  itemsQueued: number;
  /** It held every input. */
  holdsInputs: boolean;
  /** From where the inputs lie, as measured; absent if it holds them or nothing was measured. */
  linkBytesPerSecond?: number;
  memoryFreeBytes: number;
  temperatureC?: number;
  eligible: boolean;
  whyNot?: string;
}

export interface JobDecision {
  kind: "job";
  jobId: JobId;
  pipeline: string;
  term: number;
  madeAtMs: number;
  /** Items that had still to be done, and what they are on average. */
  items: number;
  bytesPerItem: number;
  /** Of all nodes that hold inputs together; absent if nothing was measured. */
  uplinkBytesPerSecond?: number;
  nodes: JobCandidate[];
  /** Nodes that got nothing and did not fit in here. */
  nodesLeftOut: number;
  /** Of a pipeline of stages: whether its items go whole or stage by stage, and why, by whoever decided that. */
  form?: string;
  plan: Plan;
}

/** A node as it was when models were placed. */
export interface PlacementNode {
  nodeId: NodeId;
  name: string;
  labels?: Labels;
  executors: number;
  /** What models may take, after what is reserved and what stands there by itself. */
  memoryForModelsBytes: number;
  derating: number;
  deratedBecause?: string;
  /** To it, from wherever the model's files lie; absent if nothing was measured. */
  linkBytesPerSecond?: number;
  profiles: ModelProfile[];
  /** Boxes of one class (firmware profile and CPU) are taken to do alike until they are measured. */
  class?: string;
  /** Models that it could not load lately, and why; they are not given to it again for a while. */
  failed?: { pipeline: string; because: string }[];
  eligible: boolean;
  whyNot?: string;
  /** Not eligible for now only (quiet hours, heat, battery): what stands there stays, and counts for nothing until then. */
  rests?: true;
}

/** A model as it was when models were placed. */
export interface PlacementModel {
  /** `name:version` */
  pipeline: string;
  bytes: number;
  /** Items a second that were asked for lately; never 0, so that a model at rest has its place. */
  demandPerSecond: number;
  replicasMin: number;
  replicasMax: number;
}

/** Where one model stands. */
export interface Replicas {
  pipeline: string;
  nodes: NodeId[];
}

/** Models that the stages of one pipeline run: where one stands the others had better stand too. */
export interface ModelsTogether {
  /** `name:version` */
  pipeline: string;
  models: string[];
}

export interface PlacementDecision {
  kind: "placement";
  term: number;
  madeAtMs: number;
  because: string;
  nodes: PlacementNode[];
  models: PlacementModel[];
  rules: KeptRule[];
  /** Of the pipelines that are known, those that run several of the models; absent: there are none, or they are left out here. */
  together?: ModelsTogether[];
  /** Before this decision. */
  before: Replicas[];
  replicas: Replicas[];
  /** Models whose wishes could not be met, and why. */
  short: { pipeline: string; because: string }[];
  /** `greedy` when the solver was late, dead or no better. */
  by: "solver" | "greedy" | "kept";
  /**
   * The share of its demand that every model which stands somewhere can be served, at least: 2 is twice what is asked for. And
   * what no placement could beat, proved by the solver or else (`boundBy` absent) by leaving memory out of account.
   */
  served: number;
  bound: number;
  boundBy?: "solver";
  /** Of the solver's search, which weighs moves too: nothing is better by more than this share. */
  gap?: number;
  solveSeconds: number;
  /** What was taken for granted, and what was left out here to keep this short. */
  notes?: string[];
}

export type Decision = JobDecision | PlacementDecision;
