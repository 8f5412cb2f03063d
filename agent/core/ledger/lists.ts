import { type ErrorBody, SkeinError } from "../../../shared/errors.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { FormSegment } from "../../../shared/pipeline/compiled.ts";
import { isOneList } from "../../../shared/pipeline/form-check.ts";

/** One that segments run over. */
interface List {
  segment: number;
  list: number;
  elementsPerTask: number;
  /** Those that run over it, ascending. */
  runOverBy: number[];
}

/** How long the lists of each item are, as far as it is known: by what made them, for as long as somebody counts on it. */
export class Lists {
  readonly #segments: readonly FormSegment[];
  readonly all: readonly List[];
  /** By segment: the place in `all` of what it runs over. */
  readonly #overOf: readonly (number | undefined)[];
  /** By item, by list. */
  readonly #lengths: (number | undefined)[][] = [];

  constructor(segments: readonly FormSegment[]) {
    const all: List[] = [];
    this.#overOf = segments.map(({ over }, place) => {
      if (!over) return undefined;
      const known = all.findIndex((list) => isOneList(list, over));
      if (known < 0) return all.push({ ...over, runOverBy: [place] }) - 1;
      all[known]!.runOverBy.push(place);
      return known;
    });
    this.all = all;
    this.#segments = segments;
  }

  /** Of a segment that runs once per item: 1. */
  slicesOf(segment: number, item: number): number | undefined {
    const list = this.#overOf[segment];
    if (list === undefined) return 1;
    const length = this.#lengths[item]?.[list];
    return length === undefined ? undefined : Math.ceil(length / this.all[list]!.elementsPerTask);
  }

  /** The elements of one slice. */
  sliceOf(segment: number, item: number, slice: number): { from: number; to: number } {
    const list = this.#overOf[segment]!;
    const from = slice * this.all[list]!.elementsPerTask;
    return { from, to: Math.min(from + this.all[list]!.elementsPerTask, this.#lengths[item]![list]!) };
  }

  isInStep(one: number, other: number): boolean {
    return this.#overOf[one] !== undefined && this.#overOf[one] === this.#overOf[other];
  }

  /** What a segment told of its lists; of one that left a gap they are empty. Says why nobody can run over them. */
  learn(segment: number, item: number, { error, elements = [] }: RecordedResult): ErrorBody | undefined {
    for (const [at, { list }] of this.#madeBy(segment)) {
      const [length, before] = [error ? 0 : elements[list], this.#lengths[item]?.[at]];
      if (length === undefined) return this.#unsound(segment, `how long list ${list} is was not told`);
      if (length > LIMITS.fanOutMax)
        return this.tooLong(segment, length, "the most that a list may have", LIMITS.fanOutMax);
      if (before !== undefined && before !== length)
        return this.#unsound(segment, `made anew it has ${length} elements, and others began with ${before}`);
      this.know(at, item, length);
    }
    return undefined;
  }

  know(list: number, item: number, length: number | undefined): void {
    this.#lengths[item] ??= [];
    this.#lengths[item][list] = length;
  }

  /** All tasks that there will be over what a segment made, and the longest of its lists. */
  tasksBehind(segment: number, item: number): { tasks: number; segments: number[]; elements: number } {
    const segments: number[] = [];
    let [tasks, elements] = [0, 0];
    for (const [at, { elementsPerTask, runOverBy }] of this.#madeBy(segment)) {
      const length = this.#lengths[item]?.[at] ?? 0;
      segments.push(...runOverBy);
      tasks += runOverBy.length * Math.ceil(length / elementsPerTask);
      elements = Math.max(elements, length);
    }
    return { tasks, segments, elements };
  }

  tooLong(segment: number, elements: number, what: string, limit: number): ErrorBody {
    return new SkeinError("FANOUT_TOO_LARGE", {
      segment: this.#segments[segment]!.name,
      elements,
      what,
      limit,
    }).toJSON();
  }

  #unsound(segment: number, reason: string): ErrorBody {
    return new SkeinError("FANOUT_UNSOUND", { segment: this.#segments[segment]!.name, reason }).toJSON();
  }

  #madeBy(segment: number): [number, List][] {
    return [...this.all.entries()].filter(([, list]) => list.segment === segment);
  }
}
