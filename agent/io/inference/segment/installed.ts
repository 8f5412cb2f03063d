/** A segment that this executor runs: over several tasks at once, stage by stage, so that models see full batches. */
import { SkeinError } from "../../../../shared/errors.ts";
import { pack } from "../../../../shared/pipeline/casts.ts";
import type { Segment } from "../../../../shared/pipeline/compiled.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import { writeOutput } from "../../../../shared/pipeline/item.ts";
import { sourceKey } from "../../../../shared/pipeline/segment.ts";
import { encodeValues, FROM_KEY, NONE, SKIPPED_KEY, type Values } from "../../../../shared/pipeline/values.ts";
import type { ItemEnd } from "../protocol.ts";
import { type Body, bodyOf, type Surroundings } from "./body.ts";
import type { SegmentItem, SegmentTask } from "./item.ts";
import { looped } from "./loop.ts";
import { assembled } from "./parts.ts";
import { planOf, type SegmentPlan, type StagePlan } from "./plan.ts";
import { runStage } from "./stage.ts";

export class InstalledSegment {
  readonly #plan: SegmentPlan;
  readonly #around: Surroundings;
  readonly #onStage: (stage: string) => void;
  /** By place. Operators read their files once, and may make much of them. */
  readonly #bodies = new Map<number, Promise<Body>>();

  /** @param onStage told before anything of a stage runs */
  constructor(segment: Segment, around: Surroundings, onStage: (stage: string) => void) {
    this.#plan = planOf(segment);
    this.#around = around;
    this.#onStage = onStage;
  }

  /** A model was exchanged or let go: what was made of its files is made anew when it is needed. */
  forgetBodies(): void {
    this.#bodies.clear();
  }

  /** How each ended, in their order. One that fails takes no other with it. */
  async run(tasks: readonly SegmentTask[]): Promise<ItemEnd[]> {
    const startedMs = performance.now();
    const begun = tasks.map((task) => this.#begin(task));
    for (const stage of this.#plan.stages) {
      const going = begun.filter((one): one is SegmentItem => !(one instanceof SkeinError) && !one.error);
      if (going.length > 0) await this.#runStage(stage, going);
    }
    const ends = begun.map((one) => this.#finish(one));
    // Nobody's own time is known where all ran at once.
    const durationMs = (performance.now() - startedMs) / tasks.length;
    return ends.map((end) => ("output" in end ? { ...end, durationMs } : end));
  }

  #begin(task: SegmentTask): SegmentItem | SkeinError {
    try {
      return assembled(this.#plan.segment, task);
    } catch (error) {
      return SkeinError.from(error);
    }
  }

  async #runStage(plan: StagePlan, items: readonly SegmentItem[]): Promise<void> {
    this.#onStage(plan.stage.name);
    try {
      await runStage(plan, await this.#body(plan), items);
    } catch (error) {
      // Of the stage itself, whatever it is given.
      for (const item of items) item.error ??= SkeinError.from(error);
    }
    for (const item of items) for (const key of plan.lettingGo) item.values.delete(key);
  }

  #body({ place, stage, gives }: StagePlan): Promise<Body> {
    const known = this.#bodies.get(place);
    if (known) return known;
    const wanted = [...gives.keys()];
    const { loop } = stage;
    const asked = loop ? [...new Set([...wanted, ...Object.values(loop.carry)])] : wanted;
    const body = bodyOf(stage, asked, this.#around).then((one) => (loop ? looped(one, loop, wanted) : one));
    this.#bodies.set(place, body);
    // It may be well the next time: a file that could not be read now.
    body.catch(() => this.#bodies.delete(place));
    return body;
  }

  #finish(one: SegmentItem | SkeinError): ItemEnd {
    const error = one instanceof SkeinError ? one : one.error;
    if (error) return { error: error.toJSON() };
    const item = one as SegmentItem;
    try {
      const output = this.#plan.segment.isLast ? this.#itemOutput(item) : this.#valuesOutput(item);
      const { told } = this.#plan;
      const elements = told.map((key) => lengthOf(item.values, key));
      return { output, durationMs: 0, ...(told.length > 0 && { elements }), stages: item.stages };
    } catch (fault) {
      return { error: SkeinError.from(fault).toJSON() };
    }
  }

  #itemOutput({ values, skipped }: SegmentItem): Uint8Array {
    const { pipeline } = this.#plan.segment;
    const named = Object.entries(pipeline.outputs).map(
      ([name, source]) => [name, values.get(sourceKey(source)) ?? NONE] as const,
    );
    return writeOutput(new Map(named), skipped.all(pipeline));
  }

  #valuesOutput({ values, skipped, first }: SegmentItem): Uint8Array {
    const { segment, inStep } = this.#plan;
    const given: Values = new Map();
    for (const { stage, port } of segment.gives) {
      const key = sourceKey({ stage, port });
      const cast = segment.pipeline.stages[stage]!.send[port];
      const value = values.get(key) ?? NONE;
      given.set(key, cast ? pack(value, cast) : value);
    }
    const told = skipped.all(segment.pipeline);
    if (told.length > 0) given.set(SKIPPED_KEY, { kind: "json", json: told as unknown as Json });
    if (first.size > 0) given.set(FROM_KEY, { kind: "json", json: Object.fromEntries(first) });
    return encodeValues(given, inStep);
  }
}

function lengthOf(values: Values, key: string): number {
  const value = values.get(key);
  return value?.kind === "list" ? value.elements.length : 0;
}
