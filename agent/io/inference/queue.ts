import { LIMITS } from "../../../shared/limits.ts";
import type { InferenceTask } from "../../ports/index.ts";
import type { Assignment } from "./executor-process.ts";
import { taskBytes } from "./task-input.ts";

/** Items handed over together: as many as are done in about this time, by what runs of their pipelines took last. */
const groupMs = 2;
const groupItemsMax = 64;
const groupInputBytesMax = 16 * 1024;
/** Weight of the newest run in that, if it was shorter; a longer one counts at once. */
const runWeight = 0.1;
/** Of the time that its most impatient item has, a batch takes at most this part by what its items took last: it cannot be stopped half-way. */
const batchPart = 1 / 4;

export interface Waiting extends Assignment {
  /** It was with others in an executor that ended, and may be why. */
  isSuspect?: true;
}

/** An executor that wants work. */
export interface Taker {
  runs(pipeline: string): boolean;
  /** Items of it that one run takes. */
  batchOf(pipeline: string): number;
  /** Executors that want work and could take this pipeline's, this one included; of any pipeline if it is not said. */
  takers(pipeline?: string): number;
}

/** Items that wait for an executor, in the order in which they came. */
export class Queue {
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  /** By pipeline. */
  private readonly runMs = new Map<string, number>();

  get length(): number {
    return this.waiting.length;
  }

  isFullFor(task: InferenceTask): boolean {
    return (
      this.waiting.length >= LIMITS.inferenceQueueMax ||
      (this.waiting.length > 0 && this.waitingBytes + heldBytes(task) > LIMITS.inferenceQueueBytesMax)
    );
  }

  add(one: Waiting): void {
    this.waiting.push(one);
    this.waitingBytes += heldBytes(one.task);
  }

  /** Each alone, before all others: the one that ends its executor again is the one at fault. */
  putBack(suspects: Waiting[]): void {
    for (const one of suspects) {
      one.isSuspect = true;
      this.waitingBytes += heldBytes(one.task);
    }
    this.waiting.unshift(...suspects);
  }

  /** Takes out all that wait, or all that wait for this pipeline. */
  takeAll(pipeline?: string): Waiting[] {
    const isMeant = ({ task }: Waiting): boolean => pipeline === undefined || task.pipeline === pipeline;
    const taken = this.waiting.filter(isMeant);
    this.waiting = this.waiting.filter((one) => !isMeant(one));
    this.waitingBytes = this.waiting.reduce((sum, { task }) => sum + heldBytes(task), 0);
    return taken;
  }

  /** The next item that this executor can run, and with it what is handed over in the same message. */
  takeGroup(taker: Taker): Waiting[] {
    const first = this.waiting.find(({ task }) => taker.runs(task.pipeline));
    if (!first) return [];
    return canShare(first) && taker.batchOf(first.task.pipeline) > 1
      ? this.takeBatch(first.task.pipeline, taker)
      : this.takeShort(taker);
  }

  /** Those behind it that are as short, at most this executor's share of all. */
  private takeShort(taker: Taker): Waiting[] {
    const most = Math.min(Math.ceil(this.waiting.length / taker.takers()), groupItemsMax);
    const group: Waiting[] = [];
    let leftMs = groupMs;
    for (let at = 0; at < this.waiting.length && group.length < most; ) {
      const next = this.waiting[at]!;
      const { pipeline } = next.task;
      if (!taker.runs(pipeline)) {
        at++;
        continue;
      }
      const usualMs = this.runMs.get(pipeline) ?? groupMs;
      const isAlone =
        !canShare(next) ||
        taskBytes(next.task) > groupInputBytesMax ||
        usualMs >= groupMs ||
        taker.batchOf(pipeline) > 1;
      if (group.length > 0 && (isAlone || usualMs > leftMs)) break;
      this.takeOut(at);
      leftMs -= usualMs;
      group.push(next);
      if (isAlone) break;
    }
    return group;
  }

  /** Of one model, for one run: what waits, without waiting for more; at most this executor's share of it. */
  private takeBatch(pipeline: string, taker: Taker): Waiting[] {
    const count = this.waiting.filter(({ task }) => task.pipeline === pipeline).length;
    const most = Math.min(Math.ceil(count / taker.takers(pipeline)), taker.batchOf(pipeline));
    const usualMs = this.runMs.get(pipeline) ?? 0;
    const batch: Waiting[] = [];
    let bytes = 0;
    let patienceMs = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.waiting.length && batch.length < most; ) {
      const next = this.waiting[at]!;
      if (next.task.pipeline !== pipeline || !canShare(next)) {
        at++;
        continue;
      }
      bytes += taskBytes(next.task);
      patienceMs = Math.min(patienceMs, next.task.deadlineMs * batchPart);
      const isTooMuch = bytes > LIMITS.batchInputBytesMax || usualMs * (batch.length + 1) > patienceMs;
      if (batch.length > 0 && isTooMuch) break;
      batch.push(next);
      this.takeOut(at);
    }
    return batch;
  }

  private takeOut(at: number): void {
    const [taken] = this.waiting.splice(at, 1);
    this.waitingBytes -= heldBytes(taken!.task);
  }

  learn(pipeline: string, durationMs: number): void {
    const before = this.runMs.get(pipeline) ?? durationMs;
    this.runMs.set(pipeline, Math.max(durationMs, before + runWeight * (durationMs - before)));
  }

  /** Whether it is known how long its items take. */
  knows(pipeline: string): boolean {
    return this.runMs.has(pipeline);
  }

  /** It is loaded anew, or gone. */
  forget(pipeline: string): void {
    this.runMs.delete(pipeline);
  }
}

/** May go in one message with others: not one that may end its executor, and none that is read from the disk as it goes. */
const canShare = ({ isSuspect, task }: Waiting): boolean => !isSuspect && task.input instanceof Uint8Array;

/** In the agent's memory while it waits. */
const heldBytes = (task: InferenceTask): number => (task.input instanceof Uint8Array ? taskBytes(task) : 0);
