/** The pipelines of a pretend fleet, as its answers tell them; checked as a real one checks them, against a few parts. */
import { SkeinError } from "../../shared/errors.ts";
import { compilePipeline } from "../../shared/pipeline/compile.ts";
import { type PipelineDefinition, pipelineReference } from "../../shared/pipeline/definition.ts";
import { outputTypes } from "../../shared/pipeline/output-types.ts";
import { readPipeline } from "../../shared/pipeline/read.ts";
import { modelsOf, segmentOf } from "../../shared/pipeline/segment.ts";
import type {
  PipelineAddAnswer,
  PipelineCheckAnswer,
  PipelineDetail,
  PipelineRemoval,
  PipelineSource,
} from "../../shared/pipeline-registry.ts";
import { knownParts } from "./pipeline-parts.ts";

export class PretendPipelines {
  readonly details = new Map<string, PipelineDetail>();
  /** What pipelines may stand on. */
  known = knownParts();

  /** @throws PIPELINE_INVALID */
  check(source: PipelineSource): PipelineCheckAnswer {
    const { definition, placeOf } = "text" in source ? readPipeline(source.text) : { ...source, placeOf: undefined };
    const compiled = compilePipeline(definition, this.known, placeOf);
    return { pipeline: compiled.reference, existing: this.details.has(compiled.reference), compiled };
  }

  /** @throws PIPELINE_INVALID */
  add(source: PipelineSource): PipelineAddAnswer {
    const { pipeline, existing, compiled } = this.check(source);
    const given = "text" in source ? readPipeline(source.text).definition : source.definition;
    const definition = { version: 1, ...(given as PipelineDefinition) };
    const { name, version, says = "", inputs } = definition;
    const every = compiled.stages.map((_, place) => place);
    this.details.set(pipelineReference(definition), {
      ...{ pipeline, name, version, says, inputs, outputs: outputTypes(compiled), stages: every.length },
      models: modelsOf(segmentOf(compiled, every, true)),
      ...{ addedBy: "attic", addedAtMs: 1_700_000_000_000, definition, compiled, jobs: [] },
    });
    return { pipeline, existing };
  }

  /** @throws UNKNOWN_PIPELINE */
  show(text: string): PipelineDetail {
    const versions = [...this.details.values()].filter(({ name, pipeline }) => text === name || text === pipeline);
    const [newest] = versions.sort((a, b) => b.version - a.version);
    if (!newest) throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: text, known: [...this.details.keys()] });
    return newest;
  }

  /** @throws UNKNOWN_PIPELINE, PIPELINE_WANTED */
  remove(text: string, force: boolean): PipelineRemoval {
    const { pipeline, jobs } = this.show(text);
    if (jobs.length > 0 && !force) throw new SkeinError("PIPELINE_WANTED", { pipeline, jobs });
    this.details.delete(pipeline);
    return { removed: pipeline, cancelled: jobs };
  }
}
