import { type ErrorBody, invariant } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { HeldShard, Lease, LeasedItem } from "../../../shared/peer-requests.ts";
import { isSameStart } from "../../../shared/task-start.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";
import { type FinishedResult, type FinishedTask, type Phase, type Place, type Task, Tasks } from "./tasks.ts";

export type WorkerEvent =
  | { kind: "leased"; lease: Lease }
  /** Finished in an earlier life of this node and not recorded, as far as it knew. */
  | { kind: "remembered"; lease: Lease; result: ReportedResult }
  | { kind: "takenBack"; shardIds: ShardId[] }
  | { kind: "inputReady"; jobId: JobId; item: number }
  | { kind: "inputFailed"; jobId: JobId; item: number; error: ErrorBody }
  /** The executor is done with it; its output is being stored. */
  | { kind: "runEnded"; jobId: JobId; item: number; durationMs: number }
  | {
      kind: "outputStored";
      jobId: JobId;
      item: number;
      output: BlobHash;
      outputBytes: number;
      durationMs: number;
      elements?: number[];
    }
  /** By the executor, or because its output could not be stored. */
  | { kind: "runFailed"; jobId: JobId; item: number; error: ErrorBody; durationMs: number }
  | { kind: "outputsCopied"; outputs: { jobId: JobId; item: number; holders: NodeId[] }[] }
  | { kind: "copiesFailed"; outputs: { jobId: JobId; item: number }[] }
  /** The leader answered: these are in the ledger, or no longer wanted. */
  | { kind: "resultsRecorded"; results: ReportedResult[] }
  /** There is a leader, perhaps a new one: what waits to be reported need not wait. */
  | { kind: "leaderKnown" }
  /** The report did not get through; try again, perhaps to another leader. */
  | { kind: "reportFailed"; results: ReportedResult[] }
  | { kind: "ticked" };

export interface OutputToCopy {
  jobId: JobId;
  item: number;
  output: BlobHash;
  bytes: number;
}

export type WorkerEffect =
  | { kind: "fetchInput"; jobId: JobId; item: LeasedItem; from: NodeId[] }
  | { kind: "runItem"; jobId: JobId; item: LeasedItem; pipeline: string; itemDeadlineMs?: number }
  /** All of them need `copies` copies; answered by outputsCopied and copiesFailed, together or apart. */
  | { kind: "copyOutputs"; outputs: OutputToCopy[]; copies: number }
  | { kind: "reportResults"; results: FinishedResult[] };

/** Inputs fetched at once: enough to hide a round trip, few enough not to starve the one that is needed next. */
const FETCHES_MAX = 4;
/** Of small inputs, which are fetched many in one request. */
const SMALL_FETCHES_MAX = 2 * LIMITS.smallInHandAskedMax;
/** Work that waits at the executors beyond what runs, so that none of them waits for a message: the next item, or more of them where they are shorter. */
const AHEAD_MS = 5;
const AHEAD_MAX = 64;
/** Where items run in batches: the batches that run and the next ones, and no more than half of what may wait there. */
const BATCHES_ITEMS_MAX = LIMITS.inferenceQueueMax / 2;
/** Something is out that will come home as an event. */
const UNDER_WAY: readonly Phase[] = ["fetching", "running", "storing"];
/** Weight of the newest run in how long a job's runs take here, and of how many jobs that is remembered. */
const RUN_WEIGHT = 0.3;
const JOBS_REMEMBERED = 64;
/** Groups of outputs on their way to other boxes: one under way and one more, so that a slow box does not hold up all; what is finished meanwhile goes together in the next. */
const COPIES_AT_ONCE = 2;
/** Pause before a copy is tried again: another box has to come back first. */
const COPY_RETRY_MS = 500;
/** Pause before a report is made again: a leader has to be elected first, which takes about that long. */
const REPORT_RETRY_MS = 100;

/**
 * What this node does next about its leases: fetch the input, run, copy the output, report. Pure. Each task walks
 * waiting → fetching → ready → running → storing → uncopied → copying → unreported → reporting and is gone when the leader
 * says it is recorded; a finished result outlives the leader that leased it and is handed to the next one.
 */
export class Worker {
  readonly #self: NodeId;
  readonly #executors: number;
  readonly #atOnce: (pipeline: string) => number;
  readonly #tasks = new Tasks();
  /** Usual time of a run of each job; items of one job say little about those of another. */
  readonly #runMs = new Map<JobId, number>();
  /** Outputs being copied together: of each group those that are not copied yet. */
  readonly #copyGroups = new Set<Set<Task>>();
  /** The latest term of which a leader was heard. */
  #term = 0;

  /** @param atOnce items of a pipeline that fill its executors, where they run several together; else 0 */
  constructor(self: NodeId, executors: number, atOnce: (pipeline: string) => number = () => 0) {
    this.#self = self;
    this.#executors = executors;
    this.#atOnce = atOnce;
  }

  step(event: WorkerEvent, nowMs: number, wallMs: number): WorkerEffect[] {
    this.#absorb(event, nowMs, wallMs);
    return [...this.#fetchNext(), ...this.#runNext(), ...this.#copyNext(nowMs), ...this.#report(nowMs)];
  }

  /**
   * A leader of this term gives an order. Why it is not to be obeyed, as the end of a sentence; undefined if it is. A
   * leader whose first word is an order did not come to know what is held here, and leases it to others: what has not
   * begun is left to them.
   * @param known the latest term that this node has heard of by itself
   */
  fence(term: number, known = 0): string | undefined {
    const latest = Math.max(this.#term, known);
    if (term < latest) return `the leader of term ${term} was deposed: it has heard of term ${latest}`;
    if (term > this.#term) this.#drop(({ lease }) => lease.term < term);
    this.#term = term;
    return undefined;
  }

  /** The leader of this term asks what is held here, and takes it over from whoever leased it. */
  adopt(term: number): HeldShard[] {
    this.#term = Math.max(this.#term, term);
    return this.held();
  }

  /** What a new leader needs to know, so that it does not lease these to others. */
  held(): HeldShard[] {
    const shards = new Map<ShardId, HeldShard>();
    for (const { lease, item } of this.#tasks.values()) {
      const shard = shards.get(lease.shardId) ?? { shardId: lease.shardId, jobId: lease.jobId, items: [], bases: [] };
      shard.items.push(item.item);
      shard.bases!.push(item.basis);
      shards.set(lease.shardId, shard);
    }
    return [...shards.values()].map(({ bases, ...shard }) =>
      bases!.some(Boolean) ? { ...shard, bases: bases! } : shard,
    );
  }

  /** Whether any work of this pipeline is in hand. */
  holds(pipeline: string): boolean {
    for (const { lease } of this.#tasks.values()) if (lease.pipeline === pipeline) return true;
    return false;
  }

  finished(): FinishedTask[] {
    return [...this.#tasks.values()].flatMap(({ lease, item, result }) => (result ? [{ lease, item, result }] : []));
  }

  /** Items leased and not yet reported. */
  get itemsQueued(): number {
    return this.#tasks.size;
  }

  #absorb(event: WorkerEvent, nowMs: number, wallMs: number): void {
    switch (event.kind) {
      case "leased":
        for (const item of event.lease.items) this.#lease(event.lease, item);
        break;
      case "remembered":
        this.#remember(event.lease, event.result);
        break;
      case "takenBack":
        this.#drop(({ lease }) => event.shardIds.includes(lease.shardId));
        break;
      case "inputReady":
        if (!this.#beginAnew(event)) this.#move(event, ["fetching"], "ready");
        break;
      case "inputFailed":
        if (!this.#beginAnew(event)) this.#fail(event, ["fetching"], event.error, 0, wallMs);
        break;
      case "runEnded":
        this.#learn(event);
        this.#move(event, ["running"], "storing");
        break;
      case "outputStored":
        if (!this.#beginAnew(event)) this.#finish(event, wallMs);
        break;
      case "runFailed":
        if (!this.#beginAnew(event)) this.#fail(event, ["running", "storing"], event.error, event.durationMs, wallMs);
        break;
      case "outputsCopied":
        for (const output of event.outputs) this.#markCopied(output);
        break;
      case "copiesFailed":
        for (const output of event.outputs) this.#pauseCopy(output, event.outputs.length, nowMs);
        break;
      case "resultsRecorded":
        for (const result of event.results) this.#recorded(result);
        break;
      case "reportFailed":
        for (const result of event.results) this.#move(result, ["reporting"], "unreported", nowMs + REPORT_RETRY_MS);
        break;
      case "leaderKnown":
        for (const task of this.#tasks.first("unreported", Number.POSITIVE_INFINITY)) task.retryAtMs = nowMs;
        break;
      case "ticked":
        break;
    }
  }

  /** An item is never in hand twice; one that comes again counts for the newer lease. */
  #lease(lease: Lease, item: LeasedItem): void {
    const known = this.#tasks.find({ jobId: lease.jobId, item: item.item });
    if (!known) this.#tasks.add(lease, item);
    else if (isSameStart(known.item, item)) {
      known.lease = lease;
      known.item = item;
      delete known.next;
    } else if (UNDER_WAY.includes(known.phase)) known.next = { ...lease, items: [item] };
    else {
      this.#forget(known.item, lease.jobId);
      this.#tasks.add(lease, item);
    }
  }

  /** What was under way has ended, and is not what is wanted in its place any more. */
  #beginAnew({ jobId, item }: Place): boolean {
    const next = this.#tasks.find({ jobId, item })?.next;
    if (!next) return false;
    this.#forget({ item }, jobId);
    this.#tasks.add(next, next.items[0]!);
    return true;
  }

  /** Its copies are counted anew: boxes may have gone meanwhile. */
  #remember(lease: Lease, result: ReportedResult): void {
    const item = lease.items.find((leased) => leased.item === result.item);
    if (!item || this.#tasks.find({ jobId: lease.jobId, item: item.item })) return;
    const task = this.#tasks.add({ ...lease, items: [item] }, item);
    const { blob: input, basis } = item;
    task.result = { ...result, input, pipeline: lease.pipeline, ...(basis && { basis }) };
    this.#tasks.move(task, result.output ? "uncopied" : "unreported");
  }

  /** Events of tasks that were dropped meanwhile find nothing, which is right: nobody waits for them. */
  #move(place: Place, from: Phase[], to: Phase, retryAtMs?: number): void {
    const task = this.#tasks.find(place);
    if (!task || !from.includes(task.phase)) return;
    this.#leave(task, to);
    if (retryAtMs !== undefined) task.retryAtMs = retryAtMs;
  }

  #learn({ jobId, durationMs }: { jobId: JobId; durationMs: number }): void {
    const before = this.#runMs.get(jobId) ?? durationMs;
    this.#runMs.delete(jobId);
    this.#runMs.set(jobId, before + RUN_WEIGHT * (durationMs - before));
    if (this.#runMs.size > JOBS_REMEMBERED) this.#runMs.delete(this.#runMs.keys().next().value!);
  }

  /** One output that cannot be copied may be why its group failed: it comes again in halves, until that one is alone. */
  #pauseCopy(place: Place, groupSize: number, nowMs: number): void {
    const task = this.#tasks.find(place);
    if (task?.phase !== "copying") return;
    task.groupMax = Math.max(1, groupSize >> 1);
    task.retryAtMs = nowMs + COPY_RETRY_MS;
    this.#leave(task, "copyPaused");
  }

  /** A group of copies is over when none of its outputs is out any more. */
  #leave(task: Task, to: Phase): void {
    if (task.phase === "copying") this.#endCopy(task);
    this.#tasks.move(task, to);
  }

  #endCopy(task: Task): void {
    for (const group of this.#copyGroups) {
      group.delete(task);
      if (group.size === 0) this.#copyGroups.delete(group);
    }
  }

  /** One that began anew since is another. */
  #recorded(result: ReportedResult): void {
    if (this.#tasks.find(result)?.result?.shardId === result.shardId) this.#forget(result, result.jobId);
  }

  #forget({ item }: { item: number }, jobId: JobId): void {
    const task = this.#tasks.find({ jobId, item });
    if (!task) return;
    if (task.phase === "copying") this.#endCopy(task);
    this.#tasks.drop(task);
  }

  /** What has not begun is dropped; a run that has begun cannot be stopped and its result may still be the first. */
  #drop(isUnwanted: (task: Pick<Task, "lease">) => boolean): void {
    for (const task of this.#tasks.values()) {
      if (task.next && isUnwanted({ lease: task.next })) delete task.next;
      const hasBegun = task.phase === "running" || task.phase === "storing" || task.result !== undefined;
      if (!hasBegun && isUnwanted(task)) this.#tasks.drop(task);
    }
  }

  #finish(event: WorkerEvent & { kind: "outputStored" }, wallMs: number): void {
    const task = this.#tasks.find(event);
    if (task?.phase !== "storing") return;
    task.result = {
      ...this.#resultOf(task, event.durationMs, wallMs),
      output: event.output,
      outputBytes: event.outputBytes,
      holders: [this.#self],
      ...(event.elements && { elements: event.elements }),
    };
    this.#tasks.move(task, "uncopied");
  }

  /** A failed item has nothing to copy. */
  #fail(place: Place, from: Phase[], error: ErrorBody, durationMs: number, wallMs: number): void {
    const task = this.#tasks.find(place);
    if (!task || !from.includes(task.phase)) return;
    task.result = { ...this.#resultOf(task, durationMs, wallMs), outputBytes: 0, error, holders: [] };
    this.#tasks.move(task, "unreported");
  }

  #resultOf(task: Task, durationMs: number, wallMs: number): Omit<FinishedResult, "outputBytes" | "holders"> {
    const { jobId, shardId, pipeline } = task.lease;
    const { item, blob: input, basis } = task.item;
    const about = { input, pipeline, ...(basis && { basis }) };
    return { jobId, item, node: this.#self, shardId, durationMs, finishedAtMs: wallMs, ...about };
  }

  #markCopied({ holders, ...place }: Place & { holders: NodeId[] }): void {
    const task = this.#tasks.find(place);
    if (task?.phase !== "copying" || !task.result) return;
    task.result = { ...task.result, holders };
    this.#leave(task, "unreported");
  }

  #fetchNext(): WorkerEffect[] {
    const effects: WorkerEffect[] = [];
    for (;;) {
      const [next] = this.#tasks.first("waiting", 1);
      const max = next && next.item.bytes <= LIMITS.smallInHandBytesMax ? SMALL_FETCHES_MAX : FETCHES_MAX;
      if (!next || this.#tasks.count("fetching") >= max) return effects;
      this.#tasks.move(next, "fetching");
      const { jobId, inputHolders } = next.lease;
      effects.push({ kind: "fetchInput", jobId, item: next.item, from: inputHolders });
    }
  }

  /** What runs, and what waits there so that the next input is read while the last run ends; twice as much may be being stored. */
  #runNext(): WorkerEffect[] {
    const [next] = this.#tasks.first("ready", 1);
    if (!next) return [];
    const usualMs = this.#runMs.get(next.lease.jobId) ?? AHEAD_MS;
    const ahead = this.#executors + Math.max(1, Math.min(AHEAD_MAX, Math.ceil(AHEAD_MS / usualMs)));
    const batches = Math.min(BATCHES_ITEMS_MAX, 2 * this.#atOnce(next.lease.pipeline));
    const most = Math.max(ahead, batches);
    const free = Math.min(most - this.#tasks.count("running"), 2 * most - this.#tasks.count("storing"));
    return this.#tasks
      .first("ready", free, ({ lease }) => lease.jobId === next.lease.jobId)
      .map((task) => {
        this.#tasks.move(task, "running");
        const { jobId, pipeline, itemDeadlineMs } = task.lease;
        const deadline = itemDeadlineMs === undefined ? {} : { itemDeadlineMs };
        return { kind: "runItem", jobId, item: task.item, pipeline, ...deadline };
      });
  }

  /** All that is finished goes in one group for each number of copies that jobs want. */
  #copyNext(nowMs: number): WorkerEffect[] {
    for (const task of this.#tasks.first("copyPaused", LIMITS.resultsPerEntryMax, (one) => one.retryAtMs <= nowMs))
      this.#tasks.move(task, "uncopied");
    const effects: WorkerEffect[] = [];
    while (this.#copyGroups.size < COPIES_AT_ONCE) {
      const [first] = this.#tasks.first("uncopied", 1);
      if (!first) break;
      const { copies } = first.lease;
      const group = this.#tasks.first("uncopied", first.groupMax, (one) => one.lease.copies === copies);
      const outputs = group.map((task): OutputToCopy => {
        invariant(task.result?.output, "what is copied has an output");
        this.#tasks.move(task, "copying");
        const { output, outputBytes } = task.result;
        return { jobId: task.lease.jobId, item: task.item.item, output, bytes: outputBytes };
      });
      this.#copyGroups.add(new Set(group));
      effects.push({ kind: "copyOutputs", outputs, copies });
    }
    return effects;
  }

  /** One report at a time: what finishes meanwhile goes together in the next. */
  #report(nowMs: number): WorkerEffect[] {
    if (this.#tasks.count("reporting") > 0) return [];
    const due = this.#tasks.first("unreported", LIMITS.resultsPerEntryMax, (task) => task.retryAtMs <= nowMs);
    if (due.length === 0) return [];
    const results = due.map((task) => {
      invariant(task.result, "what is reported has a result");
      this.#tasks.move(task, "reporting");
      return task.result;
    });
    return [{ kind: "reportResults", results }];
  }
}
