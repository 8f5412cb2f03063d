import fc from "fast-check";
import { expect, test } from "vitest";
import { fromBase64, toBase64 } from "../../../shared/base64.ts";
import { chance } from "../../../shared/chance.ts";
import { readRow, rowsOf } from "../../../shared/fitting/dataset.ts";
import { keepBest, rungsFor } from "../../../shared/fitting/halving.ts";
import { addDecay, gradientSum, type HeadShape, type Rows, score } from "../../../shared/fitting/head.ts";
import {
  beginFit,
  type FitState,
  type FitTerms,
  localRound,
  takeMean,
  weightedMean,
} from "../../../shared/fitting/rounds.ts";
import { checkFitRound, readWeights, writeWeights } from "../../../shared/fitting/wire.ts";
import { labelledLines } from "../../support/labelled-rows.ts";

const LABELS = ["east", "north", "south", "west"];
const SHAPE: HeadShape = { dimensions: 3, classes: 4 };
const LENGTH = 16;
const TERMS: FitTerms = { optimiser: "adam", learningRate: 0.1, l2: 1e-3, localEpochs: 1, batchRows: 1e6, seed: 1 };

const rowsFrom = (lines: readonly string[]): Rows =>
  rowsOf(
    lines.map((line, i) => readRow(line, i + 1)),
    LABELS,
    3,
  );

/** So many rounds over boxes with these rows. */
function fitted(terms: FitTerms, boxes: readonly Rows[], rounds: number): FitState {
  let state = beginFit(LENGTH);
  for (let round = 0; round < rounds; round++) {
    const parts = boxes.map((rows) => ({
      values: localRound(SHAPE, terms, state.weights, rows, round),
      rows: rows.classes.length,
    }));
    state = takeMean(SHAPE, terms, state, weightedMean(parts));
  }
  return state;
}

const farthest = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

test("the gradient is that of the loss, by differences", () => {
  const rows = rowsFrom(labelledLines(20, 3));
  const random = chance(9);
  const weights = Float64Array.from({ length: LENGTH }, () => random() - 0.5);
  const l2 = 0.7;
  const lossAt = (w: Float64Array): number => {
    const squares = w.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + value * value), 0);
    return score(SHAPE, w, rows).loss + (l2 / 2) * squares;
  };
  const gradient = gradientSum(SHAPE, weights, rows);
  addDecay(SHAPE, gradient, weights, l2);
  for (let i = 0; i < LENGTH; i++) {
    const [up, down] = [weights.slice(), weights.slice()];
    up[i]! += 1e-5;
    down[i]! -= 1e-5;
    expect(gradient[i]).toBeCloseTo((lossAt(up) - lossAt(down)) / 2e-5, 5);
  }
});

test("fitting over three boxes of any sizes is fitting on one box with all their rows, within 1e-9", () => {
  const split = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 61, max: 119 }), fc.nat(1_000));
  fc.assert(
    fc.property(split, ([first, second, seed]) => {
      const lines = labelledLines(120, seed);
      const boxes = [lines.slice(0, first), lines.slice(first, second), lines.slice(second)].map(rowsFrom);
      for (const optimiser of ["adam", "sgd"] as const) {
        const terms = { ...TERMS, optimiser };
        const apart = fitted(terms, boxes, 60).weights;
        const together = fitted(terms, [rowsFrom(lines)], 60).weights;
        expect(farthest(apart, together)).toBeLessThan(1e-9);
      }
    }),
    { numRuns: 20 },
  );
});

test("federated averaging with several local epochs, over boxes whose labels differ, comes within five points of one box", () => {
  const lines = labelledLines(400, 5, 0.8);
  const ofLabels = (...wanted: string[]): Rows =>
    rowsFrom(lines.filter((line) => wanted.some((one) => line.includes(one))));
  const terms = { ...TERMS, optimiser: "sgd" as const, learningRate: 0.3, localEpochs: 5, batchRows: 16 };
  const fresh = rowsFrom(labelledLines(400, 6, 0.8));
  const share = (state: FitState): number => score(SHAPE, state.weights, fresh).right / 400;
  const apart = share(fitted(terms, [ofLabels("north", "east"), ofLabels("south"), ofLabels("west")], 60));
  const together = share(fitted(terms, [rowsFrom(lines)], 60));
  expect(together).toBeGreaterThan(0.8);
  expect(apart).toBeGreaterThan(together - 0.05);
});

test("a box that is not there in some rounds costs no more than what its rows would have told", () => {
  const lines = labelledLines(400, 5, 0.8);
  const boxes = [lines.slice(0, 130), lines.slice(130, 260), lines.slice(260)].map(rowsFrom);
  let state = beginFit(LENGTH);
  for (let round = 0; round < 60; round++) {
    const there = boxes.filter((_, i) => !(i === 2 && round % 3 === 1));
    const parts = there.map((rows) => ({
      values: localRound(SHAPE, TERMS, state.weights, rows, round),
      rows: rows.classes.length,
    }));
    state = takeMean(SHAPE, TERMS, state, weightedMean(parts));
  }
  const fresh = rowsFrom(labelledLines(400, 6, 0.8));
  const whole = score(SHAPE, fitted(TERMS, boxes, 60).weights, fresh).right;
  expect(score(SHAPE, state.weights, fresh).right).toBeGreaterThan(whole - 8);
});

test("candidates are halved in thirds, and the last has had all rounds", () => {
  expect(rungsFor(9, 90)).toEqual([
    { candidates: 9, rounds: 10 },
    { candidates: 3, rounds: 30 },
    { candidates: 1, rounds: 90 },
  ]);
  expect(rungsFor(1, 5)).toEqual([{ candidates: 1, rounds: 5 }]);
  expect(keepBest([3, Number.NaN, 1, 2], (loss) => loss, 2)).toEqual([1, 2]);
});

test("weights survive the wire bit by bit, and wrong ones are refused", () => {
  const random = chance(2);
  const weights = Float64Array.from({ length: 20_000 * 3 }, () => random() - 0.5);
  expect(readWeights(writeWeights(weights), { dimensions: 2, classes: 20_000 })).toEqual(weights);
  expect(() => readWeights("AAAA", SHAPE)).toThrow("must be 16 64-bit floats");
  expect(() => readWeights(writeWeights(new Float64Array(16).fill(Number.NaN)), SHAPE)).toThrow("must be finite");
  const bytes = Uint8Array.from({ length: 100_001 }, (_, i) => i % 251);
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
});

test.each([
  ['{"label":"a"', "line 7 is not JSON"],
  ['{"label":"a","vector":[]}', "line 7, vector must be 1 to"],
  ['{"label":"a","vector":[1,"2"]}', "number 2 is none"],
  ['{"label":"a","vector":[1,null]}', "number 2 is none"],
  ['{"label":"","vector":[1]}', "line 7, label"],
  ['{"label":"a","vector":[1],"more":1}', "more"],
  ["[1]", "line 7"],
])("a row %s is refused with its line", (line, reason) => {
  expect(() => readRow(line, 7)).toThrow(reason);
});

test("a round with absurd terms is refused", () => {
  const weights = writeWeights(new Float64Array(16));
  const sound = { dataset: "tickets", labels: LABELS, dimensions: 3, round: 0, terms: TERMS, weights };
  expect(checkFitRound(sound)).toEqual(sound);
  const wrong: [object, string][] = [
    [{ dimensions: 4 }, "must be 20 64-bit floats"],
    [{ dimensions: 100_000 }, "dimensions"],
    [{ labels: ["a"] }, "must be two at least"],
    [{ terms: { ...TERMS, learningRate: 0 } }, "learningRate"],
    [{ terms: { ...TERMS, localEpochs: 1e9 } }, "localEpochs"],
    [{ dataset: "../x" }, "dataset"],
  ];
  for (const [change, reason] of wrong) expect(() => checkFitRound({ ...sound, ...change })).toThrow(reason);
});
