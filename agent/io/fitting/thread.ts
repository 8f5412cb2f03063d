/** The thread on which data sets are read and heads are fitted: one question after the other, over rows that it keeps in memory. */
import { readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { SkeinError } from "../../../shared/errors.ts";
import { type DatasetRow, datasetView } from "../../../shared/fitting/dataset.ts";
import { type FitRows, fitPart, fitRows } from "../../../shared/fitting/part.ts";
import type { FitRoundRequest } from "../../../shared/fitting/wire.ts";
import { readRows } from "./rows.ts";
import type { ThreadAnswer, ThreadQuestion } from "./trainer.ts";

/** On Linux a priority is a thread's own: the agent's heartbeats do not wait for this one. */
setPriority(10);

interface Loaded {
  path: string;
  changedAtMs: number;
  rows: DatasetRow[];
  /** As the candidates of a fit take them, all of which have the same labels. */
  fit?: { labels: string; dimensions: number; rows: FitRows };
}
let loaded: Loaded | undefined;

async function load({ path, changedAtMs }: ThreadQuestion): Promise<Loaded> {
  if (loaded?.path !== path || loaded.changedAtMs !== changedAtMs)
    loaded = { path, changedAtMs, rows: readRows(await readFile(path, "utf8")) };
  return loaded;
}

function rowsFor(one: Loaded, { labels, dimensions }: FitRoundRequest): FitRows {
  const key = JSON.stringify(labels);
  if (one.fit?.labels !== key || one.fit.dimensions !== dimensions)
    one.fit = { labels: key, dimensions, rows: fitRows(one.rows, labels, dimensions) };
  return one.fit.rows;
}

parentPort!.on("message", async (question: ThreadQuestion) => {
  const { id } = question;
  const answer = (message: ThreadAnswer): void => parentPort!.postMessage(message);
  try {
    const one = await load(question);
    if ("name" in question) answer({ id, value: datasetView(question.name, one.rows) });
    else answer({ id, value: fitPart(question.request, rowsFor(one, question.request)) });
  } catch (error) {
    answer({ id, error: SkeinError.from(error).toJSON() });
  }
});
