import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CompiledPipeline, Segment } from "../../../shared/pipeline/compiled.ts";
import { readSegmentName, segmentNamed } from "../../../shared/pipeline/segment.ts";
import type { InferenceEngine } from "../../ports/index.ts";

/** The pipelines of stages that the fleet knows, by `name:version`. */
export interface KnownPipelines {
  compiled(reference: string): CompiledPipeline | undefined;
  /** A node without the ledger asks a member. @throws UNKNOWN_PIPELINE, NO_LEADER */
  fetched(reference: string): Promise<CompiledPipeline>;
}

/** What the names in leases stand for where they are of stages, and that the engine of this node knows those. */
export class Segments {
  readonly #engine: InferenceEngine;
  readonly #pipelines: KnownPipelines;
  /** The least lately wanted first. */
  readonly #known = new Map<string, Segment>();

  constructor(engine: InferenceEngine, pipelines: KnownPipelines) {
    this.#engine = engine;
    this.#pipelines = pipelines;
  }

  /** Has the engine know it, as long as its models are there. Undefined: the name is of no pipeline of stages. */
  async ready(name: string): Promise<Segment | undefined> {
    const segment = this.#known.get(name) ?? (await this.#looked(name));
    if (!segment) return undefined;
    this.#known.delete(name);
    this.#known.set(name, segment);
    if (this.#known.size > LIMITS.segmentsInstalledMax) this.#known.delete(this.#known.keys().next().value!);
    this.#engine.install(segment);
    return segment;
  }

  /** Whether it stands for stages, as far as this node has come to know. */
  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** What a segment that was ready here is a part of. */
  pipelineOf(name: string): CompiledPipeline | undefined {
    return this.#known.get(name)?.pipeline;
  }

  async #looked(name: string): Promise<Segment | undefined> {
    const { pipeline: reference, places } = readSegmentName(name);
    if (places === undefined && this.#engine.pipelines().some((pipeline) => pipeline.name === name)) return undefined;
    const pipeline = this.#pipelines.compiled(reference) ?? (await this.#asked(reference));
    return pipeline && segmentNamed(pipeline, name);
  }

  async #asked(reference: string): Promise<CompiledPipeline | undefined> {
    try {
      return await this.#pipelines.fetched(reference);
    } catch (error) {
      if (SkeinError.from(error).code === "UNKNOWN_PIPELINE") return undefined;
      throw error;
    }
  }
}
