/** Why the planner decided as it did, in sentences and in figures: for people, for programs, for the page. */
import type { PredictionError } from "./fleet.ts";
import type { NodeId } from "./ids.ts";
import type { Way } from "./plan.ts";

/** What a node was worth in a decision. Absent: it is not known, or says nothing there. */
export interface ExplainedFigures {
  /** Of a job: whole items it was to do. */
  items?: number;
  /** As measured, before heat and battery. */
  itemsPerSecond?: number;
  /** Of its share, or of one item where it has none. */
  computeSeconds?: number;
  transferSeconds?: number;
  queueSeconds?: number;
  handOverSeconds?: number;
  endSeconds?: number;
  /** Share of its speed that heat and battery leave, 0 to 1. */
  derating?: number;
  temperatureC?: number;
  memoryFreeBytes?: number;
  /** Of a model: what it takes there, and what models may take. */
  memoryNeededBytes?: number;
  memoryForModelsBytes?: number;
}

export interface ExplainedNode {
  nodeId: NodeId;
  name: string;
  /** It got a share; the model stands there. */
  isUsed: boolean;
  /** A sentence's worth. */
  because: string;
  figures: ExplainedFigures;
}

export interface ExplainedWay {
  way: Way;
  isChosen: boolean;
  seconds: number;
  says: string;
}

/** What one more unit of something would be worth. */
export interface ShadowPrice {
  /** e.g. `pi5` and `items/s`. */
  of: string;
  unit: string;
  /** By one unit more; in seconds for a job, as a share of the demand for a model. */
  gain: number;
  says: string;
}

/** Against what no decision could beat. Seconds (less is better) or the share of the demand that is served (more is better). */
export interface ExplainedBound {
  value: number;
  bound: number;
  /** 0.02: 2 % short of it. */
  gap: number;
  unit: "s" | "share";
  says: string;
}

/** The decision made again with something changed. */
export interface ExplainedChange {
  changes: string[];
  before: number;
  after: number;
  unit: "s" | "share";
  says: string[];
  /** Items of each node, or 1 and 0 for where the model stands. */
  nodes: { name: string; before: number; after: number }[];
}

export interface Explanation {
  of: "job" | "model" | "node";
  /** Job, `name:version`, or the node's name. */
  what: string;
  /** Absent for a node of which nothing was decided. */
  decidedAtMs?: number;
  term?: number;
  /** The answer, the most important first. */
  says: string[];
  nodes: ExplainedNode[];
  /** Of a job. */
  ways?: ExplainedWay[];
  binding?: ShadowPrice;
  bound?: ExplainedBound;
  runnerUp?: string;
  whyNot?: { node: string; says: string[] };
  whatIf?: ExplainedChange;
  /** Of the fleet now, by the leader: how far its forecasts of shards were off. */
  predictionErrors?: (PredictionError & { nodeId: NodeId; name: string })[];
}

/** What is asked beside `what`. */
export interface ExplainQuestion {
  /** A node's name or id. */
  whyNot?: string;
  /** e.g. `add pi5`, `remove attic`, `memory attic 8GB`; all at once. */
  whatIf?: readonly string[];
}
