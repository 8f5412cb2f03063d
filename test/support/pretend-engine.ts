/**
 * The simulator's engine: no models and no processes, but the same queue, deadlines and deaths as the real one, over a
 * clock that is given. What it makes of an input is a function of the input's bytes alone.
 */
import { createHash } from "node:crypto";
import type {
  Cancel,
  Clock,
  EngineModel,
  InferenceEngine,
  InferenceOutcome,
  InferenceTask,
  ModelToLoad,
  PipelineInfo,
  StreamedInput,
} from "../../agent/ports/index.ts";
import { readCanaryInput, writeCanaryInput, writeCanaryOutput } from "../../shared/canary.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { writePageText } from "../../shared/page-text.ts";
import type { Segment } from "../../shared/pipeline/compiled.ts";
import type { SessionChoice } from "../../shared/session-choice.ts";
import { PretendStages } from "./pretend-stages.ts";

export interface PretendEngineInit {
  clock: Clock;
  executors: number;
  secondsPerItem: number;
}

/** An input that starts with it is one that no engine can read. */
export const UNREADABLE_INPUT = new TextEncoder().encode("unreadable");

const OCR: PipelineInfo = {
  name: "ocr",
  version: "1",
  models: [{ name: "pretend", sha256: "0".repeat(64), bytes: 1 }],
  itemsAlike: true,
};
const CANARY: PipelineInfo = { name: "canary", version: "1", models: [], itemsAlike: false };
/** Of a canary that lasts as long as an item of `ocr`. */
const CANARY_ROUNDS = 1_000_000;
const SAMPLES: Record<string, Uint8Array> = {
  ocr: new TextEncoder().encode("sample"),
  canary: writeCanaryInput({ rounds: 1_000, seed: "sample" }),
};

/** What every pretend engine makes of these bytes. */
export function pretendOutput(input: Uint8Array): Uint8Array {
  const text = createHash("sha256").update(input).digest("hex");
  return writePageText({ version: 1, width: 1, height: 1, text, lines: [{ text, score: 1, box: [0, 0, 1, 1] }] });
}

/** The same of a model: one tensor of text. */
export function pretendTensors(pipeline: string, input: Uint8Array): Uint8Array {
  const [name, version] = pipeline.split(":");
  const data = [createHash("sha256").update(input).digest("hex")];
  const outputs = [{ name: "pretend", shape: [1], datatype: "BYTES", data }];
  return new TextEncoder().encode(JSON.stringify({ model_name: name, model_version: version, outputs }));
}

/** The same of a canary; its rounds are not computed. */
function pretendDigest(input: Uint8Array): Uint8Array {
  const { rounds } = readCanaryInput(input);
  return writeCanaryOutput({ version: 1, rounds, digest: createHash("sha256").update(input).digest("hex") });
}

type HeldTask = InferenceTask & { input: Uint8Array };

interface Run {
  task: HeldTask;
  resolve: (outcome: InferenceOutcome) => void;
  reject: (error: SkeinError) => void;
  cancels: Cancel[];
}

export class PretendEngine implements InferenceEngine {
  readonly executors: number;
  /** Of runs that begin from now on: raise it to slow the box down. */
  secondsPerItem: number;
  /** Of models that differ from that, by pipeline. */
  readonly secondsPerItemOf = new Map<string, number>();
  /** Of loads that begin from now on. */
  secondsPerLoad = 0;
  readonly stages = new PretendStages();
  /** Told of each task of stages that begins to run. */
  onStages: (task: { pipeline: string; name: string }) => void = () => {};
  /** Begun and not ended by whatever means. */
  readonly #running = new Set<Run>();
  readonly #clock: Clock;
  #waiting: Run[] = [];
  #known: PipelineInfo[] = [];
  readonly #models = new Map<string, EngineModel>();
  #badLoads: string[] = [];
  #stopped = false;
  #crashes = 0;
  #hangs = 0;

  constructor({ clock, executors, secondsPerItem }: PretendEngineInit) {
    this.#clock = clock;
    this.executors = executors;
    this.secondsPerItem = secondsPerItem;
  }

  /** Executors at work, as a share of all. */
  get busyShare(): number {
    return this.#running.size / this.executors;
  }

  /** Runs that wait for an executor. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The next run (or as many as said) loses its executor half-way. */
  crashNext(runs = 1): void {
    this.#crashes += runs;
  }

  /** The next run (or as many as said) never ends by itself: its deadline ends it. */
  hangNext(runs = 1): void {
    this.#hangs += runs;
  }

  /** The next model that is loaded turns out to be broken. */
  failNextLoad(reason: string): void {
    this.#badLoads.push(reason);
  }

  /** SIGKILL to one executor: what it works on is lost, another takes its place. */
  killOne(): void {
    const [run] = this.#running;
    if (!run) return;
    const error = new SkeinError("EXECUTOR_DIED", { name: run.task.name, reason: "signal SIGKILL" });
    this.#end(run, () => run.reject(error));
  }

  async start(): Promise<void> {
    this.#known = [OCR, CANARY];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const died = (name: string): SkeinError =>
      new SkeinError("EXECUTOR_DIED", { name, reason: "the agent is stopping" });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of [...waiting, ...this.#running]) this.#end(run, () => run.reject(died(run.task.name)));
  }

  pipelines(): PipelineInfo[] {
    return [...this.#known, ...this.stages.pipelines()];
  }

  models(): EngineModel[] {
    return [...this.#models.values()];
  }

  async load({ pipeline, manifest, choice, folder }: ModelToLoad): Promise<void> {
    const loading: EngineModel = { pipeline, state: "loading" };
    this.#models.set(pipeline, loading);
    if (this.secondsPerLoad > 0)
      await new Promise<void>((resolve) => this.#clock.after(this.secondsPerLoad * 1000, resolve));
    const reason = this.#badLoads.shift();
    if (this.#models.get(pipeline) !== loading)
      throw new SkeinError("MODEL_INVALID", { model: pipeline, reason: "it was unloaded before it was loaded" });
    this.#forget(pipeline);
    if (reason) {
      this.#models.set(pipeline, { pipeline, state: "failed", reason });
      throw new SkeinError("MODEL_INVALID", { model: pipeline, reason });
    }
    this.#models.set(pipeline, { pipeline, state: "ready" });
    this.stages.load({ pipeline, manifest, choice, folder });
    const models = manifest.files.map(({ path: name, blob: sha256, bytes }) => ({ name, sha256, bytes }));
    const executors = Math.min(choice.executors, this.executors);
    const shape = { version: `${manifest.version}`, models, itemsAlike: true, executors, batch: choice.batch };
    this.#known = [...this.#known, { name: pipeline, ...shape }];
  }

  /** What was said last of each graph. */
  readonly tuned = new Map<string, SessionChoice>();

  install(segment: Segment): void {
    this.stages.install(segment);
  }

  tune(graph: string, choice: SessionChoice): void {
    this.tuned.set(graph, choice);
  }

  async unload(pipeline: string): Promise<void> {
    this.#models.delete(pipeline);
    this.stages.unload(pipeline);
    this.#forget(pipeline);
    const refused = this.#waiting.filter(({ task }) => task.pipeline === pipeline);
    this.#waiting = this.#waiting.filter(({ task }) => task.pipeline !== pipeline);
    for (const run of refused) run.reject(this.#unknown(pipeline));
  }

  #forget(pipeline: string): void {
    this.#known = this.#known.filter(({ name }) => name !== pipeline);
  }

  #unknown(pipeline: string): SkeinError {
    return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: this.pipelines().map((known) => known.name) });
  }

  async run(asked: InferenceTask): Promise<InferenceOutcome> {
    const refusal = this.#refusalOf(asked);
    if (refusal) throw refusal;
    const task = { ...asked, input: asked.input instanceof Uint8Array ? asked.input : await gathered(asked.input) };
    if (this.#stopped) throw new SkeinError("EXECUTOR_DIED", { name: task.name, reason: "the agent is stopping" });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject, cancels: [] });
      this.#handOut();
    });
  }

  #refusalOf({ pipeline, name }: InferenceTask): SkeinError | undefined {
    if (this.#stopped) return new SkeinError("EXECUTOR_DIED", { name, reason: "the agent is stopping" });
    if (!this.pipelines().some((known) => known.name === pipeline)) return this.#unknown(pipeline);
    if (this.#waiting.length >= LIMITS.inferenceQueueMax)
      return new SkeinError("EXECUTORS_BUSY", { name, waiting: this.#waiting.length });
    return undefined;
  }

  #handOut(): void {
    while (this.#running.size < this.executors) {
      const run = this.#waiting.shift();
      if (!run) return;
      this.#begin(run);
    }
  }

  #begin(run: Run): void {
    this.#running.add(run);
    if (this.stages.has(run.task.pipeline)) return void this.#beginStages(run);
    this.#last(run, this.#durationMs(run.task), (durationMs) => this.#finish(run, durationMs));
  }

  /** What comes of it is found out at once, and told when its stages would have ended. */
  async #beginStages(run: Run): Promise<void> {
    this.onStages(run.task);
    const { end, durationMs } = await this.stages.run(run.task);
    if (!this.#running.has(run)) return;
    const settle = (): void =>
      "error" in end ? run.reject(new SkeinError(end.error.code, end.error.facts)) : run.resolve(end);
    this.#last(run, durationMs, () => this.#end(run, settle));
  }

  #last(run: Run, durationMs: number, finish: (durationMs: number) => void): void {
    const { name, deadlineMs } = run.task;
    const late = (): void => {
      const error = new SkeinError("DEADLINE_EXCEEDED", { what: `Work on ${name}`, name, deadlineMs });
      this.#end(run, () => run.reject(error));
    };
    run.cancels.push(this.#clock.after(deadlineMs, late));
    if (this.#hangs > 0) this.#hangs--;
    else if (this.#crashes > 0) {
      this.#crashes--;
      const error = new SkeinError("EXECUTOR_DIED", { name, reason: "signal SIGSEGV" });
      run.cancels.push(this.#clock.after(durationMs / 2, () => this.#end(run, () => run.reject(error))));
    } else run.cancels.push(this.#clock.after(durationMs, () => finish(durationMs)));
  }

  /** A canary that cannot be read fails in no time. */
  #durationMs({ pipeline, input }: HeldTask): number {
    const itemMs = (this.secondsPerItemOf.get(pipeline) ?? this.secondsPerItem) * 1000;
    if (pipeline !== CANARY.name) return itemMs;
    try {
      return (itemMs * readCanaryInput(input).rounds) / CANARY_ROUNDS;
    } catch {
      return 0;
    }
  }

  #finish(run: Run, durationMs: number): void {
    const { input, name, pipeline } = run.task;
    this.#end(run, () => {
      if (input.length === 0) run.reject(new SkeinError("INPUT_EMPTY", { name }));
      else if (pipeline === CANARY.name) this.#finishCanary(run, durationMs);
      else if (UNREADABLE_INPUT.every((byte, at) => input[at] === byte))
        run.reject(new SkeinError("IMAGE_UNREADABLE", { name, reason: "its content is none of these formats" }));
      else if (this.#models.has(pipeline)) run.resolve({ output: pretendTensors(pipeline, input), durationMs });
      else run.resolve({ output: pretendOutput(input), durationMs });
    });
  }

  #finishCanary({ task: { input, name }, resolve, reject }: Run, durationMs: number): void {
    try {
      resolve({ output: pretendDigest(input), durationMs });
    } catch (error) {
      const { reason } = SkeinError.from(error).facts;
      reject(new SkeinError("INPUT_INVALID", { name, pipeline: CANARY.name, reason }));
    }
  }

  #end(run: Run, settle: () => void): void {
    for (const cancel of run.cancels) cancel();
    this.#running.delete(run);
    settle();
    this.#handOut();
  }

  async calibrate(pipeline: string): Promise<{ secondsPerItem: number }> {
    const task: InferenceTask = {
      pipeline,
      name: "sample",
      input: SAMPLES[pipeline] ?? new TextEncoder().encode("sample"),
      deadlineMs: Number.MAX_SAFE_INTEGER,
    };
    const outcomes = await Promise.all(Array.from({ length: this.executors }, () => this.run(task)));
    return { secondsPerItem: outcomes[0]!.durationMs / 1000 };
  }
}

async function gathered(input: StreamedInput): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input.read()) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}
