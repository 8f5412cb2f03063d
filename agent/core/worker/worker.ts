import { type ErrorBody, invariant } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { HeldShard, Lease, LeasedItem } from "../../../shared/peer-requests.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";

export type WorkerEvent =
  | { kind: "leased"; lease: Lease }
  | { kind: "takenBack"; shardIds: ShardId[] }
  | { kind: "inputReady"; jobId: JobId; item: number }
  | { kind: "inputFailed"; jobId: JobId; item: number; error: ErrorBody }
  | { kind: "runFinished"; jobId: JobId; item: number; output: BlobHash; outputBytes: number; durationMs: number }
  | { kind: "runFailed"; jobId: JobId; item: number; error: ErrorBody; durationMs: number }
  | { kind: "outputCopied"; jobId: JobId; item: number; holders: NodeId[] }
  | { kind: "copyFailed"; jobId: JobId; item: number }
  /** The leader answered: these are in the ledger, or no longer wanted. */
  | { kind: "resultsRecorded"; results: ReportedResult[] }
  /** There is a leader, perhaps a new one: what waits to be reported need not wait. */
  | { kind: "leaderKnown" }
  /** The report did not get through; try again, perhaps to another leader. */
  | { kind: "reportFailed"; results: ReportedResult[] }
  | { kind: "ticked" };

export type WorkerEffect =
  | { kind: "fetchInput"; jobId: JobId; item: LeasedItem; from: NodeId[] }
  | { kind: "runItem"; jobId: JobId; item: LeasedItem; pipeline: string; itemDeadlineMs?: number }
  | { kind: "copyOutput"; jobId: JobId; item: number; output: BlobHash; copies: number }
  | { kind: "reportResults"; results: ReportedResult[] };

type Phase = "waiting" | "fetching" | "ready" | "running" | "copying" | "copyPaused" | "unreported" | "reporting";

/** One item of one job. */
interface Place {
  jobId: JobId;
  item: number;
}

interface Task {
  /** The newest, if the item was taken back and came again while it ran. */
  lease: Lease;
  readonly item: LeasedItem;
  phase: Phase;
  /** From "copying" on. */
  result?: ReportedResult;
  retryAtMs: number;
}

/** Inputs fetched at once: enough to hide a round trip, few enough not to starve the one that is needed next. */
const FETCHES_MAX = 4;
/** Pause before a copy is tried again: another box has to come back first. */
const COPY_RETRY_MS = 500;
/** Pause before a report is made again: a leader has to be elected first, which takes about that long. */
const REPORT_RETRY_MS = 100;

/**
 * What this node does next about its leases: fetch the input, run, copy the output, report. Pure. Each task walks
 * waiting → fetching → ready → running → copying → unreported → reporting and is gone when the leader says it is recorded;
 * a finished result outlives the leader that leased it and is handed to the next one.
 */
export class Worker {
  readonly #self: NodeId;
  readonly #executors: number;
  /** By job and item, in the order of the leases: an item is never run twice here at a time, whoever leases it again. */
  readonly #tasks = new Map<string, Task>();
  /** The latest term of which a leader was heard. */
  #term = 0;

  constructor(self: NodeId, executors: number) {
    this.#self = self;
    this.#executors = executors;
  }

  step(event: WorkerEvent, nowMs: number, wallMs: number): WorkerEffect[] {
    this.#absorb(event, nowMs, wallMs);
    return [...this.#fetchNext(), ...this.#runNext(), ...this.#copyAgain(nowMs), ...this.#report(nowMs)];
  }

  /** A leader of this term speaks. Why it is not to be obeyed, as the end of a sentence; undefined if it is. */
  fence(term: number): string | undefined {
    if (term < this.#term) return `the leader of term ${term} was deposed: it has heard of term ${this.#term}`;
    this.#term = term;
    return undefined;
  }

  /** What a new leader needs to know, so that it does not lease these to others. */
  held(): HeldShard[] {
    const shards = new Map<ShardId, HeldShard>();
    for (const { lease, item } of this.#tasks.values()) {
      const shard = shards.get(lease.shardId) ?? { shardId: lease.shardId, jobId: lease.jobId, items: [] };
      shard.items.push(item.item);
      shards.set(lease.shardId, shard);
    }
    return [...shards.values()];
  }

  /** Items leased and not yet reported. */
  get itemsQueued(): number {
    return this.#tasks.size;
  }

  #absorb(event: WorkerEvent, nowMs: number, wallMs: number): void {
    switch (event.kind) {
      case "leased":
        for (const item of event.lease.items) {
          const key = taskKey(event.lease.jobId, item.item);
          const task = this.#tasks.get(key);
          if (task) task.lease = event.lease;
          else this.#tasks.set(key, { lease: event.lease, item, phase: "waiting", retryAtMs: 0 });
        }
        break;
      case "takenBack":
        this.#drop(event.shardIds);
        break;
      case "inputReady":
        this.#move(event, "fetching", "ready");
        break;
      case "inputFailed":
        this.#fail(event, "fetching", event.error, 0, wallMs);
        break;
      case "runFinished":
        this.#finish(event, wallMs);
        break;
      case "runFailed":
        this.#fail(event, "running", event.error, event.durationMs, wallMs);
        break;
      case "outputCopied":
        this.#markCopied(event);
        break;
      case "copyFailed":
        this.#move(event, "copying", "copyPaused");
        this.#pause(event, nowMs + COPY_RETRY_MS);
        break;
      case "resultsRecorded":
        for (const result of event.results) this.#tasks.delete(taskKey(result.jobId, result.item));
        break;
      case "reportFailed":
        for (const result of event.results) {
          this.#move(result, "reporting", "unreported");
          this.#pause(result, nowMs + REPORT_RETRY_MS);
        }
        break;
      case "leaderKnown":
        for (const task of this.#inPhase("unreported")) task.retryAtMs = nowMs;
        break;
      case "ticked":
        break;
    }
  }

  #find(place: Place): Task | undefined {
    return this.#tasks.get(taskKey(place.jobId, place.item));
  }

  /** Events of tasks that were dropped meanwhile find nothing, which is right: nobody waits for them. */
  #move(place: Place, from: Phase, to: Phase): void {
    const task = this.#find(place);
    if (task?.phase === from) task.phase = to;
  }

  #pause(place: Place, untilMs: number): void {
    const task = this.#find(place);
    if (task) task.retryAtMs = untilMs;
  }

  /** What has not begun is dropped; a run that has begun cannot be stopped and its result may still be the first. */
  #drop(shardIds: ShardId[]): void {
    for (const [key, task] of this.#tasks) {
      const hasBegun = task.phase === "running" || task.result !== undefined;
      if (shardIds.includes(task.lease.shardId) && !hasBegun) this.#tasks.delete(key);
    }
  }

  #finish(event: WorkerEvent & { kind: "runFinished" }, wallMs: number): void {
    const task = this.#find(event);
    if (task?.phase !== "running") return;
    task.result = {
      ...this.#resultOf(task, event.durationMs, wallMs),
      output: event.output,
      outputBytes: event.outputBytes,
      holders: [this.#self],
    };
    task.phase = "copyPaused";
  }

  /** A failed item has nothing to copy. */
  #fail(place: Place, from: Phase, error: ErrorBody, durationMs: number, wallMs: number): void {
    const task = this.#find(place);
    if (task?.phase !== from) return;
    task.result = { ...this.#resultOf(task, durationMs, wallMs), outputBytes: 0, error, holders: [] };
    task.phase = "unreported";
  }

  #resultOf(task: Task, durationMs: number, wallMs: number): Omit<ReportedResult, "outputBytes" | "holders"> {
    const { jobId, shardId } = task.lease;
    return { jobId, item: task.item.item, node: this.#self, shardId, durationMs, finishedAtMs: wallMs };
  }

  #markCopied(event: WorkerEvent & { kind: "outputCopied" }): void {
    const task = this.#find(event);
    if (task?.phase !== "copying" || !task.result) return;
    task.result = { ...task.result, holders: event.holders };
    task.phase = "unreported";
  }

  #inPhase(phase: Phase): Task[] {
    return [...this.#tasks.values()].filter((task) => task.phase === phase);
  }

  #fetchNext(): WorkerEffect[] {
    const free = FETCHES_MAX - this.#inPhase("fetching").length;
    return this.#inPhase("waiting")
      .slice(0, Math.max(0, free))
      .map((task) => {
        task.phase = "fetching";
        return { kind: "fetchInput", jobId: task.lease.jobId, item: task.item, from: task.lease.inputHolders };
      });
  }

  /** One more than there are executors, so that the next input is read while the last run ends. */
  #runNext(): WorkerEffect[] {
    const free = this.#executors + 1 - this.#inPhase("running").length;
    return this.#inPhase("ready")
      .slice(0, Math.max(0, free))
      .map((task) => {
        task.phase = "running";
        const { jobId, pipeline, itemDeadlineMs } = task.lease;
        const deadline = itemDeadlineMs === undefined ? {} : { itemDeadlineMs };
        return { kind: "runItem", jobId, item: task.item, pipeline, ...deadline };
      });
  }

  #copyAgain(nowMs: number): WorkerEffect[] {
    return this.#inPhase("copyPaused")
      .filter((task) => task.retryAtMs <= nowMs)
      .map((task) => {
        invariant(task.result?.output, "what is copied has an output");
        task.phase = "copying";
        const { jobId, copies } = task.lease;
        return { kind: "copyOutput", jobId, item: task.item.item, output: task.result.output, copies };
      });
  }

  /** One report at a time: what finishes meanwhile goes together in the next. */
  #report(nowMs: number): WorkerEffect[] {
    if (this.#inPhase("reporting").length > 0) return [];
    const due = this.#inPhase("unreported").filter((task) => task.retryAtMs <= nowMs);
    if (due.length === 0) return [];
    const results = due.slice(0, LIMITS.resultsPerEntryMax).map((task) => {
      invariant(task.result, "what is reported has a result");
      task.phase = "reporting";
      return task.result;
    });
    return [{ kind: "reportResults", results }];
  }
}

const taskKey = (jobId: JobId, item: number): string => `${jobId} ${item}`;
