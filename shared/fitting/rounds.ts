/**
 * Federated averaging (McMahan et al. 2017). With `adam` each box gives the gradient over all its rows at the weights it was
 * sent, and whoever runs the rounds takes one step of Adam along their mean (FedAdam of Reddi et al. 2021 with one full local
 * step): what one box with all rows would do, up to rounding. With `sgd` each box goes through its rows `localEpochs` times in
 * batches, and the weights it ends at are averaged.
 */
import { chance } from "../chance.ts";
import { addDecay, gradientSum, type HeadShape, type HeadWeights, type Rows } from "./head.ts";

export type Optimiser = "adam" | "sgd";

/** How the rounds of one head go; what is searched for is learningRate and l2. */
export interface FitTerms {
  optimiser: Optimiser;
  learningRate: number;
  l2: number;
  /** Of sgd: times through a box's rows in a round, and rows of one step. */
  localEpochs: number;
  batchRows: number;
  /** Of the order of rows. */
  seed: number;
}

/** What one box makes of the weights in one round: a gradient (adam, its mean over the rows), or new weights (sgd). */
export function localRound(
  shape: HeadShape,
  terms: FitTerms,
  weights: HeadWeights,
  rows: Rows,
  round: number,
): Float64Array {
  if (terms.optimiser === "sgd") return descend(shape, terms, weights, rows, round);
  const gradient = gradientSum(shape, weights, rows);
  for (let i = 0; i < gradient.length; i++) gradient[i]! /= rows.classes.length;
  return gradient;
}

function descend(shape: HeadShape, terms: FitTerms, from: HeadWeights, rows: Rows, round: number): HeadWeights {
  const weights = from.slice();
  const random = chance(terms.seed * 1_000_003 + round);
  const order = Uint32Array.from(rows.classes, (_, row) => row);
  for (let epoch = 0; epoch < terms.localEpochs; epoch++) {
    shuffle(order, random);
    for (let at = 0; at < order.length; at += terms.batchRows) {
      const batch = order.subarray(at, at + terms.batchRows);
      const gradient = gradientSum(shape, weights, rows, batch);
      for (let i = 0; i < gradient.length; i++) gradient[i]! /= batch.length;
      addDecay(shape, gradient, weights, terms.l2);
      for (let i = 0; i < weights.length; i++) weights[i]! -= terms.learningRate * gradient[i]!;
    }
  }
  return weights;
}

/** Each box counts by its rows. */
export function weightedMean(parts: readonly { values: Float64Array; rows: number }[]): Float64Array {
  const total = parts.reduce((sum, { rows }) => sum + rows, 0);
  const mean = new Float64Array(parts[0]?.values.length ?? 0);
  for (const { values, rows } of parts) {
    const share = rows / total;
    for (let i = 0; i < mean.length; i++) mean[i]! += share * values[i]!;
  }
  return mean;
}

/** The weights of one candidate, and what its optimiser remembers (Kingma & Ba 2015, algorithm 1). */
export interface FitState {
  weights: HeadWeights;
  steps: number;
  first: Float64Array;
  second: Float64Array;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export function beginFit(length: number): FitState {
  const zeros = (): Float64Array => new Float64Array(length);
  return { weights: zeros(), steps: 0, first: zeros(), second: zeros() };
}

/** One round's mean taken in. */
export function takeMean(shape: HeadShape, terms: FitTerms, state: FitState, mean: Float64Array): FitState {
  const steps = state.steps + 1;
  if (terms.optimiser === "sgd") return { ...state, steps, weights: mean };
  const gradient = mean.slice();
  addDecay(shape, gradient, state.weights, terms.l2);
  const [weights, first, second] = [state.weights.slice(), state.first.slice(), state.second.slice()];
  for (let i = 0; i < weights.length; i++) {
    first[i] = BETA1 * first[i]! + (1 - BETA1) * gradient[i]!;
    second[i] = BETA2 * second[i]! + (1 - BETA2) * gradient[i]! ** 2;
    const step = first[i]! / (1 - BETA1 ** steps) / (Math.sqrt(second[i]! / (1 - BETA2 ** steps)) + EPSILON);
    weights[i]! -= terms.learningRate * step;
  }
  return { weights, steps, first, second };
}

function shuffle(order: Uint32Array, random: () => number): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
}
