/** A pipeline that was checked as a whole, in the form in which it is run: flat, in an order in which it can be run, every port with its type. */
import type { Labels } from "../labels.ts";
import type { Condition, Json, Loop, OnError, TypeText } from "./definition.ts";

/** Where a value comes from: a stage by its place in `stages`, or -1 for the inputs of the pipeline. */
export interface Source {
  stage: number;
  port: string;
}

export interface CompiledStage {
  /** As written; of a stage inside a pipeline that is a stage, `outer/inner`. */
  name: string;
  runs: { kind: "model"; model: string } | { kind: "operator"; operator: string };
  in: Record<string, Source>;
  with: Record<string, Json>;
  /** By parameter: the model, and the path in its manifest. */
  files: Record<string, { model: string; path: string }>;
  /** Ports it runs over. Empty: once per item. */
  map: string[];
  /** Which list its elements are those of, named by where that list is made: two stages with one `over` have their elements in step. Absent: not mapped. */
  over?: Source;
  when?: Omit<Condition, "value"> & { value: Source };
  loop?: Loop;
  batch?: number;
  on?: Labels;
  deadlineMs?: number;
  onError: OnError;
  keep: "durable" | "recompute" | "auto";
  send: Record<string, "fp16" | "int8">;
  /** Types of what one run gives, before it becomes a list by `map`. */
  gives: Record<string, TypeText>;
}

export interface CompiledPipeline {
  /** `name:version`. */
  reference: string;
  says: string;
  inputs: { name: string; type: TypeText }[];
  /** No stage takes from one that comes after it. At most LIMITS.pipelineStagesMax. */
  stages: CompiledStage[];
  outputs: Record<string, Source>;
}

/**
 * Some stages of a pipeline, run by one node in one go: nothing between them crosses the network. Named by their places:
 * `document-reading:1/0-2,5`; all of them go by the pipeline's own name. The last segment of a form, which gives the item's
 * output, ends in "!", and may be of no stage: `document-reading:1/!`.
 */
export interface Segment {
  /** What runs, as in a lease. */
  name: string;
  pipeline: CompiledPipeline;
  /** Places, ascending. */
  stages: number[];
  /** What it takes from other segments, or the inputs (-1): every source once, in the order in which they are met. */
  takes: Source[];
  /** What others take of it. Of the last segment: nothing; it gives the pipeline's outputs as an item's output (see item.ts). */
  gives: Source[];
  isLast: boolean;
  /** It runs over slices of this list, which another segment gives. Absent: once per item. */
  over?: Source;
}

/** How one job's pipeline is cut, decided once by a leader and agreed on; all that the ledger has to know to open tasks. */
export interface JobForm {
  /** In an order in which they can be run; the last one's tasks are the job's own items. */
  segments: FormSegment[];
}

export interface FormSegment {
  name: string;
  /** Places in `segments` that it takes from, ascending; -1: the item's input. */
  after: number[];
  /**
   * It runs over slices of list number `list` among the lists whose length segment `segment` tells. `sources` are the keys of
   * that list, and of all that is in step with it, as far as it takes them of segments that do not run over it themselves.
   * Absent: once per item.
   */
  over?: { segment: number; list: number; elementsPerTask: number; sources: string[] };
  /** Nodes that hold each of its outputs: 1 where it is made again if it is lost. */
  copies: number;
  /** Whether what cannot be run at all (it ends executors) ends the item, or leaves a gap. */
  onError: "fail" | "skip";
}
