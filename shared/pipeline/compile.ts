/** From what people wrote to what is run: checked as a whole, every fault found, then flat and in order. */
import type { ModelManifest } from "../model.ts";
import type { CompiledPipeline } from "./compiled.ts";
import type { PipelineDefinition } from "./definition.ts";
import type { OperatorSpec } from "./operators.ts";

/** What a pipeline may stand on. Models and pipelines go by `name:version`. */
export interface KnownParts {
  operator(name: string): OperatorSpec | undefined;
  model(reference: string): ModelManifest | undefined;
  pipeline(reference: string): PipelineDefinition | undefined;
}

export interface PipelineFault {
  /** `stages.best.in.scores`. */
  path: string;
  /** Of the text it was read from, from 1. */
  line?: number;
  column?: number;
  reason: string;
}

/** @throws PIPELINE_INVALID, with all faults */
export declare function compilePipeline(definition: PipelineDefinition, known: KnownParts): CompiledPipeline;
