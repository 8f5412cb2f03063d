import type { JobInput, RecordedResult, StageTask } from "../../../shared/job.ts";
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

/** A task that there is, by where it stands and by what it is of. */
interface KnownTask {
  segment: number;
  place: number;
  item: number;
  slice: number;
}

/** How far a job in several segments is, as it is recorded or as it is expected to be. */
export type TaskView = Pick<Tasks, "job" | "slicesOf" | "isWhole" | "isInStep" | "elementsOf" | "recordOf"> & {
  /** Undefined where there is none. */
  resultOf(segment: number, item: number, slice: number): Pick<RecordedResult, "output" | "outputBytes"> | undefined;
};

/** Of any text that stands in a lease. */
const NAME_UNITS_MAX = 255;

/**
 * The tasks of a job in several segments, found by item and slice, and what is recorded of them. Those of the last segment are
 * the job's items; the others get their places when they are opened first, and keep them.
 */
export class Tasks {
  readonly job: JobRecord;
  readonly stages: readonly GrowingJob[];
  readonly lists: Lists;
  readonly #segments: readonly FormSegment[];
  /** By item, by segment. */
  readonly #cells: Cell[][] = [];
  #overLists = 0;

  constructor(job: JobRecord, stages: readonly GrowingJob[]) {
    this.job = job;
    this.stages = stages;
    this.#segments = job.form!.segments;
    this.lists = new Lists(this.#segments);
    for (const [segment, stage] of stages.entries()) this.#takeUp(segment, stage);
    for (const list of this.lists.all.keys()) this.#takeUpLengths(list);
  }

  /** Of segments that run over lists. */
  get overLists(): number {
    return this.#overLists;
  }

  /** The job of a segment: a stage job, or for the last one the job itself. */
  recordOf(segment: number): JobRecord {
    return this.stages[segment] ?? this.job;
  }

  /** Undefined where there is no such place. */
  taskAt(segment: number, place: number): { item: number; slice: number } | undefined {
    const { over } = this.#segments[segment]!;
    if (segment === this.stages.length) return this.job.inputs[place] && { item: place, slice: 0 };
    const task = this.stages[segment]!.tasks[place];
    return task && { item: task.item, slice: over ? task.slice!.from / over.elementsPerTask : 0 };
  }

  /** Not recorded, of use, and all that it starts from is there. */
  isReady(segment: number, item: number, slice: number): boolean {
    return readyIn(this, segment, item, slice);
  }

  /** Places in the job of a segment, ascending. */
  readyPlaces(segment: number): number[] {
    const isReadyAt = (place: number): boolean => {
      const { item, slice } = this.taskAt(segment, place)!;
      return this.isReady(segment, item, slice);
    };
    return [...this.recordOf(segment).inputs.keys()].filter(isReadyAt);
  }

  /** As far as it is recorded. */
  resultOf(segment: number, item: number, slice: number): RecordedResult | undefined {
    if (segment === this.stages.length) return this.job.results[item];
    const place = this.#cell(segment, item).places[slice];
    return place === undefined ? undefined : this.stages[segment]!.results[place];
  }

  /** Slices that a segment has for an item; undefined until the length of its list is known. */
  slicesOf(segment: number, item: number): number | undefined {
    return this.lists.slicesOf(segment, item);
  }

  /** Of the list that the segment runs over, if it does. */
  elementsOf(segment: number, item: number, slice: number): { from: number; to: number } | undefined {
    return this.#segments[segment]!.over && this.lists.sliceOf(segment, item, slice);
  }

  /** Every task of the segment is recorded for this item. */
  isWhole(segment: number, item: number): boolean {
    return this.slicesOf(segment, item) === this.#cell(segment, item).recorded;
  }

  recordedOf(segment: number, item: number): number {
    return this.#cell(segment, item).recorded;
  }

  /** Both run over the same slices of one list. */
  isInStep(one: number, other: number): boolean {
    return this.lists.isInStep(one, other);
  }

  /** Whether nothing of this item is of any use any more. */
  hasEnded(item: number): boolean {
    return this.job.results[item] !== undefined;
  }

  placeOf(segment: number, item: number, slice: number): number | undefined {
    return this.#cell(segment, item).places[slice];
  }

  /** In the order of the slices. */
  placesOf(segment: number, item: number): number[] {
    return this.#cell(segment, item).places.filter((place) => place !== undefined);
  }

  /** Gives it the next place. */
  add(segment: number, item: number, slice: number): number {
    const stage = this.stages[segment]!;
    const { over } = this.#segments[segment]!;
    const input = this.job.inputs[item]!;
    const { places } = this.#cell(segment, item);
    places[slice] = stage.inputs.length;
    stage.results.push(undefined);
    if (over) {
      this.#overLists++;
      const elements = this.lists.sliceOf(segment, item, slice);
      stage.tasks.push({ item, slice: elements });
      stage.inputs.push({ ...input, name: nameOf(input.name, elements) });
    } else {
      stage.tasks.push({ item });
      stage.inputs.push(input);
    }
    return places[slice];
  }

  /** So many more of them are recorded, or fewer. */
  count(segment: number, item: number, more: number): void {
    this.#cell(segment, item).recorded += more;
  }

  /** The item has ended: nobody asks for its tasks by slices any more. */
  forget(item: number): void {
    delete this.#cells[item];
  }

  /** Whether a task of those segments is there for this item. */
  isRunOver({ runOverBy }: { runOverBy: readonly number[] }, item: number): boolean {
    return runOverBy.some((segment) => this.#cell(segment, item).places.length > 0);
  }

  /** Of an item, and of segments that come after this one. */
  readyBehind(segment: number, item: number): KnownTask[] {
    const behind = [...this.#segments.keys()].slice(segment + 1);
    return behind.flatMap((at) =>
      [...this.#cell(at, item).places.entries()].flatMap(([slice, place]) =>
        place !== undefined && this.isReady(at, item, slice) ? [{ segment: at, place, item, slice }] : [],
      ),
    );
  }

  #cell(segment: number, item: number): Cell {
    this.#cells[item] ??= [];
    const cells = this.#cells[item];
    cells[segment] ??= { places: segment === this.stages.length ? [item] : [], recorded: 0 };
    return cells[segment];
  }

  /** Of a snapshot. */
  #takeUp(segment: number, stage: GrowingJob): void {
    const { over } = this.#segments[segment]!;
    if (over) this.#overLists += stage.tasks.length;
    for (let place = 0; place < stage.tasks.length; place++) {
      const { item, slice } = this.taskAt(segment, place)!;
      const cell = this.#cell(segment, item);
      cell.places[slice] = place;
      if (stage.results[place]) cell.recorded++;
    }
  }

  /** Where what made a list is lost, its length is that of what runs over it: the first to do so began with all of it. */
  #takeUpLengths(at: number): void {
    const list = this.lists.all[at]!;
    for (const item of this.job.inputs.keys()) {
      const made = this.resultOf(list.segment, item, 0);
      if (made) this.lists.know(at, item, made.elements?.[list.list] ?? 0);
      else if (this.isRunOver(list, item)) this.lists.know(at, item, this.#lengthRunOver(list.runOverBy, item));
    }
  }

  #lengthRunOver(runOverBy: readonly number[], item: number): number {
    const ends = runOverBy.flatMap((segment) =>
      this.#cell(segment, item).places.map((place) => this.stages[segment]!.tasks[place]!.slice!.to),
    );
    return ends.reduce((most, end) => Math.max(most, end), 0);
  }
}

/** As `Tasks.isReady`. */
export function readyIn(view: TaskView, segment: number, item: number, slice: number): boolean {
  const slices = view.slicesOf(segment, item);
  if (view.job.results[item] || slices === undefined || slice >= slices) return false;
  if (view.resultOf(segment, item, slice)) return false;
  return view.job.form!.segments[segment]!.after.every((before) => {
    if (before === -1) return true;
    if (view.isInStep(before, segment)) return view.resultOf(before, item, slice) !== undefined;
    return view.isWhole(before, item);
  });
}

/** The item's, as far as there is room for it, and the elements. */
export function nameOf(item: string, { from, to }: { from: number; to: number }): string {
  const elements = ` ${from}-${to - 1}`;
  const letters = [...item];
  while (letters.join("").length + elements.length > NAME_UNITS_MAX) letters.pop();
  return letters.join("") + elements;
}
