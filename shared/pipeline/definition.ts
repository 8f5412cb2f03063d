/**
 * A pipeline as people write it, in YAML or JSON: stages that take what others give, no loops among them.
 *
 *   name: customer-service
 *   says: What a customer wants, and the reply to it.
 *   inputs:
 *     ticket: { type: text, says: what the customer wrote }
 *   stages:
 *     words:  { operator: text/ngrams@1, in: { text: ticket }, files: { vocabulary: "intent:1/vocabulary.txt" } }
 *     intent: { model: "intent:1", in: { ids: words.ids } }
 *     best:   { operator: tensor/top-k@1, in: { scores: intent.probabilities }, with: { k: 1 } }
 *     expert: { model: "intent-large:1", in: { ids: words.ids }, when: { value: best.score, below: 0.8 } }
 *   outputs:
 *     intent: best.label
 */
import type { Labels } from "../labels.ts";

/** What a port carries, as text: see types.ts. */
export type TypeText = string;
/** `input`, or `stage.port`. */
export type Reference = string;
/** Anything JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface PipelineDefinition {
  /** As a model is named; pipelines and models share one space of names. */
  name: string;
  /** From 1. Absent in what people write: the next one. */
  version?: number;
  /** One sentence. */
  says?: string;
  inputs: Record<string, PortDefinition>;
  /** In any order; what a stage takes says what comes before it. */
  stages: Record<string, StageDefinition>;
  outputs: Record<string, Reference>;
}

export interface PortDefinition {
  type: TypeText;
  says?: string;
}

export interface StageDefinition {
  /** One of these three says what runs: `name:version`, `group/name@version`, `name:version`. */
  model?: string;
  operator?: string;
  pipeline?: string;
  /** By port: where it comes from. */
  in?: Record<string, Reference>;
  /** Parameters of an operator. */
  with?: Record<string, Json>;
  /** Of an operator that reads files: by parameter, `name:version/path` in a model's manifest. */
  files?: Record<string, string>;
  /** Ports that carry lists here, of one length: the stage runs once for each element, and gives lists. */
  map?: string[];
  /** Runs where this holds, else gives nothing; what needs its outputs then gives nothing either (but for core/first). */
  when?: Condition;
  loop?: Loop;
  /** Elements, or items, that one run of a model may take together. Default: as its profile says best. */
  batch?: number;
  /** Only boxes with these labels. */
  on?: Labels;
  /** One run of it, an element's; later than this it has failed. */
  deadlineMs?: number;
  /** What becomes of an element, or an item, that fails here. Default: fail. */
  onError?: OnError;
  /** Whether its outputs are copied to other boxes when they leave the box, or made again when they are lost. Default: auto, by measured cost. */
  keep?: "durable" | "recompute" | "auto";
  /** Tensors that may lose precision where they cross the network: by port. */
  send?: Record<string, "fp16" | "int8">;
}

/** fail: the item fails · skip: gives nothing, with a record of it · default: gives these instead, by port, with a record. */
export type OnError = "fail" | "skip" | { default: Record<string, Json> };

/** On a number or a text; exactly one comparison. */
export interface Condition {
  value: Reference;
  below?: number;
  above?: number;
  is?: string | number | boolean;
  isNot?: string | number | boolean;
}

/** Runs one after the other with a state, within one run of the stage: so many times, or over the elements of a list. */
export interface Loop {
  times?: number;
  /** A port that carries a list here. */
  over?: string;
  /** By port taken: the port given whose value it has in the next round. Outputs carried give the last value, others a list of all. */
  carry: Record<string, string>;
  /** By port carried: the type of the zeros that it begins with, each dimension given. Absent: what `in` says. */
  first?: Record<string, TypeText>;
}

/** `name:version`. */
export const pipelineReference = ({ name, version }: { name: string; version: number }): string => `${name}:${version}`;
