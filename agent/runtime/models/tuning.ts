import type { HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { checkSessionChoice, type SessionChoice } from "../../../shared/session-choice.ts";
import { gainOver, TUNED_ALIKE, type TuneRequest, type TuningView } from "../../../shared/tuning.ts";
import { Search, type TrialEnd, type TrialWanted } from "../../core/tuning/index.ts";
import type { Events } from "../events.ts";
import type { Surroundings } from "../surroundings.ts";
import { delay } from "../waiting.ts";
import { BenchNotes } from "./bench-notes.ts";
import type { Subject, Subjects } from "./subjects.ts";
import { trialOf } from "./trial-of.ts";
import type { WatchedEngine } from "./watched-engine.ts";

/** How often it is looked whether real work has ended. */
const LOOK_MS = 250;
/** So long nothing has run before the next trial: the items of a job come one upon the other. */
const QUIET_MS = 1_000;

export interface TuningInit {
  hardware: HardwareFacts;
  engine: WatchedEngine;
  subjects: Subjects;
  events: Events;
  itemsQueued: () => number;
  /** Profiles are being measured: that is given up for a search. */
  isBusy: () => boolean;
}

/**
 * Searches how a model is best run here, one search at a time, and never while real work is there: a trial that runs when
 * work comes is ended at once and run again when the work is done. What was found is kept, and used from then on.
 */
export class Tuning {
  readonly #world: Surroundings;
  readonly #init: TuningInit;
  readonly #found: BenchNotes<SessionChoice>;
  readonly #views = new Map<string, TuningView>();
  #running: string | undefined;
  #isStopped = false;

  constructor(world: Surroundings, init: TuningInit) {
    this.#world = world;
    this.#init = init;
    const check = (value: unknown): SessionChoice => checkSessionChoice(value);
    this.#found = new BenchNotes(world, { prefix: "tuned/", hardware: init.hardware, check });
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Takes up what earlier lives found. To be called before the engine starts. */
  async load(): Promise<void> {
    await this.#found.load();
    for (const subject of this.#init.subjects.all()) {
      const choice = this.choiceFor(subject.digest);
      if (choice) await this.#init.subjects.use(subject, choice);
    }
  }

  choiceFor(digest: BlobHash): SessionChoice | undefined {
    const choice = this.#found.get(digest);
    // It was found for another number of executors.
    return choice && choice.executors * choice.threads <= this.#init.engine.executors ? choice : undefined;
  }

  /** @throws MODEL_UNKNOWN where no search was begun in this life */
  view(model: string): TuningView {
    const view = this.#views.get(model);
    if (!view) throw new SkeinError("MODEL_UNKNOWN", { model });
    return view;
  }

  /** @throws MODEL_UNKNOWN, TUNING_BUSY */
  begin(model: string, { seconds = TIMING.tuneSeconds, tolerance = TUNED_ALIKE }: TuneRequest): TuningView {
    const subject = this.#init.subjects.find(model);
    if (this.#running) throw new SkeinError("TUNING_BUSY", { model: this.#running });
    const { name } = subject;
    this.#running = name;
    const startedAtMs = this.#world.clock.nowMs();
    const view: TuningView = { model: name, state: "running", seconds, tolerance, startedAtMs, rungs: [] };
    this.#views.delete(name);
    this.#views.set(name, view);
    for (const old of [...this.#views.keys()].slice(0, -LIMITS.tuningsKept)) this.#views.delete(old);
    this.#search(subject, view)
      .catch((error: unknown) => {
        view.state = "failed";
        view.reason = SkeinError.from(error).message;
      })
      .finally(() => {
        this.#running = undefined;
        const { state, reason, result } = view;
        const facts = {
          model: name,
          state,
          ...(reason && { reason }),
          ...(result && { adopted: result.adopted, gain: gainOver(result, "before") }),
        };
        this.#init.events.emit("tuningEnded", facts, state === "failed" ? "warn" : "info");
      });
    return view;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #search(subject: Subject, view: TuningView): Promise<void> {
    const { name, choice: before, batches, int8, fixed, digest } = subject;
    const axes = { cores: this.#init.engine.executors, batches, int8: int8 !== undefined, ...(fixed && { fixed }) };
    const search = new Search({ axes, before, budgetMs: view.seconds * 1_000, tolerance: view.tolerance });
    view.rungs = search.rungs;
    this.#init.events.emit("tuningBegan", { model: name, seconds: view.seconds });
    const untilMs = this.#world.clock.monotonicMs() + view.seconds * 1_000 + TIMING.tuneWaitMs;
    for (let wanted = search.next(); wanted; ) wanted = search.next(await this.#try(subject, wanted, view, untilMs));
    const { result } = search;
    if (!result)
      throw new SkeinError("MODEL_REFUSED", { model: name, reason: search.rungs[0]?.trials[0]?.out ?? "nothing ran" });
    view.result = result;
    if (result.adopted) {
      await this.#found.set(digest, result.choice);
      await this.#init.subjects.use(subject, result.choice);
    }
    view.state = "ended";
  }

  /** Once nothing else is to be done, and again if work came. */
  async #try(subject: Subject, { choice, runMs }: TrialWanted, view: TuningView, untilMs: number): Promise<TrialEnd> {
    const { clock } = this.#world;
    for (;;) {
      await this.#untilQuiet(view, untilMs);
      const trial = await trialOf(this.#world, this.#init.hardware, subject, choice, runMs);
      const startedMs = clock.monotonicMs();
      try {
        const outcome = await this.#init.subjects.trials.run(trial, this.#init.engine.untilWork());
        if (outcome) return { ...outcome, tookMs: clock.monotonicMs() - startedMs };
      } catch (error) {
        const { code, facts } = SkeinError.from(error);
        if (code !== "MODEL_REFUSED") throw error;
        return { refused: String(facts.reason), tookMs: clock.monotonicMs() - startedMs };
      }
    }
  }

  async #untilQuiet(view: TuningView, untilMs: number): Promise<void> {
    const { engine, itemsQueued, isBusy } = this.#init;
    while (engine.quietMs < QUIET_MS || itemsQueued() > 0 || isBusy()) {
      view.state = "waiting";
      await delay(this.#world.clock, LOOK_MS);
      this.#checkTime(view, untilMs);
    }
    this.#checkTime(view, untilMs);
    view.state = "running";
  }

  #checkTime(view: TuningView, untilMs: number): void {
    if (this.#isStopped)
      throw new SkeinError("DEADLINE_EXCEEDED", { what: "The search (the agent stops)", deadlineMs: 0 });
    if (this.#world.clock.monotonicMs() < untilMs) return;
    const deadlineMs = view.seconds * 1_000 + TIMING.tuneWaitMs;
    throw new SkeinError("DEADLINE_EXCEEDED", { what: `The search for ${view.model}, beside real work,`, deadlineMs });
  }
}
