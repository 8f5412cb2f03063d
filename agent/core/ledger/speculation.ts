import { invariant } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import type { LeasedItem } from "../../../shared/peer-requests.ts";
import { isSameStart } from "../../../shared/task-start.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";
import type { JobRecord } from "./job.ts";
import type { Ledger } from "./ledger.ts";
import { taskFrom, taskOf } from "./stages.ts";
import type { Staging } from "./staging.ts";
import { nameOf, readyIn, type Tasks, type TaskView } from "./tasks.ts";

/** Tasks of one job. */
export interface SomeTasks {
  jobId: JobId;
  items: number[];
}

/** A result on its way into the log, and the tasks that it is expected to open. */
interface Coming {
  result: ReportedResult;
  segment: number;
  item: number;
  slice: number;
  /** With it the item ends, and nothing more of it will be opened. */
  ends: boolean;
  opens: ExpectedTask[];
}

interface ExpectedTask {
  jobId: JobId;
  place: number;
  segment: number;
  item: number;
  slice: number;
  /** It has no place yet but the one that is foretold. */
  isNew: boolean;
  leased: LeasedItem;
}

/**
 * Which tasks will be open, and from what, once results are recorded that are on their way into the log: so that they can be
 * leased while the disks are at work. Nothing of it is agreed. What makes it come true: results are recorded in the order in
 * which they were expected, one entry after the other, so tasks get the places that are foretold here. What may come between
 * (a job that ends, a result that is lost, or that another node had first) makes some of it wrong: each task is compared with
 * what the ledger opened before any result of it may be recorded. It dies with its leader's term.
 */
export class Speculation {
  readonly #ledger: Ledger;
  /** By the job that was submitted. */
  readonly #parts = new Map<JobId, ComingPart>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The result will be the next to be recorded of all that were expected. What may be leased ahead of that. */
  expect(result: ReportedResult): SomeTasks[] {
    const job = this.#ledger.jobs.get(result.jobId);
    const found = job && this.#ledger.stagingOf(job);
    if (!found) return [];
    const { staging, segment } = found;
    const root = staging.job.jobId;
    const part = this.#parts.get(root) ?? new ComingPart(staging);
    this.#parts.set(root, part);
    const opened = part.expect(result, segment).map(({ jobId, place }) => ({ jobId, items: [place] }));
    this.#tidy(root, part);
    return opened;
  }

  /** As it is to be leased; undefined for a task that is open, or that nobody expects. */
  taskAt(jobId: JobId, place: number): LeasedItem | undefined {
    return this.#partOf(jobId)?.tasksAt.get(keyOf(jobId, place))?.leased;
  }

  /** Of results that are on their way. */
  holdersOf(jobId: JobId, blob: BlobHash): readonly NodeId[] {
    for (const { result } of this.#partOf(jobId)?.results.values() ?? [])
      if (result.output === blob) return result.holders;
    return [];
  }

  /** They are recorded, so that the ledger tells of them itself. */
  recorded({ jobId }: JobRecord, places: readonly number[]): void {
    for (const place of places) this.#partOf(jobId)?.recorded(jobId, place);
  }

  /** The ledger opened these tasks. Those that were expected: as it opened them, or in vain. */
  opened(job: JobRecord, places: readonly number[]): { agreed: LeasedItem[]; vain: number[] } {
    const part = this.#partOf(job.jobId);
    const expected = places.flatMap((place) => part?.takeTask(job.jobId, place)?.leased ?? []);
    const isAgreed = (leased: LeasedItem): boolean => isSameStart(leased, taskOf(this.#ledger, job, leased.item)!);
    const vain = expected.filter((leased) => !isAgreed(leased)).map(({ item }) => item);
    return { agreed: expected.filter(isAgreed), vain };
  }

  /** It is recorded, or will not be now: what it was expected to open and did not will not come. Those tasks. */
  settled({ jobId, item }: ReportedResult): SomeTasks[] {
    const root = this.#rootOf(jobId);
    const part = this.#parts.get(root);
    if (!part) return [];
    const vain = part.settle(jobId, item).map((task) => ({ jobId: task.jobId, items: [task.place] }));
    this.#tidy(root, part);
    return vain;
  }

  /** The job has ended. */
  forget(jobId: JobId): void {
    this.#parts.delete(jobId);
  }

  #rootOf(jobId: JobId): JobId {
    return this.#ledger.jobs.get(jobId)?.parent?.jobId ?? jobId;
  }

  #partOf(jobId: JobId): ComingPart | undefined {
    return this.#parts.get(this.#rootOf(jobId));
  }

  #tidy(root: JobId, { results, settling, tasksAt }: ComingPart): void {
    if (results.size === 0 && settling.size === 0 && tasksAt.size === 0) this.#parts.delete(root);
  }
}

/** The tasks of one job in several segments as they will be. */
class ComingPart implements TaskView {
  readonly job: JobRecord;
  readonly #tasks: Tasks;
  readonly #staging: Staging;
  /** Not recorded yet, by segment, item and slice. */
  readonly results = new Map<string, Coming>();
  /** Not settled yet, by stage job and place. */
  readonly settling = new Map<string, Coming>();
  /** Items that end with one of those. */
  readonly #ending = new Set<number>();
  /** By stage job and place. */
  readonly tasksAt = new Map<string, ExpectedTask>();
  /** By segment: how many of `tasksAt` that have no place yet. */
  readonly #newTasks = new Map<number, number>();
  /** By segment and item: how many of `results`. */
  readonly #counts = new Map<string, number>();

  constructor(staging: Staging) {
    this.#staging = staging;
    this.job = staging.job;
    this.#tasks = staging.tasks;
  }

  expect(result: ReportedResult, segment: number): ExpectedTask[] {
    const placeKey = keyOf(result.jobId, result.item);
    const known = this.tasksAt.get(placeKey) ?? this.#tasks.taskAt(segment, result.item);
    if (!known || this.settling.has(placeKey) || this.#ending.has(known.item)) return [];
    const { item, slice } = known;
    if (this.job.results[item] || this.resultOf(segment, item, slice)) return [];
    const isLast = segment === this.#staging.stages.length;
    const ends = isLast || (result.error !== undefined && this.job.form!.segments[segment]!.onError === "fail");
    const coming: Coming = { result, segment, item, slice, ends, opens: [] };
    this.settling.set(placeKey, coming);
    if (ends) this.#ending.add(item);
    if (ends) return [];
    this.results.set(resultKey(segment, item, slice), coming);
    this.#count(segment, item, 1);
    for (const follower of this.#staging.followersOf(segment)) coming.opens.push(...this.#open(follower, coming));
    return coming.opens;
  }

  recorded(jobId: JobId, place: number): void {
    const coming = this.settling.get(keyOf(jobId, place));
    if (coming) this.#take(coming);
  }

  settle(jobId: JobId, place: number): ExpectedTask[] {
    const coming = this.settling.get(keyOf(jobId, place));
    if (!coming) return [];
    this.settling.delete(keyOf(jobId, place));
    if (coming.ends) this.#ending.delete(coming.item);
    this.#take(coming);
    const vain = coming.opens.filter((task) => this.tasksAt.get(keyOf(task.jobId, task.place)) === task);
    for (const task of vain) this.takeTask(task.jobId, task.place);
    return vain;
  }

  takeTask(jobId: JobId, place: number): ExpectedTask | undefined {
    const key = keyOf(jobId, place);
    const task = this.tasksAt.get(key);
    this.tasksAt.delete(key);
    if (task?.isNew) this.#newTasks.set(task.segment, this.#newTasks.get(task.segment)! - 1);
    return task;
  }

  resultOf(segment: number, item: number, slice: number): Pick<RecordedResult, "output" | "outputBytes"> | undefined {
    return this.#tasks.resultOf(segment, item, slice) ?? this.results.get(resultKey(segment, item, slice))?.result;
  }

  isWhole(segment: number, item: number): boolean {
    const coming = this.#counts.get(countKey(segment, item)) ?? 0;
    return this.slicesOf(segment, item) === this.#tasks.recordedOf(segment, item) + coming;
  }

  slicesOf(segment: number, item: number): number | undefined {
    return this.#tasks.slicesOf(segment, item);
  }

  isInStep(one: number, other: number): boolean {
    return this.#tasks.isInStep(one, other);
  }

  elementsOf(segment: number, item: number, slice: number): { from: number; to: number } | undefined {
    return this.#tasks.elementsOf(segment, item, slice);
  }

  recordOf(segment: number): JobRecord {
    return this.#tasks.recordOf(segment);
  }

  /** As Staging opens it, but for lists of which the length is not recorded, and for empty ones: those are opened when they are. */
  #open(segment: number, { segment: from, item, slice }: Coming): ExpectedTask[] {
    const isSliced = this.isInStep(from, segment);
    if (!isSliced && !this.isWhole(from, item)) return [];
    const slices = isSliced ? [slice] : [...Array(this.slicesOf(segment, item) ?? 0).keys()];
    const opened: ExpectedTask[] = [];
    for (const at of slices) {
      if (!readyIn(this, segment, item, at)) continue;
      const { jobId } = this.recordOf(segment);
      const known = this.#tasks.placeOf(segment, item, at);
      // Each that is expected before it takes one place, whether or not the one that was foretold.
      const place = known ?? this.recordOf(segment).inputs.length + (this.#newTasks.get(segment) ?? 0);
      if (this.tasksAt.has(keyOf(jobId, place))) continue;
      const input = this.job.inputs[item]!;
      const elements = this.elementsOf(segment, item, at);
      const name = elements ? nameOf(input.name, elements) : input.name;
      const leased = taskFrom(this, segment, { ...input, name }, { place, item, slice: at });
      const task: ExpectedTask = { jobId, place, segment, item, slice: at, isNew: known === undefined, leased };
      if (task.isNew) this.#newTasks.set(segment, (this.#newTasks.get(segment) ?? 0) + 1);
      this.tasksAt.set(keyOf(jobId, place), task);
      opened.push(task);
    }
    return opened;
  }

  #take({ segment, item, slice }: Coming): void {
    if (this.results.delete(resultKey(segment, item, slice))) this.#count(segment, item, -1);
  }

  #count(segment: number, item: number, more: number): void {
    const key = countKey(segment, item);
    const count = (this.#counts.get(key) ?? 0) + more;
    invariant(count >= 0, "what is counted out was counted in");
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}

const keyOf = (jobId: JobId, place: number): string => `${jobId} ${place}`;
const resultKey = (segment: number, item: number, slice: number): string => `${segment} ${item} ${slice}`;
const countKey = (segment: number, item: number): string => `${segment} ${item}`;
