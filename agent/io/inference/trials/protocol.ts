import type { SessionChoice } from "../../../../shared/session-choice.ts";
import type { Examination, GraphFile, InputShapes } from "../../../ports/index.ts";

/** A graph in a process: what it took to have it there. */
export interface Loaded {
  loadMs: number;
  firstRunMs: number;
  /** Of the first item. */
  outputs: Float64Array[];
}

export interface Measured {
  items: number;
  elapsedMs: number;
  /** Median of one run. */
  runMs: number;
  /** Beyond what the process was before the model came. */
  memoryPeakBytes: number;
  memorySettledBytes: number;
}

/** From the agent to a process of a trial, one at a time. */
export type TrialCommand =
  | { kind: "examine"; graph: GraphFile; memoryBytesMax: number }
  | { kind: "load"; graph: GraphFile; choice: SessionChoice; shapes?: InputShapes; memoryBytesMax: number }
  | { kind: "measure"; forMs: number };

/** Answers, one for each command; `up` before the first. */
export type TrialReport =
  | { kind: "up"; rssBytes: number }
  | { kind: "examined"; examination: Examination }
  | { kind: "loaded"; loaded: Loaded }
  | { kind: "measured"; measured: Measured }
  /** The model is at fault, in words for people. */
  | { kind: "refused"; reason: string };
