import type { Segment } from "../../../shared/pipeline/compiled.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type {
  Clock,
  EngineModel,
  InferenceEngine,
  InferenceOutcome,
  InferenceTask,
  ModelToLoad,
  PipelineInfo,
} from "../../ports/index.ts";

export interface EngineEars {
  /** How a model is run here by what was found out; undefined if nothing was. */
  choiceFor: (model: ModelToLoad) => SessionChoice | undefined;
  /** A run ended well. */
  onRun: (pipeline: string, durationMs: number) => void;
  /** Something was loaded or unloaded. */
  onModels: () => void;
}

/**
 * The engine, with an ear at its door: whether real work runs, since when none does, which models are there and how they
 * are run. A model is loaded with the choice that was found for it on this box, whatever the caller had in mind.
 */
export class WatchedEngine implements InferenceEngine {
  readonly #engine: InferenceEngine;
  readonly #clock: Clock;
  readonly #loaded = new Map<string, ModelToLoad>();
  ears: EngineEars | undefined;
  #running = 0;
  #quietSinceMs: number;
  #untilWork = new AbortController();

  constructor(engine: InferenceEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
    this.#quietSinceMs = clock.monotonicMs();
  }

  /** Since anything ran here; 0 while something does. */
  get quietMs(): number {
    return this.#running > 0 ? 0 : this.#clock.monotonicMs() - this.#quietSinceMs;
  }

  /** Aborted at the moment at which work comes. */
  untilWork(): AbortSignal {
    return this.#untilWork.signal;
  }

  /** Models that are loaded now, each as it is run. */
  loaded(): ModelToLoad[] {
    return [...this.#loaded.values()];
  }

  has(pipeline: string): boolean {
    return this.#loaded.has(pipeline);
  }

  get executors(): number {
    return this.#engine.executors;
  }

  start(): Promise<void> {
    return this.#at(() => this.#engine.start());
  }

  stop(): Promise<void> {
    return this.#engine.stop();
  }

  pipelines(): PipelineInfo[] {
    return this.#engine.pipelines();
  }

  models(): EngineModel[] {
    return this.#engine.models();
  }

  async run(task: InferenceTask): Promise<InferenceOutcome> {
    const outcome = await this.#at(() => this.#engine.run(task));
    this.ears?.onRun(task.pipeline, outcome.durationMs);
    return outcome;
  }

  calibrate(pipeline: string): Promise<{ secondsPerItem: number }> {
    return this.#at(() => this.#engine.calibrate(pipeline));
  }

  async load(wanted: ModelToLoad): Promise<void> {
    const model = { ...wanted, choice: this.ears?.choiceFor(wanted) ?? wanted.choice };
    await this.#at(() => this.#engine.load(model));
    this.#loaded.set(model.pipeline, model);
    this.ears?.onModels();
  }

  async unload(pipeline: string): Promise<void> {
    this.#loaded.delete(pipeline);
    this.ears?.onModels();
    await this.#engine.unload(pipeline);
  }

  install(segment: Segment): void {
    this.#engine.install(segment);
  }

  tune(graph: string, choice: SessionChoice): void {
    this.#engine.tune(graph, choice);
  }

  async #at<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    this.#untilWork.abort();
    try {
      return await work();
    } finally {
      if (--this.#running === 0) {
        this.#quietSinceMs = this.#clock.monotonicMs();
        this.#untilWork = new AbortController();
      }
    }
  }
}
