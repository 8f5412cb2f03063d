import { invariant, SkeinError } from "../../../shared/errors.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import type { OperatorSpec } from "../../../shared/pipeline/operators.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type {
  EngineModel,
  InferenceEngine,
  InferenceOutcome,
  InferenceTask,
  ModelToLoad,
  PipelineInfo,
  Telemetry,
} from "../../ports/index.ts";
import { CALIBRATION_SAMPLES, type CalibrationSample, modelSample } from "./calibration.ts";
import { ExecutorProcess } from "./executor-process.ts";
import { Queue, type Waiting } from "./queue.ts";
import { Segments } from "./segments.ts";
import { type Seat, Shelf } from "./shelf.ts";
import { taskBytes } from "./task-input.ts";

export interface InferenceInit {
  /** One per core given to the agent. Without any it knows no pipeline. */
  executors: number;
  /** An executor that holds more after a run, beside what its loaded models take, is replaced: the arena of onnxruntime grows and never shrinks. */
  memoryBytesPerExecutorMax?: number;
  /** Of operators of this box's owner: one module each (operators/README.md). None where there is no such folder. */
  operatorsFolder?: string;
  /** Told what is in it, once: before then no pipeline that needs one can be run here. */
  onLocalOperators?: (specs: readonly OperatorSpec[]) => void;
}

const GiB = 1024 ** 3;
/** Reading a page of usual size takes a third of it. */
const memoryBytesPerExecutorDefault = 1.5 * GiB;
const calibrationDeadlineMs = 120_000;
/** Shorter runs are measured twice; of longer ones chance is a small part, and on a small board each keeps the box from its work for half a minute. */
const tellsEnoughMs = 250;

class Engine implements InferenceEngine {
  private readonly seats: Seat[];
  private readonly memoryBytesMax: number;
  private readonly telemetry: Telemetry;
  private readonly queue = new Queue();
  private readonly shelf: Shelf;
  /** Those that come with the agent. */
  private builtIn: PipelineInfo[] = [];
  /** How graphs that come with the agent are run, and the seats whose executors run them otherwise. */
  private readonly choices = new Map<string, SessionChoice>();
  private readonly outdated = new Set<Seat>();
  private readonly segments: Segments;
  private stopped = false;
  private readonly init: InferenceInit;
  private localTold = false;

  constructor(init: InferenceInit, telemetry: Telemetry) {
    this.init = init;
    invariant(Number.isInteger(init.executors) && init.executors >= 0, "executors are counted");
    this.seats = Array.from({ length: init.executors }, () => ({ state: "empty", failedStarts: 0, loaded: new Map() }));
    this.memoryBytesMax = init.memoryBytesPerExecutorMax ?? memoryBytesPerExecutorDefault;
    this.telemetry = telemetry;
    this.shelf = new Shelf({
      telemetry,
      seats: this.seats,
      onFree: (seat, executor) => this.free(seat, executor),
      onGone: (pipeline, error) => this.gone(pipeline, error),
    });
    this.segments = new Segments(this.shelf, this.seats);
  }

  get executors(): number {
    return this.seats.length;
  }

  pipelines(): PipelineInfo[] {
    return [...this.builtIn, ...this.shelf.pipelines(), ...this.segments.pipelines()];
  }

  models(): EngineModel[] {
    return this.shelf.models();
  }

  async load(model: ModelToLoad): Promise<void> {
    const refused = (reason: string): SkeinError => new SkeinError("MODEL_INVALID", { model: model.pipeline, reason });
    if (this.stopped) throw refused("the agent is stopping");
    if (this.executors === 0) throw refused("this node has no executors");
    if (this.builtIn.some(({ name }) => name === model.pipeline))
      throw refused("a pipeline of that name comes with the agent");
    await this.shelf.load(model);
    this.queue.forget(model.pipeline);
  }

  unload(pipeline: string): Promise<void> {
    return this.stopped ? Promise.resolve() : this.shelf.unload(pipeline);
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
    this.refuse(this.queue.takeAll(), new SkeinError("EXECUTOR_DIED", { reason: "the agent is stopping" }));
    this.shelf.stop();
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
    this.builtIn = await executor.ready;
    this.tellLocal(executor);
    seat.failedStarts = 0;
    const { pid, rssBytes } = executor;
    this.telemetry.log("info", "executorStarted", {
      pid,
      rssBytes,
      startMs: Math.round(performance.now() - startedMs),
    });
    this.free(seat, executor);
  }

  install(segment: Segment): void {
    const forgotten = this.segments.install(segment);
    if (!forgotten) return;
    this.queue.forget(segment.name);
    for (const name of forgotten) this.refuse(this.queue.takeAll(name), this.unknown(name));
    this.shelf.bringTogether(this.segments.modelSets());
  }

  /** A model cannot be had, and nothing that needs it can be run. */
  private gone(model: string, error: SkeinError): void {
    this.refuse(this.queue.takeAll(model), error);
    for (const name of this.segments.needing(model)) this.refuse(this.queue.takeAll(name), this.unknown(name));
  }

  tune(graph: string, choice: SessionChoice): void {
    this.choices.set(graph, choice);
    for (const seat of this.seats) if (seat.executor) this.outdated.add(seat);
    this.renewNext();
  }

  /** The others work meanwhile. */
  private renewNext(): void {
    const isComing = this.seats.some(({ state }) => state === "starting" || state === "empty");
    const next = [...this.outdated].find(({ state }) => state === "idle");
    if (isComing || !next) return;
    this.outdated.delete(next);
    next.state = "busy";
    next.executor!.kill("another takes its place, which runs its graphs as was found best");
  }

  /** First the models that it is to have, then work. */
  private free(seat: Seat, executor: ExecutorProcess): void {
    seat.state = "idle";
    this.renewNext();
    if (seat.state !== "idle") return;
    if (!this.shelf.tend(seat, executor)) this.handOut();
  }

  private spawn(seat: Seat): ExecutorProcess {
    try {
      return new ExecutorProcess(this.choices, this.init.operatorsFolder);
    } catch (error) {
      // Not even a process came of it (no memory for one), so no end of one will set off the next try.
      this.startFailed(seat, SkeinError.from(error));
      if (!this.stopped) this.refill(seat);
      throw error;
    }
  }

  /** The first one's word: all read the same folder. */
  private tellLocal({ local }: ExecutorProcess): void {
    if (this.localTold) return;
    this.localTold = true;
    for (const fault of local.faults) this.telemetry.log("warn", "localOperatorRefused", { ...fault });
    if (local.specs.length === 0) return;
    this.telemetry.log("info", "localOperatorsLoaded", { operators: local.specs.map(({ name }) => name) });
    this.init.onLocalOperators?.(local.specs);
  }

  private emptied(seat: Seat, executor: ExecutorProcess, reason: string): void {
    const wasStarting = seat.state === "starting";
    delete seat.executor;
    seat.state = "empty";
    this.outdated.delete(seat);
    this.shelf.emptied(seat);
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
    if (this.seats.every(({ failedStarts }) => failedStarts > 0)) this.refuse(this.queue.takeAll(), error);
  }

  private refuse(refused: Waiting[], error: SkeinError): void {
    for (const { task, reject } of refused)
      reject(new SkeinError(error.code, { ...error.facts, name: task.name }, { cause: error }));
  }

  run(task: InferenceTask): Promise<InferenceOutcome> {
    const refusal = this.refusalOf(task);
    if (refusal) return Promise.reject(refusal);
    this.segments.used(task.pipeline);
    return new Promise((resolve, reject) => {
      const answered = (outcome: InferenceOutcome): void => {
        this.queue.learn(task.pipeline, outcome.durationMs);
        resolve(outcome);
      };
      this.queue.add({ task, resolve: answered, reject });
      this.handOut();
    });
  }

  private refusalOf(task: InferenceTask): SkeinError | undefined {
    const { pipeline, name, parts } = task;
    if (this.stopped) return new SkeinError("EXECUTOR_DIED", { name, reason: "the agent is stopping" });
    if (!this.find(pipeline)) return this.unknown(pipeline);
    const [actual, limit] = [taskBytes(task), parts ? LIMITS.valuesBytesMax : LIMITS.imageBytesMax];
    if (actual > limit) return new SkeinError("TOO_LARGE", { what: name, actual, limit });
    return this.queue.isFullFor(task)
      ? new SkeinError("EXECUTORS_BUSY", { name, waiting: this.queue.length })
      : undefined;
  }

  private find(pipeline: string): PipelineInfo | undefined {
    const builtIn = this.builtIn.find(({ name }) => name === pipeline);
    return builtIn ?? this.shelf.pipeline(pipeline) ?? this.segments.pipeline(pipeline);
  }

  private runs(seat: Seat, pipeline: string): boolean {
    if (this.segments.has(pipeline)) return this.segments.isOn(seat, pipeline);
    return this.builtIn.some(({ name }) => name === pipeline) || this.shelf.isOn(seat, pipeline);
  }

  private handOut(): void {
    if (this.queue.length === 0) return;
    const idle = this.seats.filter(({ state }) => state === "idle");
    for (const [n, seat] of idle.entries()) {
      const takers = (pipeline?: string): number =>
        idle.slice(n).filter((one) => pipeline === undefined || this.runs(one, pipeline)).length;
      const group = this.queue.takeGroup({
        runs: (pipeline) => this.runs(seat, pipeline),
        batchOf: (pipeline) => this.batchOf(pipeline),
        takers,
      });
      if (group.length > 0) void this.work(seat, seat.executor!, group);
    }
  }

  /** A batch cannot be stopped half-way: of stages nobody has timed, it might be the whole of a deadline. */
  private batchOf(pipeline: string): number {
    if (this.segments.has(pipeline) && !this.queue.knows(pipeline)) return 1;
    return this.find(pipeline)?.batch ?? 1;
  }

  private async work(seat: Seat, executor: ExecutorProcess, group: Waiting[]): Promise<void> {
    seat.state = "busy";
    for (const pipeline of new Set(group.map(({ task }) => task.pipeline))) {
      const segment = this.segments.used(pipeline);
      if (segment) executor.install(segment);
    }
    const unanswered = await executor.run(group);
    if (unanswered.length > 0) this.runAgain(unanswered);
    if (!executor.usable) return;
    const budgetBytes = this.memoryBytesMax + this.shelf.bytesOn(seat);
    if (executor.rssBytes > budgetBytes)
      executor.kill(`it held ${executor.rssBytes} bytes, over its budget of ${budgetBytes}`);
    else this.free(seat, executor);
  }

  private runAgain(unanswered: Waiting[]): void {
    this.queue.putBack(unanswered);
    // A model that went meanwhile has no executor to wait for.
    for (const { task } of unanswered)
      if (!this.find(task.pipeline)) this.refuse(this.queue.takeAll(task.pipeline), this.unknown(task.pipeline));
    if (this.stopped)
      this.refuse(this.queue.takeAll(), new SkeinError("EXECUTOR_DIED", { reason: "the agent is stopping" }));
    else this.handOut();
  }

  async calibrate(pipeline: string): Promise<{ secondsPerItem: number }> {
    const info = this.find(pipeline);
    if (!info) throw this.unknown(pipeline);
    const sample = await this.sampleOf(pipeline);
    const { executors = this.executors, batch = 1 } = info;
    // Full batches on every executor, as when much waits; fewer of a sample that fills the queue.
    const most = Math.min(LIMITS.inferenceQueueMax, LIMITS.inferenceQueueBytesMax / sample.input.length) >> 1;
    const count = Math.max(1, Math.min(most, executors * batch));
    const task = { pipeline, ...sample, deadlineMs: calibrationDeadlineMs };
    const measure = async (): Promise<number[]> => {
      const outcomes = await Promise.all(Array.from({ length: count }, () => this.run(task)));
      return outcomes.map(({ durationMs }) => durationMs);
    };
    const durationsMs = await measure();
    if (middleOf(durationsMs) < tellsEnoughMs) durationsMs.push(...(await measure()));
    return { secondsPerItem: middleOf(durationsMs) / 1000 };
  }

  private async sampleOf(pipeline: string): Promise<CalibrationSample> {
    const bundled = CALIBRATION_SAMPLES[pipeline];
    if (bundled) return bundled();
    const shelved = this.shelf.find(pipeline);
    if (!shelved && !this.segments.has(pipeline)) throw this.unknown(pipeline);
    if (shelved?.sampleLength === undefined) throw new SkeinError("MODEL_UNTIMED", { model: pipeline });
    return modelSample(shelved.model.manifest, shelved.sampleLength);
  }

  private unknown(pipeline: string): SkeinError {
    return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: this.pipelines().map(({ name }) => name) });
  }
}

const middleOf = (durationsMs: readonly number[]): number =>
  durationsMs.toSorted((a, b) => a - b)[durationsMs.length >> 1]!;

/**
 * The inference engine of this box. Executors are child processes, below the agent in priority, with one onnxruntime thread each
 * unless a model's choice says more; one that overruns a deadline, dies, or outgrows its memory is replaced.
 */
export function createInferenceEngine(init: InferenceInit, deps: { telemetry: Telemetry }): InferenceEngine {
  return new Engine(init, deps.telemetry);
}
