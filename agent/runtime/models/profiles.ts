import type { HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import { TIMING } from "../../../shared/limits.ts";
import { bestBatch, checkModelProfile, type ModelProfile, PROFILED_BATCHES } from "../../../shared/model-profile.ts";
import type { TrialOutcome } from "../../ports/index.ts";
import type { Events } from "../events.ts";
import type { Surroundings } from "../surroundings.ts";
import { BenchNotes } from "./bench-notes.ts";
import type { Subject, Subjects } from "./subjects.ts";
import { trialOf } from "./trial-of.ts";
import type { WatchedEngine } from "./watched-engine.ts";

/** Weight of the newest run in a profile, and in its error. */
const RUN_WEIGHT = 0.1;
/** A corrected profile is noted anew when it has moved so far, and so long after the last time: flash wears out. */
const NOTED_CHANGE = 0.1;
const NOTED_MS = 60_000;
/** How long each batch is run; some are run longer, because one run takes longer. */
const RUN_MS = 500;
/** A batch of which one run would take longer is not measured: nobody would wait for it. */
const RUN_MS_MAX = 4_000;

export interface ProfilesInit {
  hardware: HardwareFacts;
  engine: WatchedEngine;
  subjects: Subjects;
  events: Events;
  /** Real work that is here and does not run yet. */
  itemsQueued: () => number;
  /** Something else tries things out. */
  isBusy: () => boolean;
  nodes: () => NodeView[];
  onChange: () => void;
}

/**
 * What this box does with each model: measured once, when nothing else has been done for a while, given up at once when work
 * comes and taken up again later; kept on disk; corrected by every real run. Until then, what a box of the same class
 * measured.
 */
export class Profiles {
  readonly #world: Surroundings;
  readonly #init: ProfilesInit;
  readonly #notes: BenchNotes<ModelProfile>;
  readonly #noted = new Map<string, { ms: number; atMs: number }>();
  /** Measured so far of one that was given up. */
  readonly #begun = new Map<string, { items: number; outcome: TrialOutcome }[]>();
  /** Not tried again in this life. */
  readonly #failed = new Set<string>();
  #isMeasuring = false;

  constructor(world: Surroundings, init: ProfilesInit) {
    this.#world = world;
    this.#init = init;
    const check = (value: unknown): ModelProfile => checkModelProfile(value, "profile");
    this.#notes = new BenchNotes(world, { prefix: "profile/", hardware: init.hardware, check });
  }

  load(): Promise<void> {
    return this.#notes.load();
  }

  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  /** Of every model here of which anything is known. */
  profiles(): ModelProfile[] {
    return this.#init.subjects.all().flatMap((subject) => this.#own(subject) ?? this.#ofClass(subject) ?? []);
  }

  /** Items a second of one executor, until this box has a rate of its own. */
  guess(pipeline: string): number | undefined {
    const profile = this.profiles().find((one) => one.pipeline === pipeline);
    if (!profile) return undefined;
    const { batch = 1 } = this.#init.engine.pipelines().find(({ name }) => name === pipeline) ?? {};
    return Math.max(...profile.runs.filter(({ items }) => items <= batch).map(({ items, ms }) => (items / ms) * 1_000));
  }

  #own({ name, digest }: Subject): ModelProfile | undefined {
    const kept = this.#notes.get(digest);
    return kept && { ...kept, pipeline: name };
  }

  /** As a box with the same firmware profile and processor measured it. */
  #ofClass({ name, digest }: Subject): ModelProfile | undefined {
    const { profile, cpuModel } = this.#init.hardware;
    for (const { report } of this.#init.nodes()) {
      if (report?.hardware.profile !== profile || report.hardware.cpuModel !== cpuModel) continue;
      const found = report.profiles?.find((one) => one.digest === digest && one.source === "measured");
      if (found) return { ...found, pipeline: name, source: "class" };
    }
    return undefined;
  }

  /** Called now and then: measures what is missing if this is the time for it. */
  async look(): Promise<void> {
    const { engine, itemsQueued, isBusy, subjects } = this.#init;
    if (this.#isMeasuring || isBusy() || itemsQueued() > 0 || engine.quietMs < TIMING.profileQuietMs) return;
    const missing = subjects.all().find((one) => !this.#notes.get(one.digest) && !this.#failed.has(one.digest));
    if (!missing) return;
    this.#isMeasuring = true;
    try {
      await this.#measure(missing);
    } catch (error) {
      this.#failed.add(missing.digest);
      const { message: reason } = SkeinError.from(error);
      this.#init.events.emit("profileFailed", { model: missing.name, reason }, "warn");
    } finally {
      this.#isMeasuring = false;
    }
  }

  async #measure(subject: Subject): Promise<void> {
    if ((await this.#world.probe.vitals()).throttled) return;
    const measured = this.#begun.get(subject.digest) ?? [];
    this.#begun.set(subject.digest, measured);
    for (const items of subject.batches ? PROFILED_BATCHES : [1]) {
      if (measured.some((one) => one.items === items)) continue;
      if (this.#init.isBusy()) return;
      const last = measured.at(-1);
      if (last && (last.outcome.runMs / last.items) * items > RUN_MS_MAX) break;
      const outcome = await this.#tryBatch(subject, items, measured.length > 0);
      if (outcome === "stopped") return;
      if (outcome === "refused") break;
      measured.push({ items, outcome });
    }
    this.#begun.delete(subject.digest);
    await this.#keep(subject, measured);
  }

  async #tryBatch(subject: Subject, batch: number, mayFail: boolean): Promise<TrialOutcome | "stopped" | "refused"> {
    const { engine, subjects, hardware } = this.#init;
    const trial = await trialOf(this.#world, hardware, subject, { ...subject.choice, batch }, RUN_MS);
    try {
      return (await subjects.trials.run(trial, engine.untilWork())) ?? "stopped";
    } catch (error) {
      if (mayFail && SkeinError.from(error).code === "MODEL_REFUSED") return "refused";
      throw error;
    }
  }

  async #keep({ name, digest }: Subject, measured: { items: number; outcome: TrialOutcome }[]): Promise<void> {
    const runs = measured.map(({ items, outcome }) => ({ items, ms: outcome.runMs }));
    const best = bestBatch({ runs });
    const [alone, atBest] = [measured[0]!.outcome, measured.find(({ items }) => items === best)!.outcome];
    const { joulesPerItem } = atBest;
    const profile: ModelProfile = {
      pipeline: name,
      digest,
      runs,
      loadMs: alone.loadMs,
      firstRunMs: alone.firstRunMs,
      memoryPeakBytes: atBest.memoryPeakBytes,
      memorySettledBytes: atBest.memorySettledBytes,
      ...(joulesPerItem !== undefined && { joulesPerItem }),
      source: "measured",
    };
    await this.#notes.set(digest, profile);
    this.#init.events.emit("modelProfiled", { model: name, batch: best, ms: Math.round(runs[0]!.ms * 100) / 100 });
    this.#init.onChange();
  }

  /**
   * A run of one item ended. All sizes move with it: a box that is hot or shared is slower at all of them. Of a model that
   * runs in batches nobody knows how many went together, so there the rate alone is corrected.
   */
  ran(pipeline: string, durationMs: number): void {
    const subject = this.#init.engine.has(pipeline) ? this.#init.subjects.find(pipeline) : undefined;
    const profile = subject && this.#notes.get(subject.digest);
    if (!profile || subject.choice.batch > 1 || durationMs <= 0) return;
    const alone = profile.runs[0]!.ms;
    const error = Math.abs(alone - durationMs) / durationMs;
    const factor = 1 + RUN_WEIGHT * (durationMs / alone - 1);
    const before = profile.predictionError ?? error;
    profile.predictionError = before + RUN_WEIGHT * (error - before);
    profile.runs = profile.runs.map(({ items, ms }) => ({ items, ms: ms * factor }));
    void this.#noteMoved(subject, profile);
  }

  async #noteMoved({ digest }: Subject, profile: ModelProfile): Promise<void> {
    const atMs = this.#world.clock.monotonicMs();
    const { ms } = profile.runs[0]!;
    const noted = this.#noted.get(digest);
    if (noted && (Math.abs(ms / noted.ms - 1) < NOTED_CHANGE || atMs - noted.atMs < NOTED_MS)) return;
    this.#noted.set(digest, { ms, atMs });
    if (noted) await this.#notes.set(digest, profile);
  }
}
