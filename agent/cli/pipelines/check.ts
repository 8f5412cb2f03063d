/** A definition checked here, with what is known of the fleet: each fault with its line. */
import { SkeinError } from "../../../shared/errors.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import { compilePipeline, type PipelineFault } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { checkDefinition } from "../../../shared/pipeline/definition-check.ts";
import { Faults } from "../../../shared/pipeline/faults.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";

/** The form alone: what can be drawn. @throws PIPELINE_INVALID */
export function definitionOf(text: string): PipelineDefinition {
  const { definition, placeOf } = readPipeline(text);
  const faults = new Faults();
  const checked = checkDefinition(definition, faults);
  faults.end(checked.name || "that was given", placeOf);
  return checked;
}

export interface CheckedAlone {
  /** Absent where too little is known to tell all types. */
  compiled?: CompiledPipeline;
  /** Models and pipelines that only a fleet could tell of. */
  unchecked: string[];
}

/** Without a fleet: all but what its models and its other pipelines take and give. @throws PIPELINE_INVALID */
export function checkAlone(text: string): CheckedAlone {
  const { definition, placeOf } = readPipeline(text);
  const unchecked = new Set<string>();
  const ask = (reference: string): undefined => {
    unchecked.add(reference);
  };
  const known = {
    operator: (name: string) => OPERATORS.get(name),
    model: (reference: string): ModelManifest | undefined => ask(reference),
    pipeline: (reference: string): PipelineDefinition | undefined => ask(reference),
  };
  try {
    return { compiled: compilePipeline(definition, known, placeOf), unchecked: [...unchecked] };
  } catch (error) {
    const refusal = SkeinError.from(error);
    if (refusal.code !== "PIPELINE_INVALID") throw error;
    const faults = (refusal.facts.faults as PipelineFault[]).filter((fault) => !isOfTheFleet(fault, unchecked));
    if (faults.length > 0) throw new SkeinError("PIPELINE_INVALID", { ...refusal.facts, faults });
    return { unchecked: [...unchecked] };
  }
}

/** That the fleet lacks something cannot be said where none was asked. */
const isOfTheFleet = ({ reason }: PipelineFault, unchecked: ReadonlySet<string>): boolean =>
  reason.includes("which the fleet does not have") && [...unchecked].some((reference) => reason.includes(reference));
