import { expect, test } from "vitest";
import { Worker, type WorkerEffect, type WorkerEvent } from "../../../agent/core/worker/index.ts";
import type { Lease } from "../../../shared/peer-requests.ts";
import { A, B, blob, job, shard } from "../../support/nouns.ts";

const lease = (items: number[], name = "s1"): Lease => ({
  term: 1,
  shardId: shard(name),
  jobId: job("x"),
  pipeline: "ocr",
  items: items.map((item) => ({ item, name: `page-${item}`, blob: blob(item), bytes: 10 })),
  inputHolders: [B],
  copies: 2,
});
const kinds = (effects: WorkerEffect[]): string[] => effects.map((effect) => effect.kind);
const at = (item: number) => ({ jobId: job("x"), item });
const finished = (item: number): WorkerEvent => ({
  kind: "runFinished",
  ...at(item),
  output: blob(99),
  outputBytes: 5,
  durationMs: 7,
});

/** A worker whose clock is 0 unless a step says otherwise. */
const start = (executors = 1) => {
  const worker = new Worker(A, executors);
  return { worker, step: (event: WorkerEvent, nowMs = 0) => worker.step(event, nowMs, 1_000) };
};

test("an item walks from fetch to run to copy to report, and is forgotten when recorded", () => {
  const { worker, step } = start();
  expect(step({ kind: "leased", lease: lease([0]) })).toMatchObject([{ kind: "fetchInput", from: [B] }]);
  expect(kinds(step({ kind: "inputReady", ...at(0) }))).toEqual(["runItem"]);
  expect(step(finished(0))).toMatchObject([{ kind: "copyOutput", output: blob(99), copies: 2 }]);
  const [report] = step({ kind: "outputCopied", ...at(0), holders: [A, B] });
  expect(report).toMatchObject({ kind: "reportResults", results: [{ item: 0, holders: [A, B], durationMs: 7 }] });
  step({ kind: "resultsRecorded", results: (report as WorkerEffect & { kind: "reportResults" }).results });
  expect(worker.itemsQueued).toBe(0);
});

test("no more runs are begun than there are executors and one", () => {
  const { step } = start(2);
  step({ kind: "leased", lease: lease([0, 1, 2, 3]) });
  const runs = [0, 1, 2, 3].flatMap((item) => kinds(step({ kind: "inputReady", ...at(item) })));
  expect(runs.filter((kind) => kind === "runItem")).toHaveLength(3);
});

test("what has begun is not dropped when it is taken back; what has not is", () => {
  const { worker, step } = start();
  step({ kind: "leased", lease: lease([0, 1, 2]) });
  step({ kind: "inputReady", ...at(0) });
  step({ kind: "takenBack", shardIds: [shard("s1")] });
  expect(worker.held()).toEqual([{ shardId: "s1", jobId: "job-x", items: [0] }]);
});

test("an item that comes again while it runs is not run twice; it counts for the newer lease", () => {
  const { worker, step } = start();
  step({ kind: "leased", lease: lease([0]) });
  step({ kind: "inputReady", ...at(0) });
  expect(step({ kind: "leased", lease: lease([0], "s2") })).toEqual([]);
  expect(worker.held()).toMatchObject([{ shardId: "s2" }]);
});

test("a copy that failed is tried again after a pause, and nothing is reported before", () => {
  const { step } = start();
  step({ kind: "leased", lease: lease([0]) });
  step({ kind: "inputReady", ...at(0) });
  step(finished(0));
  expect(step({ kind: "copyFailed", ...at(0) })).toEqual([]);
  expect(step({ kind: "ticked" }, 300)).toEqual([]);
  expect(kinds(step({ kind: "ticked" }, 600))).toEqual(["copyOutput"]);
});

test("a report that failed is made again, to whoever leads then", () => {
  const { step } = start();
  step({ kind: "leased", lease: lease([0]) });
  const error = { code: "IMAGE_UNREADABLE" as const, message: "m", facts: {} };
  step({ kind: "inputReady", ...at(0) });
  const [report] = step({ kind: "runFailed", ...at(0), error, durationMs: 3 });
  const { results } = report as WorkerEffect & { kind: "reportResults" };
  expect(results).toMatchObject([{ error: { code: "IMAGE_UNREADABLE" }, holders: [] }]);
  expect(step({ kind: "reportFailed", results })).toEqual([]);
  expect(step({ kind: "ticked" }, 300)).toEqual([{ kind: "reportResults", results }]);
  expect(step({ kind: "reportFailed", results }, 300)).toEqual([]);
  expect(step({ kind: "leaderKnown" }, 310)).toEqual([{ kind: "reportResults", results }]);
});

test("one report is on its way at a time, and what finished meanwhile goes in the next", () => {
  const { step } = start(2);
  step({ kind: "leased", lease: lease([0, 1, 2]) });
  for (const item of [0, 1, 2]) step({ kind: "inputReady", ...at(item) });
  for (const item of [0, 1, 2]) step(finished(item));
  const first = step({ kind: "outputCopied", ...at(0), holders: [A, B] });
  expect(kinds(first)).toEqual(["reportResults"]);
  expect(step({ kind: "outputCopied", ...at(1), holders: [A, B] })).toEqual([]);
  expect(step({ kind: "outputCopied", ...at(2), holders: [A, B] })).toEqual([]);
  const { results } = first[0] as WorkerEffect & { kind: "reportResults" };
  expect(step({ kind: "resultsRecorded", results })).toMatchObject([{ results: [{ item: 1 }, { item: 2 }] }]);
});

test("an input that nobody has is a failure of this node, told to the leader", () => {
  const { step } = start();
  step({ kind: "leased", lease: lease([0]) });
  const error = { code: "BLOB_MISSING" as const, message: "m", facts: {} };
  expect(step({ kind: "inputFailed", ...at(0), error })).toMatchObject([
    { results: [{ error: { code: "BLOB_MISSING" } }] },
  ]);
});
