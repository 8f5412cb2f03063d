import type { BlobHash, JobId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Lease, LeasedItem } from "../../../shared/peer-requests.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";

const PHASES = [
  "waiting",
  "fetching",
  "ready",
  "running",
  "storing",
  "uncopied",
  "copying",
  "copyPaused",
  "unreported",
  "reporting",
] as const;
export type Phase = (typeof PHASES)[number];

/** One item of one job. */
export interface Place {
  jobId: JobId;
  item: number;
}

/** A result with what it is of, which only its worker need tell. */
export type FinishedResult = ReportedResult & { input: BlobHash; pipeline: string; basis?: BlobHash };

/** What waits to be recorded, with the lease it came from. */
export interface FinishedTask {
  lease: Lease;
  item: LeasedItem;
  result: FinishedResult;
}

export interface Task {
  readonly key: string;
  /** The newest, if the item was taken back and came again while it ran. */
  lease: Lease;
  item: LeasedItem;
  /** It came again to start from something else, while what it is now was under way: that ends first, and comes to nothing. */
  next?: Lease;
  readonly phase: Phase;
  /** From "storing" on, or from its failure. */
  result?: FinishedResult;
  retryAtMs: number;
  /** Outputs that are copied together with this one, itself included, at most. */
  groupMax: number;
}

/** What a node has in hand, by item and by phase, so that no step looks at tasks that it does not move. */
export class Tasks {
  /** In the order of the leases. */
  readonly #all = new Map<string, Task>();
  /** Each in the order in which its tasks came into the phase. */
  readonly #byPhase = new Map<Phase, Set<Task>>(PHASES.map((phase) => [phase, new Set()]));

  get size(): number {
    return this.#all.size;
  }

  values(): Iterable<Task> {
    return this.#all.values();
  }

  find({ jobId, item }: Place): Task | undefined {
    return this.#all.get(keyOf(jobId, item));
  }

  add(lease: Lease, item: LeasedItem): Task {
    const key = keyOf(lease.jobId, item.item);
    const task: Task = { key, lease, item, phase: "waiting", retryAtMs: 0, groupMax: LIMITS.resultsPerEntryMax };
    this.#all.set(key, task);
    this.#byPhase.get("waiting")!.add(task);
    return task;
  }

  move(task: Task, to: Phase): void {
    this.#byPhase.get(task.phase)!.delete(task);
    (task as { phase: Phase }).phase = to;
    this.#byPhase.get(to)!.add(task);
  }

  drop(task: Task): void {
    this.#all.delete(task.key);
    this.#byPhase.get(task.phase)!.delete(task);
  }

  count(phase: Phase): number {
    return this.#byPhase.get(phase)!.size;
  }

  /** The first in a phase that fit, at most `max`. */
  first(phase: Phase, max: number, fits: (task: Task) => boolean = () => true): Task[] {
    const found: Task[] = [];
    if (max <= 0) return found;
    for (const task of this.#byPhase.get(phase)!) {
      if (!fits(task)) continue;
      found.push(task);
      if (found.length >= max) break;
    }
    return found;
  }
}

const keyOf = (jobId: JobId, item: number): string => `${jobId} ${item}`;
