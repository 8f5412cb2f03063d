/** Trains classifiers of bags of features: an embedding per feature, their sum scaled, one layer of scores. */
import { type Random, seededRandom } from "./random.ts";

export interface BagShape {
  /** Of the embedding: padding, unknown, words, buckets. */
  rows: number;
  /** Numbers per embedding. */
  width: number;
  classes: number;
}

export interface BagWeights extends BagShape {
  /** [rows, width]; row 0, the padding, is zero. */
  embedding: Float32Array;
  /** [width, classes] */
  head: Float32Array;
  bias: Float32Array;
}

export interface Example {
  ids: readonly number[];
  label: number;
}

export interface Training {
  seed: number;
  epochs: number;
  /** Adagrad's, falling linearly to zero. */
  rate: number;
  /** Share of the features of an example that are left out of one step, so that no few of them decide. */
  dropout: number;
  /** Share of the probability that is spread over all classes. */
  smoothing: number;
}

/**
 * Adagrad (Duchi, Hazan, Singer, 2011), one example at a time: rare features keep a high rate. The same seed gives the same weights.
 * @param known embeddings to begin with, by id
 */
export function trainBag(
  examples: readonly Example[],
  shape: BagShape,
  training: Training,
  known: ReadonlyMap<number, ArrayLike<number>> = new Map(),
): BagWeights {
  const random = seededRandom(training.seed);
  const weights = firstWeights(shape, random);
  for (const [id, vector] of known) weights.embedding.set(vector, id * shape.width);
  const step = stepOf(weights, training.smoothing);
  for (let epoch = 0, taken = 0; epoch < training.epochs; epoch++) {
    for (const { ids, label } of random.shuffle(examples)) {
      const rate = training.rate * (1 - taken++ / (training.epochs * examples.length));
      const kept = ids.filter(() => random.next() >= training.dropout);
      if (kept.length > 0) step(kept, label, rate);
    }
  }
  return weights;
}

function firstWeights({ rows, width, classes }: BagShape, random: Random): BagWeights {
  const embedding = Float32Array.from({ length: rows * width }, () => random.normal() * 0.05);
  embedding.fill(0, 0, width);
  const head = Float32Array.from({ length: width * classes }, () => random.normal() / Math.sqrt(width));
  return { rows, width, classes, embedding, head, bias: new Float32Array(classes) };
}

/** What features give together: their sum over the square root of their number, so that long texts are surer, but not by as much as they are longer. */
export function pooled({ embedding, width }: BagWeights, ids: readonly number[], into = new Float64Array(width)) {
  into.fill(0);
  for (const id of ids) for (let k = 0, at = id * width; k < width; k++) into[k]! += embedding[at + k]!;
  const scale = 1 / Math.sqrt(ids.length);
  for (let k = 0; k < width; k++) into[k]! *= scale;
  return into;
}

export function scoresOf(weights: BagWeights, ids: readonly number[]): Float64Array {
  return headScores(weights, pooled(weights, ids));
}

function headScores({ head, bias, width, classes }: BagWeights, sum: Float64Array, into = new Float64Array(classes)) {
  into.set(bias);
  for (let k = 0; k < width; k++)
    for (let c = 0, at = k * classes; c < classes; c++) into[c]! += sum[k]! * head[at + c]!;
  return softmaxIn(into);
}

export function softmaxIn(scores: Float64Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let c = 0; c < scores.length; c++) sum += scores[c] = Math.exp(scores[c]! - most);
  for (let c = 0; c < scores.length; c++) scores[c]! /= sum;
  return scores;
}

function stepOf(weights: BagWeights, smoothing: number): (ids: readonly number[], label: number, rate: number) => void {
  const { embedding, head, bias, width, classes } = weights;
  const [seenEmbedding, seenHead, seenBias] = [embedding, head, bias].map((all) =>
    new Float32Array(all.length).fill(1e-3),
  );
  const sum = new Float64Array(width);
  const error = new Float64Array(classes);
  const back = new Float64Array(width);
  const move = (values: Float32Array, seen: Float32Array, at: number, slope: number, rate: number): void => {
    seen[at]! += slope * slope;
    values[at]! -= (rate * slope) / Math.sqrt(seen[at]!);
  };
  return (ids, label, rate) => {
    headScores(weights, pooled(weights, ids, sum), error);
    for (let c = 0; c < classes; c++) error[c]! -= smoothing / classes + (c === label ? 1 - smoothing : 0);
    for (let k = 0; k < width; k++) {
      back[k] = 0;
      for (let c = 0, at = k * classes; c < classes; c++) {
        back[k]! += error[c]! * head[at + c]!;
        move(head, seenHead!, at + c, error[c]! * sum[k]!, rate);
      }
    }
    for (let c = 0; c < classes; c++) move(bias, seenBias!, c, error[c]!, rate);
    const scale = 1 / Math.sqrt(ids.length);
    for (const id of ids)
      for (let k = 0, at = id * width; k < width; k++) move(embedding, seenEmbedding!, at + k, back[k]! * scale, rate);
  };
}
