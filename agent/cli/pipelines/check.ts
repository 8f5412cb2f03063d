/** A definition checked here, with what is known of the fleet: each fault with its line. */
import { SkeinError } from "../../../shared/errors.ts";
import { type ModelManifest, readModelReference } from "../../../shared/model.ts";
import { compilePipeline, type PipelineFault } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { checkDefinition } from "../../../shared/pipeline/definition-check.ts";
import { Faults } from "../../../shared/pipeline/faults.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import { partsNamedIn } from "../../../shared/pipeline/parts.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import type { SteadyClient } from "../steady-client.ts";
import { type Application, bundledApplication, FIRST_VERSION } from "./applications.ts";

/** The form alone: what can be drawn. @throws PIPELINE_INVALID */
export function definitionOf(text: string): PipelineDefinition {
  const { definition, placeOf } = readPipeline(text);
  const faults = new Faults();
  const checked = checkDefinition(definition, faults);
  faults.end(checked.name || "that was given", placeOf);
  return checked;
}

/** Applications that come with Skein and are stages of this pipeline. */
export async function bundledWithin(text: string): Promise<Application[]> {
  const named = partsNamedIn(definitionOf(text)).pipelines.map((reference) => readModelReference(reference).name);
  const found = await Promise.all([...new Set(named)].map(bundledApplication));
  return found.filter((one) => one !== undefined);
}

export interface Checked {
  /** `name:version` that it would get, where a fleet was asked; and whether it has the same already. */
  pipeline?: string;
  existing?: boolean;
  /** Absent where too little is known to tell all types. */
  compiled?: CompiledPipeline;
  /** Models and pipelines of which it is not known what they take and give, and why. */
  unchecked: string[];
  because?: "no agent answers" | "the fleet gets them with it";
}

/** Against the fleet, and as far as that goes where no agent answers. @throws PIPELINE_INVALID and what else the fleet refuses it with */
export async function checkWith(client: SteadyClient, text: string, { models }: Application): Promise<Checked> {
  const inner = await bundledWithin(text);
  const own = new Set([...models, ...inner].map(({ name }) => `${name}:${FIRST_VERSION}`));
  try {
    return { ...(await client.call((one) => one.pipelineCheck({ text }))), unchecked: [] };
  } catch (error) {
    if (SkeinError.from(error).code === "AGENT_UNREACHABLE") return checkAlone(text);
    const unchecked = missingParts(error, own);
    return { unchecked, because: "the fleet gets them with it" };
  }
}

/** Without a fleet: all but what its models and its other pipelines take and give. @throws PIPELINE_INVALID */
export function checkAlone(text: string): Checked {
  const { definition, placeOf } = readPipeline(text);
  const asked = new Set<string>();
  const ask = (reference: string): undefined => {
    asked.add(reference);
  };
  const known = {
    operator: (name: string) => OPERATORS.get(name),
    model: (reference: string): ModelManifest | undefined => ask(reference),
    pipeline: (reference: string): PipelineDefinition | undefined => ask(reference),
  };
  try {
    return { compiled: compilePipeline(definition, known, placeOf), unchecked: [] };
  } catch (error) {
    return { unchecked: missingParts(error, asked), because: "no agent answers" };
  }
}

/** Of these, what a pipeline lacks, if nothing else is wrong with it. @throws PIPELINE_INVALID with all else */
function missingParts(error: unknown, parts: ReadonlySet<string>): string[] {
  const refusal = SkeinError.from(error);
  if (refusal.code !== "PIPELINE_INVALID") throw error;
  const missing = new Set<string>();
  const faults = (refusal.facts.faults as PipelineFault[]).filter(({ reason }) => {
    const part = reason.includes("which the fleet does not have")
      ? [...parts].find((one) => reason.includes(one))
      : undefined;
    if (part !== undefined) missing.add(part);
    return part === undefined;
  });
  if (faults.length > 0) throw new SkeinError("PIPELINE_INVALID", { ...refusal.facts, faults });
  return [...missing];
}
