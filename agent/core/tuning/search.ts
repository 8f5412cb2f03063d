import { outputDifference } from "../../../shared/alike-outputs.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type { TuningResult, TuningRung, TuningTrial } from "../../../shared/tuning.ts";
import { type Axes, batched, defaultsChoice, finer, keyOf, plainness, shapes } from "./choices.ts";

export interface SearchInit {
  axes: Axes;
  /** In use until now. */
  before: SessionChoice;
  /** For all of it. */
  budgetMs: number;
  /** How far outputs may be from the reference's, as a part of the largest value; what is farther is out. */
  tolerance: number;
}

export interface TrialWanted {
  choice: SessionChoice;
  runMs: number;
}

/** What came of a trial, and how long it took from end to end. */
export type TrialEnd = { tookMs: number } & (
  | { refused: string }
  | {
      itemsPerSecond: number;
      runMs: number;
      memoryPeakBytes: number;
      memorySettledBytes: number;
      outputs: Float64Array[];
    }
);

/** Of the budget. */
const SHARE = { shape: 0.3, batch: 0.25, fine: 0.25, final: 0.2 };
/** The first rung of a stage has them all, for as short as can be: it is given so much more than the others. */
const FIRST = 3;
/** One in so many goes on. */
const ETA = 3;
/** A run as short as that tells a third from a half, and no more; one longer tells nothing new. */
const RUN_MS = { min: 120, max: 3_000 };
/** Before any trial: a process, a load and a first run. */
const OVERHEAD_MS = 400;
/** Within that of the quickest a choice counts as quick: then the plainer is taken. */
const TIE = 0.01;
/** In use is exchanged for what is quicker by more than that. */
const WORTH = 0.03;
/** Choices that the first stage leaves, shapes of theirs that are tried with every batch, and choices that are refined and come to the last rung. */
const SHAPED = 4;
const BATCHED = 3;
const REFINED = 2;

interface Measured {
  choice: SessionChoice;
  trial: TuningTrial & { itemsPerSecond: number };
}

/**
 * Successive halving (Jamieson & Talwalkar 2016), here in thirds: all are tried for a short time, the better third for
 * longer, and so on; first over what decides most, then over what decides less. In the last rung the best, what was in use
 * and onnxruntime's defaults are measured side by side, twice, so that the gain is of one moment.
 */
export class Search {
  readonly rungs: TuningRung[] = [];
  /** Once the search has ended, and if anything could be run. */
  result: TuningResult | undefined;
  readonly #init: SearchInit;
  readonly #steps: Generator<TrialWanted, void, TrialEnd>;
  #reference: Float64Array[] | undefined;
  #spentMs = 0;
  #overheadMs = OVERHEAD_MS;

  constructor(init: SearchInit) {
    this.#init = init;
    this.#steps = this.#search();
  }

  /** What to try first, or after what came of the last; undefined when the search has ended. */
  next(end?: TrialEnd): TrialWanted | undefined {
    const step = end ? this.#steps.next(end) : this.#steps.next();
    return step.done ? undefined : step.value;
  }

  *#search(): Generator<TrialWanted, void, TrialEnd> {
    const { axes, budgetMs } = this.#init;
    const all = shapes(axes);
    const reference = yield* this.#rung("reference", [all[0]!], 0);
    if (reference.length === 0) return;
    const byShape = yield* this.#sift("shape", all, budgetMs * SHARE.shape, SHAPED);
    const sizes = batched(byShape, axes, BATCHED);
    const bySize = axes.batches
      ? yield* this.#sift("batch", sizes, budgetMs * SHARE.batch, REFINED)
      : byShape.slice(0, REFINED);
    const fineMs = ((budgetMs - this.#spentMs) * SHARE.fine) / (SHARE.fine + SHARE.final);
    const best = yield* this.#sift("fine", finer(bySize, axes), fineMs, REFINED);
    yield* this.#last(best.length > 0 ? best : bySize);
  }

  /** Where there is nothing to choose nothing is tried. */
  *#sift(
    stage: TuningRung["stage"],
    choices: SessionChoice[],
    shareMs: number,
    keep: number,
  ): Generator<TrialWanted, SessionChoice[], TrialEnd> {
    return choices.length === 1 ? choices : choicesOf(yield* this.#halve(stage, choices, shareMs, keep));
  }

  /** Down to so many. */
  *#halve(
    stage: TuningRung["stage"],
    choices: SessionChoice[],
    shareMs: number,
    keep: number,
  ): Generator<TrialWanted, Measured[], TrialEnd> {
    let left = choices;
    let rungsLeft = Math.max(1, Math.ceil(Math.log(left.length / keep) / Math.log(ETA)));
    const untilMs = this.#spentMs + shareMs;
    for (;;) {
      const parts = left === choices ? (rungsLeft - 1 + FIRST) / FIRST : rungsLeft;
      const measured = yield* this.#rung(stage, left, (untilMs - this.#spentMs) / parts);
      const kept = measured.slice(0, rungsLeft === 1 ? keep : Math.max(keep, Math.ceil(left.length / ETA)));
      this.rungs.at(-1)!.kept = kept.length;
      if (--rungsLeft === 0 || kept.length <= keep) return kept;
      left = kept.map(({ choice }) => choice);
    }
  }

  /** Each once; the quickest first. What does not fit into the time is left out, the plainest last of all. */
  *#rung(
    stage: TuningRung["stage"],
    wanted: SessionChoice[],
    shareMs: number,
  ): Generator<TrialWanted, Measured[], TrialEnd> {
    const fit = Math.max(REFINED, Math.floor(shareMs / (this.#overheadMs + RUN_MS.min)));
    const choices = wanted.slice(0, fit);
    const runMs = clamp(shareMs / choices.length - this.#overheadMs);
    const rung: TuningRung = { stage, runMs, trials: [], kept: 0, untried: wanted.length - choices.length };
    this.rungs.push(rung);
    const endMs = this.#spentMs + shareMs * 1.2;
    for (const choice of choices) {
      const hopeless = this.#hopeless(choice, rung.trials, shareMs);
      if (hopeless !== undefined) rung.trials.push({ choice, out: hopeless });
      else if (rung.trials.length >= REFINED && this.#spentMs > endMs) rung.untried++;
      else rung.trials.push(this.#read(choice, runMs, yield { choice, runMs }));
    }
    const measured = measuredOf(rung.trials);
    rung.kept = measured.length;
    return measured;
  }

  #read(choice: SessionChoice, runMs: number, end: TrialEnd): TuningTrial {
    this.#spentMs += end.tookMs;
    this.#overheadMs += 0.2 * (Math.max(0, end.tookMs - runMs) - this.#overheadMs);
    if ("refused" in end) return { choice, out: end.refused };
    const { outputs, tookMs: _, ...figures } = end;
    this.#reference ??= outputs;
    const difference = outputDifference(this.#reference, outputs);
    const { tolerance } = this.#init;
    return {
      choice,
      ...figures,
      difference,
      ...(difference > tolerance && {
        out: `its outputs are ${percent(difference)} away, and ${percent(tolerance)} is allowed`,
      }),
    };
  }

  /** A batch twice as large as one that was worse than its half, could not be run, or took long, is not tried. */
  #hopeless(choice: SessionChoice, trials: readonly TuningTrial[], shareMs: number): string | undefined {
    const ofBatch = (batch: number): TuningTrial | undefined =>
      trials.find((trial) => keyOf(trial.choice) === keyOf({ ...choice, batch }));
    const half = ofBatch(choice.batch / 2);
    if (half?.out !== undefined) return `a batch of ${choice.batch / 2} is out`;
    if (!half?.itemsPerSecond) return undefined;
    const quarter = ofBatch(choice.batch / 4);
    if (quarter?.itemsPerSecond && half.itemsPerSecond < quarter.itemsPerSecond * 0.9)
      return `a batch of ${choice.batch / 2} is slower than its half`;
    if (half.runMs! * 2 > shareMs / 4) return `one run would take ${Math.round(half.runMs! * 2)} ms`;
    return undefined;
  }

  *#last(best: SessionChoice[]): Generator<TrialWanted, void, TrialEnd> {
    const { axes, before, budgetMs } = this.#init;
    const defaults = defaultsChoice(axes.cores);
    const choices = [
      ...new Map([...best.slice(0, REFINED), before, defaults].map((one) => [keyOf(one), one])).values(),
    ];
    const shareMs = Math.max(budgetMs - this.#spentMs, budgetMs * SHARE.final) / 2;
    const first = yield* this.#rung("final", choices, shareMs);
    yield* this.#rung("final", [...choices].reverse(), shareMs);
    const [one, other] = this.rungs.slice(-2) as [TuningRung, TuningRung];
    const both = choices.map((choice) => mean(trialOf(one, choice), trialOf(other, choice)));
    const [quickest] = measuredOf(both);
    if (first.length === 0 || !quickest) return;
    const chosen = measuredOf(both)
      .filter(({ trial }) => trial.itemsPerSecond >= quickest.trial.itemsPerSecond * (1 - TIE))
      .sort((a, b) => plainness(a.choice, axes.cores) - plainness(b.choice, axes.cores))[0]!;
    const trialFor = (choice: SessionChoice): TuningTrial =>
      both.find((trial) => keyOf(trial.choice) === keyOf(choice))!;
    const used = trialFor(before).itemsPerSecond ?? 0;
    this.result = {
      choice: chosen.choice,
      itemsPerSecond: chosen.trial.itemsPerSecond,
      found: chosen.trial,
      defaults: trialFor(defaults),
      before: trialFor(before),
      adopted: chosen.trial.itemsPerSecond > used * (1 + WORTH),
    };
  }
}

const choicesOf = (measured: readonly Measured[]): SessionChoice[] => measured.map(({ choice }) => choice);
const clamp = (ms: number): number => Math.round(Math.min(RUN_MS.max, Math.max(RUN_MS.min, ms)));
const percent = (part: number): string => `${Number((part * 100).toPrecision(2))} %`;

const trialOf = (rung: TuningRung, choice: SessionChoice): TuningTrial | undefined =>
  rung.trials.find((trial) => keyOf(trial.choice) === keyOf(choice));

/** Those that count, the quickest first. */
function measuredOf(trials: readonly TuningTrial[]): Measured[] {
  return trials
    .flatMap((trial): Measured[] => {
      const { itemsPerSecond, choice } = trial;
      return itemsPerSecond === undefined || trial.out !== undefined
        ? []
        : [{ choice, trial: { ...trial, itemsPerSecond } }];
    })
    .sort((a, b) => b.trial.itemsPerSecond - a.trial.itemsPerSecond);
}

/** Of two trials of one choice: what failed in one of them is out. */
function mean(a: TuningTrial | undefined, b: TuningTrial | undefined): TuningTrial {
  if (!a || !b) return (a ?? b)!;
  if (a.out !== undefined || b.out !== undefined) return a.out !== undefined ? a : b;
  const middle = (pick: "itemsPerSecond" | "runMs"): number => (a[pick]! + b[pick]!) / 2;
  return { ...a, itemsPerSecond: middle("itemsPerSecond"), runMs: middle("runMs") };
}
