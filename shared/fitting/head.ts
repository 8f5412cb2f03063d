/**
 * A softmax head: class scores of a vector x are W x + b, its probabilities their softmax. What is minimised over n rows is
 * the mean cross entropy plus l2/2 times the squared length of W (not of b).
 */

/** Weights row by row, a class each: its `dimensions` weights, then its bias. Length: classes x (dimensions + 1). */
export type HeadWeights = Float64Array;

export interface HeadShape {
  dimensions: number;
  classes: number;
}

/** Examples of one shape: `vectors` holds them one after the other. */
export interface Rows {
  vectors: Float64Array;
  /** The class of each. */
  classes: Uint32Array;
}

/** Sums over rows, so that those of several boxes add up to those of one. */
export interface Score {
  rows: number;
  /** Of the cross entropy, in nats. */
  loss: number;
  /** Rows whose likeliest class is theirs. */
  right: number;
}

export const weightsLength = ({ dimensions, classes }: HeadShape): number => classes * (dimensions + 1);

/** Probabilities of the classes of row `row`, into `into`. */
export function probabilities(
  { dimensions, classes }: HeadShape,
  weights: HeadWeights,
  vectors: Float64Array,
  row: number,
  into: Float64Array,
): void {
  const start = row * dimensions;
  let most = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < classes; c++) {
    const own = c * (dimensions + 1);
    let score = weights[own + dimensions]!;
    for (let d = 0; d < dimensions; d++) score += weights[own + d]! * vectors[start + d]!;
    into[c] = score;
    if (score > most) most = score;
  }
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    into[c] = Math.exp(into[c]! - most);
    sum += into[c]!;
  }
  for (let c = 0; c < classes; c++) into[c] = into[c]! / sum;
}

export function score(shape: HeadShape, weights: HeadWeights, { vectors, classes }: Rows): Score {
  const into = new Float64Array(shape.classes);
  const total: Score = { rows: classes.length, loss: 0, right: 0 };
  for (const [row, wanted] of classes.entries()) {
    probabilities(shape, weights, vectors, row, into);
    total.loss -= Math.log(Math.max(into[wanted]!, Number.MIN_VALUE));
    if (into.every((p, c) => c === wanted || p < into[wanted]!)) total.right++;
  }
  return total;
}

/** Of the cross entropy alone, summed over the rows named (all of them if none are). */
export function gradientSum(
  shape: HeadShape,
  weights: HeadWeights,
  { vectors, classes }: Rows,
  only?: ArrayLike<number>,
): Float64Array {
  const { dimensions } = shape;
  const sum = new Float64Array(weights.length);
  const into = new Float64Array(shape.classes);
  const count = only?.length ?? classes.length;
  for (let i = 0; i < count; i++) {
    const row = only?.[i] ?? i;
    probabilities(shape, weights, vectors, row, into);
    into[classes[row]!]! -= 1;
    for (let c = 0; c < shape.classes; c++) {
      const own = c * (dimensions + 1);
      const error = into[c]!;
      for (let d = 0; d < dimensions; d++) sum[own + d]! += error * vectors[row * dimensions + d]!;
      sum[own + dimensions]! += error;
    }
  }
  return sum;
}

/** Adds what l2 pulls at each weight, biases excepted. */
export function addDecay({ dimensions }: HeadShape, gradient: Float64Array, weights: HeadWeights, l2: number): void {
  if (l2 === 0) return;
  for (let i = 0; i < weights.length; i++) if (i % (dimensions + 1) !== dimensions) gradient[i]! += l2 * weights[i]!;
}
