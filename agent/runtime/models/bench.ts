import type { HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { ModelProfile } from "../../../shared/model-profile.ts";
import type { TuneRequest, TuningView } from "../../../shared/tuning.ts";
import type { Cancel } from "../../ports/index.ts";
import type { Events } from "../events.ts";
import type { Surroundings } from "../surroundings.ts";
import { Profiles } from "./profiles.ts";
import { Subjects } from "./subjects.ts";
import { Tuning } from "./tuning.ts";
import type { WatchedEngine } from "./watched-engine.ts";

export interface BenchInit {
  hardware: HardwareFacts;
  engine: WatchedEngine;
  events: Events;
  itemsQueued: () => number;
  nodes: () => NodeView[];
  /** What is known of the models here changed. */
  onChange: () => void;
}

/** What this box finds out of the models on it: how quick each is, and how it is best run. A box without trials finds out nothing. */
export class Bench {
  readonly #world: Surroundings;
  readonly #parts: { subjects: Subjects; profiles: Profiles; tuning: Tuning } | undefined;
  #looking: Cancel = () => {};

  constructor(world: Surroundings, init: BenchInit) {
    this.#world = world;
    if (!world.trials || init.engine.executors === 0) return;
    const subjects = new Subjects(world, init.engine, world.trials);
    const profiles: Profiles = new Profiles(world, { ...init, subjects, isBusy: () => tuning.isRunning });
    const tuning: Tuning = new Tuning(world, { ...init, subjects, isBusy: () => profiles.isMeasuring });
    this.#parts = { subjects, profiles, tuning };
    init.engine.ears = {
      choiceFor: (model) => tuning.choiceFor(subjects.digestOf(model)),
      onRun: (pipeline, durationMs) => profiles.ran(pipeline, durationMs),
      onModels: init.onChange,
    };
  }

  /** What earlier lives found. To be called before the engine starts. */
  async load(): Promise<void> {
    if (!this.#parts) return;
    try {
      await this.#parts.subjects.load();
      await this.#parts.profiles.load();
      await this.#parts.tuning.load();
    } catch (error) {
      // Models that are run plainly and measured anew are no reason not to start.
      this.#world.telemetry.log("warn", "benchUnreadable", { reason: SkeinError.from(error).message });
    }
  }

  start(): void {
    const profiles = this.#parts?.profiles;
    if (profiles) this.#looking = this.#world.clock.every(TIMING.profileLookMs, () => void profiles.look());
  }

  async stop(): Promise<void> {
    this.#looking();
    this.#parts?.tuning.stop();
    await this.#world.trials?.close();
  }

  profiles(): ModelProfile[] {
    return this.#parts?.profiles.profiles() ?? [];
  }

  /** Items a second of one executor, where nothing was measured of real runs yet. */
  guess(pipeline: string): number | undefined {
    return this.#parts?.profiles.guess(pipeline);
  }

  /** @throws MODEL_UNKNOWN, TUNING_BUSY, BAD_REQUEST on a box that runs no models */
  tune(model: string, request: TuneRequest): TuningView {
    return this.#tuning().begin(model, request);
  }

  /** @throws MODEL_UNKNOWN, BAD_REQUEST */
  tuning(model: string): TuningView {
    return this.#tuning().view(model);
  }

  #tuning(): Tuning {
    if (this.#parts) return this.#parts.tuning;
    throw new SkeinError("BAD_REQUEST", { reason: "this box runs no models; ask another" });
  }
}
