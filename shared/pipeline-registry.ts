/** What is said between a client and the fleet about its pipelines. */
import { checkKeys, checkRecord, refuse } from "./checks.ts";
import type { JobId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import type { ModelManifest } from "./model.ts";
import type { CompiledPipeline } from "./pipeline/compiled.ts";
import type { PipelineDefinition, PortDefinition, TypeText } from "./pipeline/definition.ts";

/** One that is offered, as people wrote it (YAML or JSON: faults then have their lines), or as data. */
export type PipelineSource = { text: string } | { definition: PipelineDefinition };

export interface PipelineCheckAnswer {
  /** `name:version` that it would get. */
  pipeline: string;
  /** The fleet has it already. */
  existing: boolean;
  compiled: CompiledPipeline;
}

export interface PipelineAddAnswer {
  pipeline: string;
  existing: boolean;
}

export interface PipelineView {
  /** `name:version` */
  pipeline: string;
  name: string;
  version: number;
  says: string;
  inputs: Record<string, PortDefinition>;
  outputs: Record<string, TypeText>;
  /** Those of pipelines inside it counted in. */
  stages: number;
  /** `name:version` of all that must be loaded for it. */
  models: string[];
  addedBy: string;
  addedAtMs: number;
}

export interface PipelineDetail extends PipelineView {
  definition: PipelineDefinition;
  /** Absent where this box cannot read it: it names operators of another box's own. */
  compiled?: CompiledPipeline;
  /** Open jobs that want it. */
  jobs: JobId[];
}

export interface PipelineRemoval {
  removed: string;
  /** Jobs that were cancelled for it. */
  cancelled: JobId[];
}

/** All that is needed to compile one: it, the pipelines inside it, and the manifests of their models. */
export interface PipelineParts {
  pipelines: PipelineDefinition[];
  models: ModelManifest[];
}

/** What the definition itself says is checked as a whole when it is compiled. @throws BAD_REQUEST */
export function checkPipelineSource(body: unknown): PipelineSource {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["text", "definition"]);
  const { text, definition } = record;
  if ((text === undefined) === (definition === undefined)) refuse("", "must have either text or definition");
  if (text === undefined) return { definition: checkRecord(definition, "definition") as unknown as PipelineDefinition };
  if (typeof text !== "string") refuse("text", "must be text");
  // Its bytes are counted when it is read; a string of more units than that has more bytes.
  if (text.length > LIMITS.pipelineBytesMax) refuse("text", `must have at most ${LIMITS.pipelineBytesMax} bytes`);
  return { text };
}
