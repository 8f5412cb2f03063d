import type { ErrorBody } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { FormSegment } from "../../../shared/pipeline/compiled.ts";
import type { JobRecord } from "./job.ts";
import { type GrowingJob, Tasks } from "./tasks.ts";

/** What became of tasks by one entry: true for one that may be leased now, false for one that may not. */
export type TaskChanges = Map<JobRecord, Map<number, boolean>>;

/**
 * Which tasks of a job in several segments there are, and which of them may be leased: all that follows from its form and
 * from what is recorded, so that it can be made anew from a snapshot. Nothing waits for another item, and where two segments
 * run over one list nothing waits for another slice. A slice or an item that failed in a segment that may leave gaps counts
 * as recorded. A task whose item has ended is of no use any more; it stays where it is.
 */
export class Staging {
  readonly job: JobRecord;
  readonly stages: readonly GrowingJob[];
  readonly tasks: Tasks;
  readonly #segments: readonly FormSegment[];
  /** By segment: those that wait for it. */
  readonly #followers: readonly number[][];
  /** Tasks of segments over lists that there may be. */
  readonly #fanOutMax: number;

  constructor(job: JobRecord, stages: readonly GrowingJob[]) {
    this.job = job;
    this.stages = stages;
    this.#segments = job.form!.segments;
    this.tasks = new Tasks(job, stages);
    this.#followers = this.#segments.map((_, place) => {
      const waits = ({ after, over }: FormSegment): boolean => after.includes(place) || over?.segment === place;
      return [...this.#segments.keys()].filter((other) => waits(this.#segments[other]!));
    });
    this.#fanOutMax = LIMITS.jobTasksMax - plainTasks(job, this.#segments);
  }

  /** Segments that wait for this one. */
  followersOf(segment: number): readonly number[] {
    return this.#followers[segment]!;
  }

  /** Opens all that starts from the items themselves. */
  begin(changes: TaskChanges): void {
    for (const [segment, { after }] of this.#segments.entries())
      if (after.at(-1) === -1) for (const item of this.job.inputs.keys()) this.#openAll(segment, item, changes);
  }

  /** A place was filled. What it opens is told; or why its item cannot go on, which then has to be recorded for the job. */
  recorded(segment: number, place: number, changes: TaskChanges): ErrorBody | undefined {
    const { item, slice } = this.tasks.taskAt(segment, place)!;
    if (segment === this.stages.length) return this.ended(item, changes);
    this.tasks.count(segment, item, 1);
    const result = this.tasks.resultOf(segment, item, slice)!;
    if (result.error && this.#segments[segment]!.onError === "fail")
      return failedIn(this.#segments[segment]!, result.error);
    const fault = this.tasks.lists.learn(segment, item, result) ?? this.#crowded(segment, item);
    if (fault) return fault;
    return this.#advance(segment, item, slice, changes);
  }

  /** An item is recorded for the job: whatever else of it is open is of no use. */
  ended(item: number, changes: TaskChanges): undefined {
    for (const [segment, stage] of this.stages.entries())
      for (const place of this.tasks.placesOf(segment, item))
        if (!stage.results[place]) tell(changes, stage, place, false);
    tell(changes, this.job, item, false);
    this.tasks.forget(item);
  }

  /** Whether a place is recorded with an output that something of its item still starts from. */
  isNeeded(segment: number, place: number): boolean {
    const task = this.tasks.taskAt(segment, place);
    if (!task || !this.stages[segment]?.results[place]?.output || this.job.results[task.item]) return false;
    const { item, slice } = task;
    const waits = (follower: number): boolean => {
      if (!this.#segments[follower]!.after.includes(segment)) return false;
      if (this.tasks.isInStep(segment, follower)) return !this.tasks.resultOf(follower, item, slice);
      return !this.tasks.isWhole(follower, item);
    };
    return this.#followers[segment]!.some(waits);
  }

  /** Takes what is recorded in these places back; each is needed. They are open again, and what has to wait for them is told. */
  lost(segment: number, places: readonly number[], changes: TaskChanges): void {
    const stage = this.stages[segment]!;
    const items = new Set(places.map((place) => stage.tasks[place]!.item));
    const before = [...items].flatMap((item) => this.tasks.readyBehind(segment, item));
    for (const place of places) {
      stage.results[place] = undefined;
      stage.recordedCount--;
      stage.runsAgain++;
      this.tasks.count(segment, stage.tasks[place]!.item, -1);
    }
    for (const [at, list] of this.tasks.lists.all.entries())
      for (const item of list.segment === segment ? items : [])
        if (!this.tasks.isRunOver(list, item)) this.tasks.lists.know(at, item, undefined);
    for (const { segment: at, place, item, slice } of before)
      if (!this.tasks.isReady(at, item, slice)) tell(changes, this.tasks.recordOf(at), place, false);
    for (const place of places) {
      const { item, slice } = this.tasks.taskAt(segment, place)!;
      if (this.tasks.isReady(segment, item, slice)) tell(changes, stage, place, true);
    }
  }

  /** What a follower can begin with, now that this slice is recorded; or now that there is nothing to record. */
  #advance(
    segment: number,
    item: number,
    slice: number | undefined,
    changes: TaskChanges,
    seen: Set<number> = new Set(),
  ): ErrorBody | undefined {
    const isWhole = this.tasks.isWhole(segment, item);
    for (const follower of this.#followers[segment]!) {
      const isSliced = slice !== undefined && this.tasks.isInStep(segment, follower);
      if (!isSliced && !isWhole) continue;
      const fault = isSliced
        ? this.#open(follower, item, slice, slice + 1, changes)
        : this.#openAll(follower, item, changes, seen);
      if (fault) return fault;
    }
    return undefined;
  }

  #openAll(segment: number, item: number, changes: TaskChanges, seen: Set<number> = new Set()): ErrorBody | undefined {
    const slices = this.tasks.slicesOf(segment, item);
    if (slices !== 0) return this.#open(segment, item, 0, slices ?? 0, changes);
    // Of an empty list there is nothing to be done, so what waits for it need not wait.
    if (seen.has(segment)) return undefined;
    seen.add(segment);
    return this.#advance(segment, item, undefined, changes, seen);
  }

  #open(segment: number, item: number, from: number, to: number, changes: TaskChanges): ErrorBody | undefined {
    const { over } = this.#segments[segment]!;
    for (let slice = from; slice < to; slice++) {
      if (!this.tasks.isReady(segment, item, slice)) continue;
      const known = this.tasks.placeOf(segment, item, slice);
      if (known === undefined && over && this.tasks.overLists >= this.#fanOutMax)
        return this.#tooMany(over.segment, item);
      tell(changes, this.tasks.recordOf(segment), known ?? this.tasks.add(segment, item, slice), true);
    }
    return undefined;
  }

  /** Told before the first of them is begun. */
  #crowded(maker: number, item: number): ErrorBody | undefined {
    const { tasks, segments } = this.tasks.lists.tasksBehind(maker, item);
    const there = segments.reduce((sum, segment) => sum + this.tasks.placesOf(segment, item).length, 0);
    return this.tasks.overLists + tasks - there > this.#fanOutMax ? this.#tooMany(maker, item) : undefined;
  }

  #tooMany(maker: number, item: number): ErrorBody {
    const { elements } = this.tasks.lists.tasksBehind(maker, item);
    const what = "with all else that is to be done, the most tasks that a job may have for its lists";
    return this.tasks.lists.tooLong(maker, elements, what, this.#fanOutMax);
  }
}

/** Tasks of all segments that run once per item, but for the last one, whose tasks are the items. */
export const plainTasks = (job: JobRecord, segments: readonly FormSegment[]): number =>
  job.inputs.length * segments.slice(0, -1).filter(({ over }) => !over).length;

/** Says where it was. */
function failedIn({ name }: FormSegment, { code, message, facts }: ErrorBody): ErrorBody {
  const placed = { ...facts, segment: name };
  const isShort = JSON.stringify(placed).length <= LIMITS.errorFactsBytesMax;
  // What its node signed goes by the code that it reported.
  const { reported } = facts;
  return { code, message, facts: isShort ? placed : { segment: name, ...(reported !== undefined && { reported }) } };
}

function tell(changes: TaskChanges, job: JobRecord, place: number, mayBeLeased: boolean): void {
  const known = changes.get(job) ?? new Map<number, boolean>();
  changes.set(job, known.set(place, mayBeLeased));
}
