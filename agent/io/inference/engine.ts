import { invariant, SkeinError } from "../../../shared/errors.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { InferenceEngine, InferenceOutcome, InferenceTask, PipelineInfo, Telemetry } from "../../ports/index.ts";
import { CALIBRATION_SAMPLES } from "./calibration.ts";
import { type Assignment, ExecutorProcess } from "./executor-process.ts";

export interface InferenceInit {
  /** One per core given to the agent. Without any it knows no pipeline. */
  executors: number;
  /** An executor that holds more after a run is replaced: the arena of onnxruntime grows and never shrinks. */
  memoryBytesPerExecutorMax?: number;
}

const GiB = 1024 ** 3;
/** Reading a page of usual size takes a third of it. */
const memoryBytesPerExecutorDefault = 1.5 * GiB;
/** For each executor; the median of all is the answer. */
const calibrationRuns = 2;
const calibrationDeadlineMs = 120_000;

/** Items handed over together: as many as are done in about this time, by what runs of their pipelines took last. */
const groupMs = 2;
const groupItemsMax = 64;
const groupInputBytesMax = 16 * 1024;
/** Weight of the newest run in that, if it was shorter; a longer one counts at once. */
const runWeight = 0.1;

interface Waiting extends Assignment {
  /** It was with others in an executor that ended, and may be why. */
  isSuspect?: true;
}

/** A place for one executor. */
interface Seat {
  executor?: ExecutorProcess;
  state: "starting" | "idle" | "busy" | "empty";
  /** Starts that failed since one succeeded. */
  failedStarts: number;
  restart?: NodeJS.Timeout;
}

class Engine implements InferenceEngine {
  private readonly seats: Seat[];
  private readonly memoryBytesMax: number;
  private readonly telemetry: Telemetry;
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private known: PipelineInfo[] = [];
  /** By pipeline. */
  private readonly runMs = new Map<string, number>();
  private stopped = false;

  constructor(init: InferenceInit, telemetry: Telemetry) {
    invariant(Number.isInteger(init.executors) && init.executors >= 0, "executors are counted");
    this.seats = Array.from({ length: init.executors }, () => ({ state: "empty", failedStarts: 0 }));
    this.memoryBytesMax = init.memoryBytesPerExecutorMax ?? memoryBytesPerExecutorDefault;
    this.telemetry = telemetry;
  }

  get executors(): number {
    return this.seats.length;
  }

  pipelines(): PipelineInfo[] {
    return this.known;
  }

  async start(): Promise<void> {
    try {
      await Promise.all(this.seats.map((seat) => this.fill(seat)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.refuseWaiting(new SkeinError("EXECUTOR_DIED", { reason: "the agent is stopping" }));
    await Promise.all(
      this.seats.map(({ executor, restart }) => {
        clearTimeout(restart);
        executor?.kill("the agent is stopping");
        return executor?.ended;
      }),
    );
  }

  /** Starts an executor in an empty seat; resolves when it is ready. Its end empties the seat and sets off the next. */
  private async fill(seat: Seat): Promise<void> {
    const startedMs = performance.now();
    const executor = this.spawn(seat);
    seat.executor = executor;
    seat.state = "starting";
    void executor.ended.then((reason) => this.emptied(seat, executor, reason));
    this.known = await executor.ready;
    seat.failedStarts = 0;
    seat.state = "idle";
    const { pid, rssBytes } = executor;
    this.telemetry.log("info", "executorStarted", {
      pid,
      rssBytes,
      startMs: Math.round(performance.now() - startedMs),
    });
    this.handOut();
  }

  private spawn(seat: Seat): ExecutorProcess {
    try {
      return new ExecutorProcess();
    } catch (error) {
      // Not even a process came of it (no memory for one), so no end of one will set off the next try.
      this.startFailed(seat, SkeinError.from(error));
      if (!this.stopped) this.refill(seat);
      throw error;
    }
  }

  private emptied(seat: Seat, executor: ExecutorProcess, reason: string): void {
    const wasStarting = seat.state === "starting";
    delete seat.executor;
    seat.state = "empty";
    if (this.stopped) return;
    this.telemetry.log("warn", "executorEnded", { pid: executor.pid, reason });
    if (wasStarting) this.startFailed(seat, executor.startError ?? new SkeinError("EXECUTOR_DIED", { reason }));
    this.refill(seat);
  }

  /** At once after an executor that had worked; later and later while starts fail. */
  private refill(seat: Seat): void {
    const delayMs = seat.failedStarts === 0 ? 0 : TIMING.executorRestartMs * 2 ** (seat.failedStarts - 1);
    // A failure is told and answered where the executor's end is heard, or where it could not be spawned.
    const fillAgain = (): Promise<void> => this.fill(seat).catch(() => {});
    seat.restart = setTimeout(fillAgain, Math.min(delayMs, TIMING.executorRestartMaxMs));
  }

  /** Items wait for an executor that starts, but not for ever for one that cannot. */
  private startFailed(seat: Seat, error: SkeinError): void {
    seat.failedStarts++;
    this.telemetry.log("error", "executorStartFailed", { ...error.toJSON(), failedStarts: seat.failedStarts });
    if (this.seats.every(({ failedStarts }) => failedStarts > 0)) this.refuseWaiting(error);
  }

  private refuseWaiting(error: SkeinError): void {
    const refused = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const { task, reject } of refused)
      reject(new SkeinError(error.code, { ...error.facts, name: task.name }, { cause: error }));
  }

  run(task: InferenceTask): Promise<InferenceOutcome> {
    const refusal = this.refusalOf(task);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const answered = (outcome: InferenceOutcome): void => {
        this.learn(task.pipeline, outcome.durationMs);
        resolve(outcome);
      };
      this.waiting.push({ task, resolve: answered, reject });
      this.waitingBytes += heldBytes(task.input);
      this.handOut();
    });
  }

  private refusalOf({ pipeline, name, input }: InferenceTask): SkeinError | undefined {
    if (this.stopped) return new SkeinError("EXECUTOR_DIED", { name, reason: "the agent is stopping" });
    if (!this.known.some((known) => known.name === pipeline)) return this.unknown(pipeline);
    if (input.length > LIMITS.imageBytesMax)
      return new SkeinError("TOO_LARGE", { what: name, actual: input.length, limit: LIMITS.imageBytesMax });
    const full =
      this.waiting.length >= LIMITS.inferenceQueueMax ||
      (this.waiting.length > 0 && this.waitingBytes + heldBytes(input) > LIMITS.inferenceQueueBytesMax);
    return full ? new SkeinError("EXECUTORS_BUSY", { name, waiting: this.waiting.length }) : undefined;
  }

  private handOut(): void {
    const idle = this.seats.filter(({ state }) => state === "idle");
    for (const [n, seat] of idle.entries()) {
      const group = this.takeGroup(Math.ceil(this.waiting.length / (idle.length - n)));
      if (group.length === 0) return;
      void this.work(seat, seat.executor!, group);
    }
  }

  /** The next item; with it those behind it that are as short, at most `most` in all. */
  private takeGroup(most: number): Waiting[] {
    const group: Waiting[] = [];
    let leftMs = groupMs;
    for (let next = this.waiting[0]; next; next = this.waiting[0]) {
      const { pipeline, input } = next.task;
      const usualMs = this.runMs.get(pipeline) ?? groupMs;
      const isAlone = next.isSuspect || input.length > groupInputBytesMax || usualMs >= groupMs;
      if (group.length > 0 && (isAlone || usualMs > leftMs)) break;
      this.waiting.shift();
      this.waitingBytes -= heldBytes(input);
      leftMs -= usualMs;
      group.push(next);
      if (isAlone || group.length >= Math.min(most, groupItemsMax)) break;
    }
    return group;
  }

  private async work(seat: Seat, executor: ExecutorProcess, group: Waiting[]): Promise<void> {
    seat.state = "busy";
    const unanswered = await executor.run(group);
    if (unanswered.length > 0) this.runAgain(unanswered);
    if (!executor.usable) return;
    if (executor.rssBytes > this.memoryBytesMax) {
      executor.kill(`it held ${executor.rssBytes} bytes, over its budget of ${this.memoryBytesMax}`);
      return;
    }
    seat.state = "idle";
    this.handOut();
  }

  /** Each alone, before all others: the one that ends its executor again is the one at fault. */
  private runAgain(unanswered: Waiting[]): void {
    for (const one of unanswered) {
      one.isSuspect = true;
      this.waitingBytes += heldBytes(one.task.input);
    }
    this.waiting.unshift(...unanswered);
    if (this.stopped) this.refuseWaiting(new SkeinError("EXECUTOR_DIED", { reason: "the agent is stopping" }));
    else this.handOut();
  }

  private learn(pipeline: string, durationMs: number): void {
    const before = this.runMs.get(pipeline) ?? durationMs;
    this.runMs.set(pipeline, Math.max(durationMs, before + runWeight * (durationMs - before)));
  }

  async calibrate(pipeline: string): Promise<{ secondsPerItem: number }> {
    const sample = CALIBRATION_SAMPLES[pipeline];
    if (!sample) throw this.unknown(pipeline);
    const task = { pipeline, ...(await sample()), deadlineMs: calibrationDeadlineMs };
    const runs = Array.from({ length: this.executors * calibrationRuns }, () => this.run(task));
    const durationsMs = (await Promise.all(runs)).map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    return { secondsPerItem: durationsMs[durationsMs.length >> 1]! / 1000 };
  }

  private unknown(pipeline: string): SkeinError {
    return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: this.known.map(({ name }) => name) });
  }
}

/** In the agent's memory while it waits. */
const heldBytes = (input: InferenceTask["input"]): number => (input instanceof Uint8Array ? input.length : 0);

/**
 * The inference engine of this box. Executors are child processes with one onnxruntime thread each, below the agent in
 * priority; one that overruns a deadline, dies, or outgrows its memory is replaced.
 */
export function createInferenceEngine(init: InferenceInit, deps: { telemetry: Telemetry }): InferenceEngine {
  return new Engine(init, deps.telemetry);
}
