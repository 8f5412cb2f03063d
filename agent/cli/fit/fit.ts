/** `skein fit HEAD DATASET`: a softmax head over the rows of all boxes, none of which leaves its box; registered as a model. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refuse } from "../../../shared/checks.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { HeadShape } from "../../../shared/fitting/head.ts";
import { headModel } from "../../../shared/fitting/head-model.ts";
import type { FitPlaces } from "../../../shared/fitting/wire.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkModelName } from "../../../shared/model.ts";
import { print } from "../calls.ts";
import { FOLLOW_PATIENCE_MS } from "../follow.ts";
import { addToFleet, modelClient } from "../models/add.ts";
import { type CommonOptions, wholeNumber } from "../options.ts";
import { plain, plural, table } from "../table.ts";
import type { World } from "../world.ts";
import { type FitEnd, type FitWish, judged, Rounds, type RungTold } from "./rounds.ts";

export interface FitOptions extends CommonOptions {
  optimiser?: string;
  rounds?: string;
  localEpochs?: string;
  batch?: string;
  learningRate?: string;
  l2?: string;
  seed?: string;
}

const PATIENCE = { patienceMs: FOLLOW_PATIENCE_MS };

export async function fit(head: string, dataset: string, options: FitOptions, world: World): Promise<number> {
  const name = checkModelName(head, "HEAD");
  const asked = wishOf(options);
  const client = await modelClient(options, world);
  const places = await client.call((one) => one.fitPlaces(dataset), PATIENCE);
  const { labels, dimensions } = agreedShape(places);
  if (!options.json) world.err(placesText(places, labels));
  const wish: FitWish = { dataset, labels, dimensions, ...asked };
  const tell = (rung: RungTold): void => {
    if (!options.json) world.err(rungText(rung));
  };
  const end = await new Rounds(wish, (request) => client.call((one) => one.fitRound(request), PATIENCE), tell).run();
  const files = await writeModel({ dimensions, classes: labels.length }, end, labels);
  try {
    const { model } = await addToFleet(client, { name, files: files.list }, world);
    return print(options, world, jsonOf(model, end), endText(model, end));
  } finally {
    await rm(files.folder, { recursive: true });
  }
}

/** @throws BAD_REQUEST */
function wishOf(options: FitOptions): Omit<FitWish, "dataset" | "labels" | "dimensions"> {
  const { rounds, learningRate, l2 } = options;
  return {
    rounds: wholeNumber(rounds ?? "90", "--rounds", 1, LIMITS.fitRoundsMax),
    terms: termsOf(options),
    ...(learningRate !== undefined && { learningRate: figure(learningRate, "--learning-rate", 100) }),
    ...(l2 !== undefined && { l2: figure(l2, "--l2", 10) }),
  };
}

/** @throws BAD_REQUEST */
function termsOf({ optimiser = "adam", localEpochs, batch, seed }: FitOptions): FitWish["terms"] {
  if (optimiser !== "adam" && optimiser !== "sgd")
    return refuse("--optimiser", `must be adam or sgd, not ${JSON.stringify(optimiser)}`);
  if (optimiser === "adam" && (localEpochs ?? batch) !== undefined)
    refuse("--local-epochs and --batch", "are of sgd: with adam a box gives one gradient over all its rows a round");
  return {
    optimiser,
    localEpochs: wholeNumber(localEpochs ?? "1", "--local-epochs", 1, 100),
    batchRows: wholeNumber(batch ?? "32", "--batch", 1, 1_000_000),
    seed: wholeNumber(seed ?? "1", "--seed", 0, 2 ** 31),
  };
}

function figure(text: string, option: string, max: number): number {
  const value = Number(text);
  return value >= 0 && value <= max ? value : refuse(option, `must be from 0 to ${max}, not ${JSON.stringify(text)}`);
}

/** @throws FIT_NOBODY, BAD_REQUEST with the boxes whose vectors differ */
export function agreedShape({ dataset, nodes, silent }: FitPlaces): { labels: string[]; dimensions: number } {
  const [first] = nodes;
  if (!first) throw new SkeinError("FIT_NOBODY", { dataset, missing: silent });
  const other = nodes.find(({ dimensions }) => dimensions !== first.dimensions);
  if (other)
    refuse(
      "DATASET",
      `has vectors of ${first.dimensions} numbers on ${first.node} and of ${other.dimensions} on ${other.node}`,
    );
  const labels = [...new Set(nodes.flatMap((node) => node.labels))].sort();
  if (labels.length < 2)
    refuse("DATASET", `has one label in all, ${JSON.stringify(labels[0])}: there is nothing to tell apart`);
  return { labels, dimensions: first.dimensions };
}

async function writeModel(shape: HeadShape, { best }: FitEnd, labels: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "skein-fit-"));
  const write = async (path: string, content: Uint8Array, use: "graph" | "labels") => {
    await writeFile(join(folder, path), content);
    return { path, bytes: content.length, use, at: join(folder, path) };
  };
  const graph = await write("model.onnx", headModel(shape, best.state.weights), "graph");
  const names = await write("labels.txt", new TextEncoder().encode(`${labels.join("\n")}\n`), "labels");
  return { folder, list: [graph, names] };
}

function placesText({ nodes, silent }: FitPlaces, labels: readonly string[]): string {
  const rows = nodes.map(({ node, rows: count, labels: own }) => [plain(node), `${count}`, `${own.length}`]);
  const quiet = silent.map(({ node, reason }) => `${plain(node)} did not say what it has: ${plain(reason)}\n`).join("");
  return `${table(["BOX", "ROWS", "LABELS"], rows, ["ROWS", "LABELS"])}${quiet}${labels.length} labels in all. Only weights and the names of labels leave a box.\n`;
}

export function rungText({ rounds, candidates }: RungTold): string {
  const best = [...candidates].sort((a, b) => a.loss - b.loss)[0]!;
  const lead = `learning rate ${best.learningRate}, l2 ${best.l2}`;
  const figures = `loss ${best.loss.toFixed(4)}, ${(100 * best.accuracy).toFixed(1)} % right`;
  return `  after round ${`${rounds}`.padStart(4)}: ${plural(candidates.length, "candidate")}; best: ${lead} (${figures} of the rows held out)\n`;
}

function endText(model: string, end: FitEnd): string {
  const { rows, right, loss } = judged(end.best);
  const missed = [...end.missed].map(
    ([node, { rounds, reason }]) => `${plural(rounds, "round")} went on without ${plain(node)}: ${plain(reason)}\n`,
  );
  const from = [...end.rows].map(([node, count]) => `${plain(node)} ${count}`).join(", ");
  const score = `${((100 * right) / rows).toFixed(1)} % of ${rows} rows held out are right, loss ${(loss / rows).toFixed(4)}`;
  return `${missed.join("")}${plain(model)} is registered: ${score}.\nRows learned from, which stayed where they are: ${from}.\n`;
}

const jsonOf = (model: string, { best, rungs, missed, rows }: FitEnd): unknown => ({
  model,
  terms: best.terms,
  trained: best.trained,
  heldOut: best.heldOut,
  rungs,
  rows: Object.fromEntries(rows),
  missed: Object.fromEntries(missed),
});
