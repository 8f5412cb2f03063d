/** What whoever runs the rounds asks of the boxes, through any agent. Weights travel as Base64 of little-endian 64-bit floats; rows never do. */
import { fromBase64, toBase64 } from "../base64.ts";
import {
  checkKeys,
  checkList,
  checkNumber,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "../checks.ts";
import { LIMITS } from "../limits.ts";
import { checkDatasetName, type DatasetView } from "./dataset.ts";
import { type HeadShape, type Score, weightsLength } from "./head.ts";
import type { FitTerms } from "./rounds.ts";

/** Who has rows of a data set. */
export interface FitPlaces {
  dataset: string;
  nodes: (DatasetView & { nodeId: string; node: string })[];
  /** Boxes that did not answer, and why. */
  silent: { node: string; reason: string }[];
}

export interface FitRoundRequest {
  dataset: string;
  labels: string[];
  dimensions: number;
  round: number;
  terms: FitTerms;
  weights: string;
}

/** What one box made of it. */
export interface FitPart {
  /** A gradient or weights, as the terms say. */
  values: string;
  /** Rows it was made of; and how the weights that came scored, on them and on the rows held out. */
  trained: Score;
  heldOut: Score;
}

export interface FitRoundAnswer {
  parts: (FitPart & { node: string })[];
  /** Boxes whose rows this round did without. */
  missing: { node: string; reason: string }[];
}

export function writeWeights(weights: Float64Array): string {
  const bytes = new Uint8Array(weights.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, weight] of weights.entries()) view.setFloat64(i * 8, weight, true);
  return toBase64(bytes);
}

/** @throws BAD_REQUEST if they are not of that shape, or not finite */
export function readWeights(text: string, shape: HeadShape): Float64Array {
  const bytes = fromBase64(text);
  if (bytes?.length !== weightsLength(shape) * 8)
    return refuse("weights", `must be ${weightsLength(shape)} 64-bit floats in Base64`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const weights = Float64Array.from({ length: weightsLength(shape) }, (_, i) => view.getFloat64(i * 8, true));
  return weights.every(Number.isFinite) ? weights : refuse("weights", "must be finite");
}

/** @throws BAD_REQUEST */
export function checkFitRound(value: unknown): FitRoundRequest {
  const request = checkRecord(value, "round");
  checkKeys(request, "round", ["dataset", "labels", "dimensions", "round", "terms", "weights"]);
  const labels = checkList(request.labels, "labels", LIMITS.fitClassesMax, (one, at) =>
    checkText(one, at, LIMITS.nameBytesMax),
  );
  if (labels.length < 2) refuse("labels", "must be two at least");
  const dimensions = checkWhole(request.dimensions, "dimensions", 1, LIMITS.fitDimensionsMax);
  const shape = { dimensions, classes: labels.length };
  const length = weightsLength(shape);
  if (length > LIMITS.fitWeightsMax)
    refuse("labels", `times dimensions is ${length} weights, over ${LIMITS.fitWeightsMax}`);
  const weights = checkText(request.weights, "weights", LIMITS.fitWeightsMax * 11);
  readWeights(weights, shape);
  return {
    dataset: checkDatasetName(request.dataset),
    labels,
    dimensions,
    round: checkWhole(request.round, "round", 0, LIMITS.fitRoundsMax),
    terms: checkTerms(request.terms),
    weights,
  };
}

/** As a box told of its data sets. @throws BAD_REQUEST */
export function readDatasetViews(value: unknown): DatasetView[] {
  return checkList(value, "datasets", LIMITS.datasetsMax, (one, at) => {
    const view = checkRecord(one, at);
    return {
      name: checkDatasetName(view.name),
      rows: checkWhole(view.rows, `${at}.rows`, 0, LIMITS.datasetRowsMax),
      dimensions: checkWhole(view.dimensions, `${at}.dimensions`, 1, LIMITS.fitDimensionsMax),
      labels: checkList(view.labels, `${at}.labels`, LIMITS.datasetRowsMax, (label, place) =>
        checkText(label, place, LIMITS.nameBytesMax),
      ),
    };
  });
}

/** What a box made of a round. Whether its values are of the right shape is for whoever knows the shape. @throws BAD_REQUEST */
export function readFitPart(value: unknown): FitPart {
  const part = checkRecord(value, "part");
  const readScore = (one: unknown, at: string): Score => {
    const score = checkRecord(one, at);
    return {
      rows: checkWhole(score.rows, `${at}.rows`, 0, LIMITS.datasetRowsMax),
      loss: checkNumber(score.loss, `${at}.loss`, 0, Number.MAX_VALUE),
      right: checkWhole(score.right, `${at}.right`, 0, LIMITS.datasetRowsMax),
    };
  };
  return {
    values: checkText(part.values, "part.values", LIMITS.fitWeightsMax * 11),
    trained: readScore(part.trained, "part.trained"),
    heldOut: readScore(part.heldOut, "part.heldOut"),
  };
}

/** @throws BAD_REQUEST */
export function checkTerms(value: unknown): FitTerms {
  const terms = checkRecord(value, "terms");
  checkKeys(terms, "terms", ["optimiser", "learningRate", "l2", "localEpochs", "batchRows", "seed"]);
  return {
    optimiser: checkOneOf(terms.optimiser, "terms.optimiser", ["adam", "sgd"] as const),
    learningRate: checkNumber(terms.learningRate, "terms.learningRate", 1e-6, 100),
    l2: checkNumber(terms.l2, "terms.l2", 0, 10),
    localEpochs: checkWhole(terms.localEpochs, "terms.localEpochs", 1, 100),
    batchRows: checkWhole(terms.batchRows, "terms.batchRows", 1, 1_000_000),
    seed: checkWhole(terms.seed, "terms.seed", 0, 2 ** 31),
  };
}
