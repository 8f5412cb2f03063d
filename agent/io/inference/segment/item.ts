import type { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { CompiledPipeline } from "../../../../shared/pipeline/compiled.ts";
import type { Skipped } from "../../../../shared/pipeline/item.ts";
import type { Values } from "../../../../shared/pipeline/values.ts";
import type { InputPart, StageRun } from "../../../ports/index.ts";

/** What a segment is run over. */
export interface SegmentTask {
  name: string;
  parts: readonly InputPart[];
}

/** One task on its way through the stages of a segment. */
export interface SegmentItem {
  readonly name: string;
  /** `name:version`, for messages. */
  readonly pipeline: string;
  /** By source; what no later stage needs is let go. */
  readonly values: Values;
  readonly skipped: SkippedList;
  /** Which element of a list is its first one here, by the key of the list. */
  readonly first: ReadonlyMap<string, number>;
  readonly stages: StageRun[];
  /** Set: it is run no further. */
  error?: SkeinError;
}

/** Each place once, the first so many of them: a list may be skipped from its first element to its last. */
export class SkippedList {
  readonly #byPlace = new Map<string, Skipped>();

  add(one: Skipped): void {
    const place = `${one.element ?? ""}.${one.stage}`;
    if (this.#byPlace.size < LIMITS.skippedToldMax && !this.#byPlace.has(place)) this.#byPlace.set(place, one);
  }

  /** By stage, and then by element: the same however the pipeline was cut. */
  all({ stages }: CompiledPipeline): Skipped[] {
    const places = new Map(stages.map(({ name }, place) => [name, place]));
    const placeOf = ({ stage }: Skipped): number => places.get(stage) ?? stages.length;
    return [...this.#byPlace.values()].sort((a, b) => placeOf(a) - placeOf(b) || (a.element ?? 0) - (b.element ?? 0));
  }
}
