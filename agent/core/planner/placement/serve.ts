import type { Question } from "./question.ts";

/** What a placement serves. */
export interface Served {
  /** The share of its demand that every model which stands somewhere gets, at least; Infinity if none stands. */
  share: number;
  /** How each node divides its time between its models to get there, 0 to 1, by pair. */
  time: Float64Array;
  /** No division of these replicas serves more than this. */
  bound: number;
  /** What one item more of each model would be worth, so that a node's time is worth its best model's rate times this. */
  worth: Float64Array;
}

/** Sharpness of the choice between models of one node, from even-handed to nearly the best only; rounds at each. */
const SHARPNESS = [2, 4, 8, 16, 32, 64, 128, 256];
const ROUNDS = 30;
const ROUNDS_QUICK = 10;
/** The end: nothing can be more than this above what was found. */
const CLOSE_ENOUGH = 1.002;
/** A worth changes by no more in one round, as a power of e. */
const GROWTH_MAX = 4;

/**
 * Divides the nodes' time so that the model that is served least, as a share of its demand, is served as much as can be: the
 * linear program "maximise s with sum of rate * time >= s * demand for each model and sum of time <= 1 for each node", solved
 * to within two percent or better by raising the worth of what is served too little (entropic scaling with a sharpness that
 * grows). Each round gives a division and, from the worths, a bound by duality; the best of both are the answer. The exact
 * program is in shares.ts, for the solver; this needs none, and takes a millisecond or two at 20 models on 100 nodes.
 */
export function serve(question: Question, placed: Uint8Array, isQuick = false): Served {
  const scaling = new Scaling(question, placed);
  if (scaling.isEmpty) return { ...scaling.best, share: Number.POSITIVE_INFINITY };
  for (const sharpness of SHARPNESS)
    for (let round = 0; round < (isQuick ? ROUNDS_QUICK : ROUNDS); round++) {
      scaling.divide(sharpness);
      scaling.keepBest();
      if (scaling.best.bound <= scaling.best.share * CLOSE_ENOUGH) return scaling.best;
      scaling.raiseWorth(sharpness);
    }
  return scaling.best;
}

class Scaling {
  readonly best: Served;
  readonly #question: Question;
  /** Pairs that stand: node, model, and log of the rate as a share of the model's demand. */
  readonly #pairs: number[] = [];
  readonly #nodeOf: Int32Array;
  readonly #modelOf: Int32Array;
  readonly #perDemand: Float64Array;
  readonly #logPerDemand: Float64Array;
  /** Models that stand somewhere. */
  readonly #counted: number[];
  readonly #logWorth: Float64Array;
  readonly #time: Float64Array;
  /** By node: the best of its models' values, as a log, and the sum of all against that. */
  readonly #top: Float64Array;
  readonly #sum: Float64Array;
  /** By model: what it is served, as a share of its demand. */
  readonly #got: Float64Array;

  constructor(question: Question, placed: Uint8Array) {
    const { models, nodes, rate } = question;
    this.#question = question;
    for (let pair = 0; pair < placed.length; pair++) if (placed[pair] && rate[pair]! > 0) this.#pairs.push(pair);
    const [M, N] = [models.length, nodes.length];
    this.#nodeOf = Int32Array.from(this.#pairs, (pair) => pair % N);
    this.#modelOf = Int32Array.from(this.#pairs, (pair) => Math.floor(pair / N));
    this.#perDemand = Float64Array.from(
      this.#pairs,
      (pair, k) => rate[pair]! / models[this.#modelOf[k]!]!.demandPerSecond,
    );
    this.#logPerDemand = this.#perDemand.map(Math.log);
    this.#counted = [...new Set(this.#modelOf)];
    this.#time = new Float64Array(this.#pairs.length);
    [this.#top, this.#sum, this.#got] = [new Float64Array(N), new Float64Array(N), new Float64Array(M)];
    // It begins with worths by which every model would be served alike if it had all nodes for itself.
    const alone = new Float64Array(M);
    this.#perDemand.forEach((value, k) => {
      alone[this.#modelOf[k]!]! += value;
    });
    this.#logWorth = alone.map((sum) => (sum > 0 ? -Math.log(sum) : 0));
    this.best = {
      share: -1,
      time: new Float64Array(M * N),
      bound: Number.POSITIVE_INFINITY,
      worth: new Float64Array(M),
    };
  }

  get isEmpty(): boolean {
    return this.#pairs.length === 0;
  }

  /** Each node's time by what its models are worth there, to the power of the sharpness. */
  divide(sharpness: number): void {
    const [top, sum, got, time] = [this.#top, this.#sum, this.#got, this.#time];
    const value = (k: number): number => this.#logPerDemand[k]! + this.#logWorth[this.#modelOf[k]!]!;
    top.fill(Number.NEGATIVE_INFINITY);
    sum.fill(0);
    got.fill(0);
    for (let k = 0; k < time.length; k++) {
      const i = this.#nodeOf[k]!;
      top[i] = Math.max(top[i]!, value(k));
    }
    for (let k = 0; k < time.length; k++) {
      const i = this.#nodeOf[k]!;
      time[k] = Math.exp(sharpness * (value(k) - top[i]!));
      sum[i]! += time[k]!;
    }
    for (let k = 0; k < time.length; k++) {
      time[k]! /= sum[this.#nodeOf[k]!]!;
      got[this.#modelOf[k]!]! += this.#perDemand[k]! * time[k]!;
    }
  }

  keepBest(): void {
    const { best } = this;
    let share = Number.POSITIVE_INFINITY;
    let worthSum = 0;
    for (const m of this.#counted) {
      share = Math.min(share, this.#got[m]!);
      worthSum += Math.exp(this.#logWorth[m]!);
    }
    if (share > best.share) {
      best.share = share;
      for (const [k, pair] of this.#pairs.entries()) best.time[pair] = this.#time[k]!;
    }
    // What the nodes' time is worth at these worths, which come to one for the demand of all: no division is worth more.
    const bound = this.#top.reduce((sum, value) => sum + Math.exp(value), 0) / worthSum;
    if (bound >= best.bound) return;
    best.bound = bound;
    for (const m of this.#counted)
      best.worth[m] = Math.exp(this.#logWorth[m]!) / worthSum / this.#question.models[m]!.demandPerSecond;
  }

  raiseWorth(sharpness: number): void {
    for (const m of this.#counted) {
      const lack = Math.log(Math.max(this.best.share, 1e-300) / Math.max(this.#got[m]!, 1e-300));
      this.#logWorth[m]! += Math.max(-GROWTH_MAX, Math.min(GROWTH_MAX, lack)) / sharpness;
    }
  }
}
