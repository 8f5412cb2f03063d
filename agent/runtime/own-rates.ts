import type { PipelineRate } from "../../shared/capacity.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { NotedRate } from "../../shared/wire/notes.ts";
import type { ResultSigner } from "./proof.ts";
import type { Surroundings } from "./surroundings.ts";
import type { WorkerMemory } from "./worker-memory.ts";

/** Weight of the newest run in this node's measured speed. */
const RATE_WEIGHT = 0.3;
/** Of a model that cannot be timed and was not examined. */
const GUESSED_PER_SECOND = 1;
/** An executor is killed when a run takes this many times what it usually does, and never sooner than the floor. */
const DEADLINE_FACTOR = 20;
const DEADLINE_FLOOR_MS = 60_000;

export interface OwnRatesInit {
  signer: ResultSigner;
  memory: WorkerMemory;
  /** Items a second of one executor of a pipeline that was not measured here yet. */
  guess: (pipeline: string) => number | undefined;
  /** They changed enough to be told. */
  onChange: () => void;
  /** Names of segments and pipelines of stages: what those take is told by stage. */
  isOfStages: (pipeline: string) => boolean;
}

/** How fast this node runs each of its pipelines: measured once, remembered over a restart, corrected by real work. */
export class OwnRates {
  readonly #world: Surroundings;
  readonly #init: OwnRatesInit;
  /** Pipelines that are about to go: no work is wanted for them. */
  readonly #withheld = new Set<string>();
  readonly #secondsPerItem = new Map<string, { seconds: number; source: PipelineRate["source"] }>();

  constructor(world: Surroundings, init: OwnRatesInit) {
    this.#world = world;
    this.#init = init;
  }

  /** Measured speed of every pipeline that this node runs now, all its executors together. */
  all(): PipelineRate[] {
    const { engine } = this.#world;
    return engine.pipelines().flatMap(({ name, executors = engine.executors }) => {
      if (this.#withheld.has(name) || this.#init.isOfStages(name)) return [];
      const measured = this.#secondsPerItem.get(name);
      if (!measured) {
        const guess = this.#init.guess(name);
        return guess === undefined ? [] : [{ pipeline: name, itemsPerSecond: executors * guess, source: "profile" }];
      }
      const { seconds, source } = measured;
      return [{ pipeline: name, itemsPerSecond: executors / seconds, source }];
    });
  }

  /** Measures each pipeline on a bundled sample, unless an earlier life of this node knew how fast it runs here. */
  async calibrate(): Promise<void> {
    const { signer, memory, onChange } = this.#init;
    const pipelines = this.#world.engine.pipelines();
    const digests = pipelines.flatMap(({ name }) => signer.digestOf(name) ?? []);
    const remembered = await memory.rates(digests, this.#world.engine.executors);
    for (const { name } of pipelines) {
      const rate = remembered.get(signer.digestOf(name)!);
      if (rate) this.#secondsPerItem.set(name, { seconds: rate.secondsPerItem, source: rate.source });
    }
    if (remembered.size > 0) onChange();
    for (const { name } of pipelines) {
      if (remembered.has(signer.digestOf(name)!)) continue;
      if (!this.#secondsPerItem.has(name)) await this.calibrateOne(name);
    }
  }

  /** Measures a pipeline anew, as after a model was loaded: from then on this node reports a rate and gets work of it. @throws as InferenceEngine.calibrate */
  async calibrateOne(pipeline: string): Promise<void> {
    this.#secondsPerItem.delete(pipeline);
    const measured = await this.#timed(pipeline);
    // Work that was done meanwhile tells more.
    if (!this.#secondsPerItem.has(pipeline)) this.#secondsPerItem.set(pipeline, measured);
    this.#init.onChange();
  }

  /** A model that is loaded and takes no made-up input (one with a state, say) runs all the same where a pipeline gives it what it takes. */
  async #timed(pipeline: string): Promise<{ seconds: number; source: PipelineRate["source"] }> {
    const { engine } = this.#world;
    try {
      const { secondsPerItem: seconds } = await engine.calibrate(pipeline);
      return { seconds, source: "calibration" };
    } catch (error) {
      if (SkeinError.from(error).code !== "MODEL_UNTIMED") throw error;
      return { seconds: 1 / (this.#init.guess(pipeline) ?? GUESSED_PER_SECOND), source: "profile" };
    }
  }

  /** Tells its rate no more, so that this node gets no more work of it; or again. */
  withhold(pipeline: string, isWithheld: boolean): void {
    if (this.#withheld.has(pipeline) === isWithheld) return;
    if (isWithheld) this.#withheld.add(pipeline);
    else this.#withheld.delete(pipeline);
    this.#init.onChange();
  }

  /** The pipeline is here no more. */
  forget(pipeline: string): void {
    this.#secondsPerItem.delete(pipeline);
    this.#withheld.delete(pipeline);
    this.#init.onChange();
  }

  /** By digest of the pipeline, to be noted. */
  measured(): Map<BlobHash, NotedRate> {
    const { executors } = this.#world.engine;
    return new Map(
      [...this.#secondsPerItem].flatMap(([pipeline, { seconds, source }]): [BlobHash, NotedRate][] => {
        const digest = this.#init.signer.digestOf(pipeline);
        return digest ? [[digest, { executors, secondsPerItem: seconds, source }]] : [];
      }),
    );
  }

  /** Where items differ a thousandfold the last ones say nothing of the next: there the sample's time stays, which tells boxes apart. */
  learn(pipeline: string, durationMs: number): void {
    if (!this.#world.engine.pipelines().find(({ name }) => name === pipeline)?.itemsAlike) return;
    const seen = durationMs / 1_000;
    const before = this.#secondsPerItem.get(pipeline)?.seconds ?? seen;
    this.#secondsPerItem.set(pipeline, { seconds: before + RATE_WEIGHT * (seen - before), source: "work" });
  }

  /** For one item, before its executor is taken to hang. */
  deadlineMs(pipeline: string): number {
    const seconds = this.#secondsPerItem.get(pipeline)?.seconds ?? 0;
    return Math.max(DEADLINE_FLOOR_MS, seconds * 1_000 * DEADLINE_FACTOR);
  }
}
