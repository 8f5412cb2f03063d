/** Trains softmax heads over features of one length, and writes them as ONNX graphs that standardise what they take. */
import type { GraphDraft } from "./onnx.ts";

export interface LabelledFeatures {
  features: ArrayLike<number>;
  /** Place in the labels. */
  label: number;
}

export interface SoftmaxHead {
  /** Mean and deviation of each feature where it was trained. */
  mean: Float32Array;
  deviation: Float32Array;
  /** [features, labels] */
  weights: Float32Array;
  bias: Float32Array;
}

/**
 * All examples in each step, with momentum; each label counts the same in all. Nothing is left to chance.
 * @param decay pulls weights to zero: the less data, the more of it
 */
export function trainSoftmax(
  examples: readonly LabelledFeatures[],
  labels: number,
  { steps, rate, decay }: { steps: number; rate: number; decay: number },
): SoftmaxHead {
  const width = examples[0]!.features.length;
  const { mean, deviation } = spreadOf(examples, width);
  const counts = Array.from({ length: labels }, (_, c) => examples.filter(({ label }) => label === c).length);
  const rows = examples.map(({ features, label }) => ({
    row: Float64Array.from({ length: width }, (_, k) => (features[k]! - mean[k]!) / deviation[k]!),
    label,
    share: 1 / (labels * counts[label]!),
  }));
  const weights = new Float64Array((width + 1) * labels);
  const speed = new Float64Array(weights.length);
  for (let step = 0; step < steps; step++) {
    const slope = new Float64Array(weights.length);
    for (const { row, label, share } of rows) {
      const errors = probabilities(weights, row, labels);
      errors[label]! -= 1;
      for (let c = 0; c < labels; c++) {
        const error = errors[c]! * share;
        for (let k = 0; k < width; k++) slope[k * labels + c]! += error * row[k]!;
        slope[width * labels + c]! += error;
      }
    }
    for (let at = 0; at < weights.length; at++) {
      const pull = at < width * labels ? decay * weights[at]! : 0;
      speed[at] = MOMENTUM * speed[at]! - rate * (slope[at]! + pull);
      weights[at]! += speed[at]!;
    }
  }
  const [inner, bias] = [weights.slice(0, width * labels), weights.slice(width * labels)];
  return { mean, deviation, weights: Float32Array.from(inner), bias: Float32Array.from(bias) };
}
const MOMENTUM = 0.9;

function spreadOf(examples: readonly LabelledFeatures[], width: number): Pick<SoftmaxHead, "mean" | "deviation"> {
  const [mean, deviation] = [new Float32Array(width), new Float32Array(width)];
  for (let k = 0; k < width; k++) {
    const middle = examples.reduce((sum, { features }) => sum + features[k]!, 0) / examples.length;
    const squares = examples.reduce((sum, { features }) => sum + (features[k]! - middle) ** 2, 0);
    mean[k] = middle;
    deviation[k] = Math.sqrt(squares / examples.length) + 1e-6;
  }
  return { mean, deviation };
}

/** Weights [features + 1, labels], the last row the bias. */
function probabilities(weights: ArrayLike<number>, row: ArrayLike<number>, labels: number): Float64Array {
  const scores = Float64Array.from({ length: labels }, (_, c) => weights[row.length * labels + c]!);
  for (let k = 0; k < row.length; k++)
    for (let c = 0; c < labels; c++) scores[c]! += row[k]! * weights[k * labels + c]!;
  const highest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Place of the most likely label. */
export function bestLabel({ mean, deviation, weights, bias }: SoftmaxHead, features: ArrayLike<number>): number {
  const row = Float64Array.from(mean, (middle, k) => (features[k]! - middle) / deviation[k]!);
  const all = probabilities([...weights, ...bias], row, bias.length);
  return all.indexOf(Math.max(...all));
}

/** Features [N, width] to probabilities [N, labels]. */
export function softmaxGraph({ mean, deviation, weights, bias }: SoftmaxHead): GraphDraft {
  const [width, labels] = [mean.length, bias.length];
  return {
    inputs: [{ name: "features", datatype: "FP32", shape: [-1, width] }],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, labels] }],
    nodes: [
      { op: "Sub", inputs: ["features", "mean"], outputs: ["centred"] },
      { op: "Div", inputs: ["centred", "deviation"], outputs: ["even"] },
      { op: "MatMul", inputs: ["even", "weights"], outputs: ["products"] },
      { op: "Add", inputs: ["products", "bias"], outputs: ["scores"] },
      { op: "Softmax", inputs: ["scores"], outputs: ["probabilities"], ints: { axis: 1 } },
    ],
    weights: [
      { name: "mean", shape: [width], values: mean },
      { name: "deviation", shape: [width], values: deviation },
      { name: "weights", shape: [width, labels], values: weights },
      { name: "bias", shape: [labels], values: bias },
    ],
  };
}
