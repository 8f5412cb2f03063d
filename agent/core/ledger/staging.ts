import type { ErrorBody } from "../../../shared/errors.ts";
import type { JobInput, RecordedResult, StageTask } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { FormSegment } from "../../../shared/pipeline/compiled.ts";
import type { JobRecord } from "./job.ts";
import { Lists } from "./lists.ts";

/** A stage job: its places come one after the other. */
export type GrowingJob = JobRecord & {
  readonly inputs: JobInput[];
  readonly tasks: StageTask[];
  readonly results: (RecordedResult | undefined)[];
};

/** The tasks of one segment for one item: their places in the job of the segment, by slice, and how many are recorded. */
interface Cell {
  places: number[];
  recorded: number;
}

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
  readonly #segments: readonly FormSegment[];
  readonly #lists: Lists;
  /** By segment: those that wait for it. */
  readonly #followers: readonly number[][];
  /** By item, by segment. */
  readonly #cells: Cell[][] = [];
  /** Tasks of segments over lists that there may be. */
  readonly #fanOutMax: number;
  #fanOut = 0;

  constructor(job: JobRecord, stages: readonly GrowingJob[]) {
    this.job = job;
    this.stages = stages;
    this.#segments = job.form!.segments;
    this.#lists = new Lists(this.#segments);
    this.#followers = this.#segments.map((_, place) => {
      const waits = ({ after, over }: FormSegment): boolean => after.includes(place) || over?.segment === place;
      return [...this.#segments.keys()].filter((other) => waits(this.#segments[other]!));
    });
    this.#fanOutMax = LIMITS.jobTasksMax - plainTasks(job, this.#segments);
    for (const [segment, stage] of stages.entries()) this.#takeUp(segment, stage);
    for (const list of this.#lists.all.keys()) this.#takeUpLengths(list);
  }

  /** Opens all that starts from the items themselves. */
  begin(changes: TaskChanges): void {
    for (const [segment, { after }] of this.#segments.entries())
      if (after.at(-1) === -1) for (const item of this.job.inputs.keys()) this.#openAll(segment, item, changes);
  }

  /** The job of a segment: a stage job, or for the last one the job itself. */
  recordOf(segment: number): JobRecord {
    return this.stages[segment] ?? this.job;
  }

  taskAt(segment: number, place: number): { item: number; slice: number } | undefined {
    const { over } = this.#segments[segment]!;
    if (segment === this.stages.length) return this.job.inputs[place] && { item: place, slice: 0 };
    const task = this.stages[segment]!.tasks[place];
    return task && { item: task.item, slice: over ? task.slice!.from / over.elementsPerTask : 0 };
  }

  /** Not recorded, of use, and all that it starts from is there. */
  isReady(segment: number, item: number, slice: number): boolean {
    const slices = this.slicesOf(segment, item);
    if (this.job.results[item] || slices === undefined || slice >= slices) return false;
    if (this.resultOf(segment, item, slice)) return false;
    return this.#segments[segment]!.after.every((before) => {
      if (before === -1) return true;
      if (this.isInStep(before, segment)) return this.resultOf(before, item, slice) !== undefined;
      return this.isWhole(before, item);
    });
  }

  /** Places in the job of a segment, ascending. */
  readyPlaces(segment: number): number[] {
    const isReadyAt = (place: number): boolean => {
      const { item, slice } = this.taskAt(segment, place)!;
      return this.isReady(segment, item, slice);
    };
    return [...this.recordOf(segment).inputs.keys()].filter(isReadyAt);
  }

  resultOf(segment: number, item: number, slice: number): RecordedResult | undefined {
    if (segment === this.stages.length) return this.job.results[item];
    const place = this.#cell(segment, item).places[slice];
    return place === undefined ? undefined : this.stages[segment]!.results[place];
  }

  /** Slices that a segment has for an item; undefined until the length of its list is known. */
  slicesOf(segment: number, item: number): number | undefined {
    return this.#lists.slicesOf(segment, item);
  }

  /** Of the list that the segment runs over, if it does. */
  elementsOf(segment: number, item: number, slice: number): { from: number; to: number } | undefined {
    return this.#segments[segment]!.over && this.#lists.sliceOf(segment, item, slice);
  }

  /** Every task of the segment is recorded for this item. */
  isWhole(segment: number, item: number): boolean {
    return this.slicesOf(segment, item) === this.#cell(segment, item).recorded;
  }

  /** Both run over the same slices of one list. */
  isInStep(one: number, other: number): boolean {
    return this.#lists.isInStep(one, other);
  }

  /** A place was filled. What it opens is told; or why its item cannot go on, which then has to be recorded for the job. */
  recorded(segment: number, place: number, changes: TaskChanges): ErrorBody | undefined {
    const { item, slice } = this.taskAt(segment, place)!;
    if (segment === this.stages.length) return this.ended(item, changes);
    this.#cell(segment, item).recorded++;
    const result = this.resultOf(segment, item, slice)!;
    if (result.error && this.#segments[segment]!.onError === "fail")
      return failedIn(this.#segments[segment]!, result.error);
    const fault = this.#lists.learn(segment, item, result) ?? this.#crowded(segment, item);
    if (fault) return fault;
    return this.#advance(segment, item, slice, changes);
  }

  /** An item is recorded for the job: whatever else of it is open is of no use. */
  ended(item: number, changes: TaskChanges): undefined {
    for (const [segment, stage] of this.stages.entries())
      for (const place of this.#cell(segment, item).places)
        if (place !== undefined && !stage.results[place]) tell(changes, stage, place, false);
    tell(changes, this.job, item, false);
    delete this.#cells[item];
  }

  /** Whether nothing of this item is of any use any more. */
  hasEnded(item: number): boolean {
    return this.job.results[item] !== undefined;
  }

  /** Whether a place is recorded with an output that something of its item still starts from. */
  isNeeded(segment: number, place: number): boolean {
    const task = this.taskAt(segment, place);
    if (!task || !this.stages[segment]?.results[place]?.output || this.job.results[task.item]) return false;
    const { item, slice } = task;
    const waits = (follower: number): boolean => {
      if (!this.#segments[follower]!.after.includes(segment)) return false;
      if (this.isInStep(segment, follower)) return !this.resultOf(follower, item, slice);
      return !this.isWhole(follower, item);
    };
    return this.#followers[segment]!.some(waits);
  }

  /** Takes what is recorded in these places back; each is needed. They are open again, and what has to wait for them is told. */
  lost(segment: number, places: readonly number[], changes: TaskChanges): void {
    const stage = this.stages[segment]!;
    const items = new Set(places.map((place) => stage.tasks[place]!.item));
    const before = [...items].flatMap((item) => this.#readyBehind(segment, item));
    for (const place of places) {
      stage.results[place] = undefined;
      stage.recordedCount--;
      stage.runsAgain++;
      this.#cell(segment, stage.tasks[place]!.item).recorded--;
    }
    for (const [at, list] of this.#lists.all.entries())
      for (const item of list.segment === segment ? items : [])
        if (!this.#isRunOver(list, item)) this.#lists.know(at, item, undefined);
    for (const { at, place, item, slice } of before)
      if (!this.isReady(at, item, slice)) tell(changes, this.recordOf(at), place, false);
    for (const place of places) {
      const { item, slice } = this.taskAt(segment, place)!;
      if (this.isReady(segment, item, slice)) tell(changes, stage, place, true);
    }
  }

  #readyBehind(segment: number, item: number): { at: number; place: number; item: number; slice: number }[] {
    const behind = [...this.#segments.keys()].slice(segment + 1);
    return behind.flatMap((at) =>
      [...this.#cell(at, item).places.entries()].flatMap(([slice, place]) =>
        place !== undefined && this.isReady(at, item, slice) ? [{ at, place, item, slice }] : [],
      ),
    );
  }

  #cell(segment: number, item: number): Cell {
    this.#cells[item] ??= [];
    const cells = this.#cells[item];
    cells[segment] ??= { places: segment === this.stages.length ? [item] : [], recorded: 0 };
    return cells[segment];
  }

  /** What a follower can begin with, now that this slice is recorded; or now that there is nothing to record. */
  #advance(
    segment: number,
    item: number,
    slice: number | undefined,
    changes: TaskChanges,
    seen: Set<number> = new Set(),
  ): ErrorBody | undefined {
    const isWhole = this.isWhole(segment, item);
    for (const follower of this.#followers[segment]!) {
      const isSliced = slice !== undefined && this.isInStep(segment, follower);
      if (!isSliced && !isWhole) continue;
      const fault = isSliced
        ? this.#open(follower, item, slice, slice + 1, changes)
        : this.#openAll(follower, item, changes, seen);
      if (fault) return fault;
    }
    return undefined;
  }

  #openAll(segment: number, item: number, changes: TaskChanges, seen: Set<number> = new Set()): ErrorBody | undefined {
    const slices = this.slicesOf(segment, item);
    if (slices !== 0) return this.#open(segment, item, 0, slices ?? 0, changes);
    // Of an empty list there is nothing to be done, so what waits for it need not wait.
    if (seen.has(segment)) return undefined;
    seen.add(segment);
    return this.#advance(segment, item, undefined, changes, seen);
  }

  #open(segment: number, item: number, from: number, to: number, changes: TaskChanges): ErrorBody | undefined {
    const { places } = this.#cell(segment, item);
    const { over } = this.#segments[segment]!;
    for (let slice = from; slice < to; slice++) {
      if (!this.isReady(segment, item, slice)) continue;
      if (places[slice] === undefined) {
        if (over && this.#fanOut >= this.#fanOutMax) return this.#tooMany(over.segment, item);
        places[slice] = this.#place(segment, item, slice);
      }
      tell(changes, this.recordOf(segment), places[slice]!, true);
    }
    return undefined;
  }

  #place(segment: number, item: number, slice: number): number {
    const stage = this.stages[segment]!;
    const { over } = this.#segments[segment]!;
    const input = this.job.inputs[item]!;
    if (!over) return append(stage, { item }, input);
    this.#fanOut++;
    const elements = this.#lists.sliceOf(segment, item, slice);
    const name = `${input.name} ${elements.from}-${elements.to - 1}`;
    return append(stage, { item, slice: elements }, { ...input, name });
  }

  /** Told before the first of them is begun. */
  #crowded(maker: number, item: number): ErrorBody | undefined {
    const { tasks, segments } = this.#lists.tasksBehind(maker, item);
    const there = segments.reduce((sum, segment) => sum + countOf(this.#cell(segment, item).places), 0);
    return this.#fanOut + tasks - there > this.#fanOutMax ? this.#tooMany(maker, item) : undefined;
  }

  #tooMany(maker: number, item: number): ErrorBody {
    const { elements } = this.#lists.tasksBehind(maker, item);
    const what = "with all else that is to be done, the most tasks that a job may have for its lists";
    return this.#lists.tooLong(maker, elements, what, this.#fanOutMax);
  }

  #isRunOver({ runOverBy }: { runOverBy: readonly number[] }, item: number): boolean {
    return runOverBy.some((segment) => this.#cell(segment, item).places.length > 0);
  }

  /** Of a snapshot. */
  #takeUp(segment: number, stage: GrowingJob): void {
    const { over } = this.#segments[segment]!;
    if (over) this.#fanOut += stage.tasks.length;
    for (let place = 0; place < stage.tasks.length; place++) {
      const { item, slice } = this.taskAt(segment, place)!;
      const cell = this.#cell(segment, item);
      cell.places[slice] = place;
      if (stage.results[place]) cell.recorded++;
    }
  }

  /** Where what made a list is lost, its length is that of what runs over it: the first to do so began with all of it. */
  #takeUpLengths(at: number): void {
    const list = this.#lists.all[at]!;
    for (const item of this.job.inputs.keys()) {
      const made = this.resultOf(list.segment, item, 0);
      if (made) this.#lists.know(at, item, made.elements?.[list.list] ?? 0);
      else if (this.#isRunOver(list, item)) this.#lists.know(at, item, this.#lengthRunOver(list.runOverBy, item));
    }
  }

  #lengthRunOver(runOverBy: readonly number[], item: number): number {
    const ends = runOverBy.flatMap((segment) =>
      this.#cell(segment, item).places.map((place) => this.stages[segment]!.tasks[place]!.slice!.to),
    );
    return ends.reduce((most, end) => Math.max(most, end), 0);
  }
}

/** Tasks of all segments that run once per item, but for the last one, whose tasks are the items. */
export const plainTasks = (job: JobRecord, segments: readonly FormSegment[]): number =>
  job.inputs.length * segments.slice(0, -1).filter(({ over }) => !over).length;

const countOf = (places: readonly (number | undefined)[]): number =>
  places.reduce<number>((count, place) => (place === undefined ? count : count + 1), 0);

/** Says where it was. */
function failedIn({ name }: FormSegment, { code, message, facts }: ErrorBody): ErrorBody {
  const placed = { ...facts, segment: name };
  const isShort = JSON.stringify(placed).length <= LIMITS.errorFactsBytesMax;
  return { code, message, facts: isShort ? placed : { segment: name } };
}

function append(stage: GrowingJob, task: StageTask, input: JobInput): number {
  stage.tasks.push(task);
  stage.results.push(undefined);
  return stage.inputs.push(input) - 1;
}

function tell(changes: TaskChanges, job: JobRecord, place: number, mayBeLeased: boolean): void {
  const known = changes.get(job) ?? new Map<number, boolean>();
  changes.set(job, known.set(place, mayBeLeased));
}
