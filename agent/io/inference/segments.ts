import { createHash } from "node:crypto";
import { canonicalJson } from "../../../shared/canonical-json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import { modelsOf } from "../../../shared/pipeline/segment.ts";
import type { PipelineInfo } from "../../ports/index.ts";
import type { Seat, Shelf } from "./shelf.ts";

interface Known {
  segment: Segment;
  models: string[];
  /** The pipeline itself, as one of the things that a result is made with. */
  definition: PipelineInfo["models"][number];
  info?: { of: PipelineInfo[]; executors: number; info: PipelineInfo };
}

/** The segments that were installed: each is a pipeline while all its models are there. */
export class Segments {
  readonly #shelf: Shelf;
  readonly #seats: readonly Seat[];
  /** By name; the one used longest ago first. */
  readonly #known = new Map<string, Known>();

  constructor(shelf: Shelf, seats: readonly Seat[]) {
    this.#shelf = shelf;
    this.#seats = seats;
  }

  /** Undefined if it was there already; else the names of those that are forgotten for it. */
  install(segment: Segment): string[] | undefined {
    const { name } = segment;
    const before = this.#known.get(name);
    this.#known.delete(name);
    if (before && (before.segment === segment || canonicalJson(before.segment) === canonicalJson(segment))) {
      this.#known.set(name, before);
      return undefined;
    }
    const { pipeline } = segment;
    const text = canonicalJson(pipeline);
    const sha256 = createHash("sha256").update(text).digest("hex");
    const definition = { name: pipeline.reference, sha256, bytes: Buffer.byteLength(text) };
    this.#known.set(name, { segment, models: modelsOf(segment), definition });
    const forgotten = [...this.#known.keys()].slice(0, Math.max(0, this.#known.size - LIMITS.segmentsInstalledMax));
    for (const one of forgotten) this.#known.delete(one);
    return forgotten;
  }

  /** It is wanted: others are forgotten before it. */
  used(name: string): Segment | undefined {
    const known = this.#known.get(name);
    if (!known) return undefined;
    this.#known.delete(name);
    this.#known.set(name, known);
    return known.segment;
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** Names of those that need this model. */
  needing(model: string): string[] {
    return [...this.#known].flatMap(([name, { models }]) => (models.includes(model) ? [name] : []));
  }

  /** Models that have to stand in one executor, of each segment. */
  modelSets(): string[][] {
    return [...this.#known.values()].map(({ models }) => models);
  }

  /** Whether the executor there has all that it needs. */
  isOn(seat: Seat, name: string): boolean {
    return this.#known.get(name)?.models.every((model) => this.#shelf.isOn(seat, model)) ?? false;
  }

  pipelines(): PipelineInfo[] {
    return [...this.#known.keys()].flatMap((name) => this.pipeline(name) ?? []);
  }

  /** Undefined while a model of it is not there. The same object for the same models: whoever names what made a result asks often. */
  pipeline(name: string): PipelineInfo | undefined {
    const known = this.#known.get(name);
    if (!known) return undefined;
    const of = known.models.flatMap((model) => this.#shelf.pipeline(model) ?? []);
    if (of.length < known.models.length) return undefined;
    const executors = this.#seats.filter((seat) => this.isOn(seat, name)).length;
    const { info } = known;
    if (info && info.executors === executors && info.of.every((one, n) => one === of[n])) return info.info;
    const made = this.#describe(known, of, executors);
    known.info = { of, executors, info: made };
    return made;
  }

  /** While its models are brought to one executor it is run by none, and waits. */
  #describe({ segment, models, definition }: Known, of: readonly PipelineInfo[], executors: number): PipelineInfo {
    const { reference, stages } = segment.pipeline;
    const batches = segment.stages.map((place) => {
      const { runs, batch } = stages[place]!;
      const best = runs.kind === "model" ? this.#shelf.pipeline(runs.model)?.batch : undefined;
      return best === undefined ? 1 : (batch ?? best);
    });
    return {
      name: segment.name,
      version: reference.slice(reference.indexOf(":") + 1),
      models: [...of.flatMap((one) => one.models), definition],
      itemsAlike: false,
      ...(models.length > 0 && { executors: Math.max(1, executors) }),
      batch: Math.max(1, ...batches),
    };
  }
}
