/**
 * The simulator's engine: no models and no processes, but the same queue, deadlines and deaths as the real one, over a
 * clock that is given. What it makes of an input is a function of the input's bytes alone.
 */
import { createHash } from "node:crypto";
import type {
  Cancel,
  Clock,
  InferenceEngine,
  InferenceOutcome,
  InferenceTask,
  PipelineInfo,
  StreamedInput,
} from "../../agent/ports/index.ts";
import { readCanaryInput, writeCanaryInput, writeCanaryOutput } from "../../shared/canary.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { writePageText } from "../../shared/page-text.ts";

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
  /** Begun and not ended by whatever means. */
  readonly #running = new Set<Run>();
  readonly #clock: Clock;
  #waiting: Run[] = [];
  #known: PipelineInfo[] = [];
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
    return this.#known;
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
    if (!this.#known.some((known) => known.name === pipeline))
      return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: this.#known.map((known) => known.name) });
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
    const { name, deadlineMs } = run.task;
    const durationMs = this.#durationMs(run.task);
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
    } else run.cancels.push(this.#clock.after(durationMs, () => this.#finish(run, durationMs)));
  }

  /** A canary that cannot be read fails in no time. */
  #durationMs({ pipeline, input }: HeldTask): number {
    const itemMs = this.secondsPerItem * 1000;
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
      input: SAMPLES[pipeline]!,
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
