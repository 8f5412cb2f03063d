/** The thread on which heads are fitted: one round after the other, over rows that it keeps in memory. */
import { readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { SkeinError } from "../../../shared/errors.ts";
import { type DatasetRow, rowsOf } from "../../../shared/fitting/dataset.ts";
import { type HeadShape, type Rows, score } from "../../../shared/fitting/head.ts";
import { localRound } from "../../../shared/fitting/rounds.ts";
import { type FitPart, type FitRoundRequest, readWeights, writeWeights } from "../../../shared/fitting/wire.ts";
import { readRows } from "./datasets.ts";
import type { ThreadAnswer, ThreadQuestion } from "./trainer.ts";

/** On Linux a priority is a thread's own: the agent's heartbeats do not wait for this one. */
setPriority(10);

interface Loaded {
  path: string;
  changedAtMs: number;
  rows: DatasetRow[];
}
let loaded: Loaded | undefined;

async function load({ path, changedAtMs }: ThreadQuestion): Promise<DatasetRow[]> {
  if (loaded?.path !== path || loaded.changedAtMs !== changedAtMs)
    loaded = { path, changedAtMs, rows: readRows(await readFile(path, "utf8")) };
  return loaded.rows;
}

function partOf(request: FitRoundRequest, rows: readonly DatasetRow[]): FitPart {
  const { labels, dimensions, terms, round } = request;
  const has = rows[0]!.vector.length;
  if (has !== dimensions)
    throw new SkeinError("BAD_REQUEST", { reason: `its vectors have ${has} numbers, not ${dimensions}` });
  const shape: HeadShape = { dimensions, classes: labels.length };
  const weights = readWeights(request.weights, shape);
  const some = (isHeldOut: boolean): Rows =>
    rowsOf(
      rows.filter((row) => row.isHeldOut === isHeldOut),
      labels,
      dimensions,
    );
  const training = some(false);
  const trained = score(shape, weights, training);
  const heldOut = score(shape, weights, some(true));
  // Of no row there is no mean; its part counts for nothing.
  const values = trained.rows === 0 ? weights : localRound(shape, terms, weights, training, round);
  return { values: writeWeights(values), trained, heldOut };
}

parentPort!.on("message", async (question: ThreadQuestion) => {
  const { id, request } = question;
  const answer = (message: ThreadAnswer): void => parentPort!.postMessage(message);
  try {
    answer({ id, part: partOf(request, await load(question)) });
  } catch (error) {
    answer({ id, error: SkeinError.from(error).toJSON() });
  }
});
