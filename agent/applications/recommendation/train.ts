/**
 * Trains the model of this application and prints its scores: `node agent/applications/recommendation/train.ts`, about half
 * a minute. Width and regularisation are chosen on people that are neither learned from nor tested on.
 */
import { writeFile } from "node:fs/promises";
import { linesText, writeModelFolder } from "../training/model-folder.ts";
import type { GraphDraft } from "../training/onnx.ts";
import { type Factors, factorised, togetherness, topTenBy } from "./factors.ts";
import { mostVisited, readVisits, type Scores, scored } from "./visits.ts";

const REGULARISATIONS = [20, 50, 100, 200];
const WIDTHS = [16, 32, 64];

const { pages, train, choice, test } = readVisits();
const text = ({ hits, reciprocal, visits }: Scores): string =>
  `recall@10 ${(100 * hits).toFixed(1)} %, MRR@10 ${reciprocal.toFixed(3)} (${visits} visits left out)`;

console.log(
  `${train.length} people learned from, ${choice.length} chosen with, ${test.length} tested on; ${pages.length} pages`,
);
const tried = WIDTHS.flatMap((width) =>
  REGULARISATIONS.map((regularisation) => {
    const factors = factorised(togetherness(train, pages.length, regularisation), width);
    const scores = scored(choice, (visited) => topTenBy(factors, visited));
    console.log(`choice, width ${width}, regularisation ${regularisation}: ${text(scores)}`);
    return { factors, scores };
  }),
);
const { factors } = tried.reduce((best, one) => (one.scores.hits > best.scores.hits ? one : best));
console.log(`test, most visited:  ${text(scored(test, mostVisited))}`);
console.log(`test, width ${factors.width}:     ${text(scored(test, (visited) => topTenBy(factors, visited)))}`);

/** Pages [N, visits] to profiles [N, width]: what their visits say, added up. */
function tasteGraph({ width, taken }: Factors): GraphDraft {
  return {
    inputs: [{ name: "pages", datatype: "INT64", shape: [-1, -1] }],
    outputs: [{ name: "profile", datatype: "FP32", shape: [-1, width] }],
    nodes: [
      { op: "Gather", inputs: ["taken", "pages"], outputs: ["rows"] },
      { op: "ReduceSum", inputs: ["rows", "visits"], outputs: ["profile"], ints: { keepdims: 0 } },
    ],
    weights: [{ name: "taken", shape: [taken.length / width, width], values: taken }],
    indexes: [{ name: "visits", values: [1] }],
  };
}

const folder = new URL("models/taste", import.meta.url).pathname;
const bytes = await writeModelFolder(folder, tasteGraph(factors), { "pages.txt": linesText(pages) });
await writeFile(`${folder}/pages.f32`, new Uint8Array(factors.given.buffer));
console.log(`taste: ${bytes} bytes, pages.f32 ${factors.given.byteLength} bytes`);
