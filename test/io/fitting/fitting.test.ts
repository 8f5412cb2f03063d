import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFitting } from "../../../agent/io/fitting/index.ts";
import type { Fitting } from "../../../agent/ports/index.ts";
import { chance } from "../../../shared/chance.ts";
import { readRow, rowsOf } from "../../../shared/fitting/dataset.ts";
import { probabilities } from "../../../shared/fitting/head.ts";
import { headModel } from "../../../shared/fitting/head-model.ts";
import { type FitTerms, localRound } from "../../../shared/fitting/rounds.ts";
import { type FitRoundRequest, readWeights, writeWeights } from "../../../shared/fitting/wire.ts";
import { labelledLines } from "../../support/labelled-rows.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const LABELS = ["east", "north", "south", "west"];
const TERMS: FitTerms = { optimiser: "adam", learningRate: 0.1, l2: 0, localEpochs: 1, batchRows: 32, seed: 1 };
const ZEROS = writeWeights(new Float64Array(16));
const REQUEST: FitRoundRequest = {
  ...{ dataset: "corners", labels: LABELS, dimensions: 3, round: 0, terms: TERMS, weights: ZEROS },
};

async function* chunks(text: string): AsyncIterable<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}

let folder: string;
let fitting: Fitting;
beforeEach(async () => {
  folder = await temporaryFolder();
  fitting = await openFitting(folder);
});
afterEach(() => fitting.close());

test("a data set is there after a restart, whole, and tells its shape", async () => {
  const view = await fitting.put("corners", chunks(labelledLines(100, 1).join("\n")));
  expect(view).toEqual({ name: "corners", rows: 100, dimensions: 3, labels: LABELS });
  await writeFile(join(folder, "half.jsonl.coming"), "half");
  const again = await openFitting(folder);
  expect(await again.list()).toEqual([view]);
  expect(await again.remove("corners")).toBe(true);
  expect(await again.remove("corners")).toBe(false);
  expect(await again.list()).toEqual([]);
});

test("a data set with a wrong row is not taken, and the one before stays", async () => {
  await fitting.put("corners", chunks(labelledLines(10, 1).join("\n")));
  const lines = [...labelledLines(3, 2), '{"label":"east","vector":[1]}'];
  await expect(fitting.put("corners", chunks(lines.join("\n")))).rejects.toThrow(
    "line 4, vector has 1 numbers, the first row's 3",
  );
  await expect(fitting.put("other", chunks("\n"))).rejects.toThrow("has no row");
  expect((await fitting.list()).map(({ name, rows }) => [name, rows])).toEqual([["corners", 10]]);
});

test("a round on its thread is what the formula says, over the rows that are not held out", async () => {
  const lines = labelledLines(100, 1);
  await fitting.put("corners", chunks(lines.join("\n")));
  const part = await fitting.round(REQUEST);
  const rows = lines.map((line, i) => readRow(line, i + 1));
  const training = rowsOf(
    rows.filter(({ isHeldOut }) => !isHeldOut),
    LABELS,
    3,
  );
  expect(part.trained.rows).toBe(training.classes.length);
  expect(part.trained.rows + part.heldOut.rows).toBe(100);
  expect(part.heldOut.rows).toBeGreaterThan(0);
  const wanted = localRound({ dimensions: 3, classes: 4 }, TERMS, new Float64Array(16), training, 0);
  expect(readWeights(part.values, { dimensions: 3, classes: 4 })).toEqual(wanted);
});

test("rows that were put anew are those of the next round; other vectors than the fit's are refused", async () => {
  await fitting.put("corners", chunks(labelledLines(100, 1).join("\n")));
  await fitting.round(REQUEST);
  await fitting.put("corners", chunks(labelledLines(50, 1).join("\n")));
  const { trained, heldOut } = await fitting.round(REQUEST);
  expect(trained.rows + heldOut.rows).toBe(50);
  const wide = { ...REQUEST, dimensions: 4, weights: writeWeights(new Float64Array(20)) };
  await expect(fitting.round(wide)).rejects.toThrow("its vectors have 3 numbers, not 4");
  await expect(fitting.round({ ...REQUEST, dataset: "none" })).rejects.toMatchObject({ code: "DATASET_UNKNOWN" });
});

test("the ONNX file of a head gives the probabilities of the formula", async () => {
  const shape = { dimensions: 3, classes: 4 };
  const random = chance(4);
  const weights = Float64Array.from({ length: 16 }, () => random() - 0.5);
  const vectors = Float64Array.from({ length: 6 }, () => random());
  const session = await InferenceSession.create(headModel(shape, weights));
  const { probabilities: given } = await session.run({ x: new Tensor("float32", Float32Array.from(vectors), [2, 3]) });
  expect(given!.dims).toEqual([2, 4]);
  const wanted = new Float64Array(4);
  for (const row of [0, 1]) {
    probabilities(shape, weights, vectors, row, wanted);
    for (const [c, p] of wanted.entries()) expect((given!.data as Float32Array)[row * 4 + c]).toBeCloseTo(p, 6);
  }
  await session.release();
});
