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
const ended = (item: number, durationMs = 7): WorkerEvent => ({ kind: "runEnded", ...at(item), durationMs });
const stored = (item: number): WorkerEvent => ({
  kind: "outputStored",
  ...at(item),
  output: blob(99),
  outputBytes: 5,
  durationMs: 7,
});
const copied = (...items: number[]): WorkerEvent => ({
  kind: "outputsCopied",
  outputs: items.map((item) => ({ ...at(item), holders: [A, B] })),
});
const uncopied = (...items: number[]): WorkerEvent => ({ kind: "copiesFailed", outputs: items.map(at) });
type Copying = WorkerEffect & { kind: "copyOutputs" };
const groupsOf = (effects: WorkerEffect[]): number[][] =>
  effects
    .filter((effect): effect is Copying => effect.kind === "copyOutputs")
    .map(({ outputs }) => outputs.map(({ item }) => item));

/** A worker whose clock is 0 unless a step says otherwise. */
const start = (executors = 1, atOnce?: (pipeline: string) => number) => {
  const worker = new Worker(A, executors, atOnce);
  const step = (event: WorkerEvent, nowMs = 0): WorkerEffect[] => worker.step(event, nowMs, 1_000);
  /** Leased, fetched, run and stored; what follows from the last of it. */
  const finish = (...items: number[]): WorkerEffect[] => {
    for (const item of items) step({ kind: "inputReady", ...at(item) });
    return items.flatMap((item) => [...step(ended(item)), ...step(stored(item))]);
  };
  return { worker, step, finish };
};

test("an item walks from fetch to run to copy to report, and is forgotten when recorded", () => {
  const { worker, step } = start();
  expect(step({ kind: "leased", lease: lease([0]) })).toMatchObject([{ kind: "fetchInput", from: [B] }]);
  expect(kinds(step({ kind: "inputReady", ...at(0) }))).toEqual(["runItem"]);
  expect(step(ended(0))).toEqual([]);
  expect(step(stored(0))).toMatchObject([{ kind: "copyOutputs", outputs: [{ output: blob(99) }], copies: 2 }]);
  const [report] = step(copied(0));
  expect(report).toMatchObject({ kind: "reportResults", results: [{ item: 0, holders: [A, B], durationMs: 7 }] });
  step({ kind: "resultsRecorded", results: (report as WorkerEffect & { kind: "reportResults" }).results });
  expect(worker.itemsQueued).toBe(0);
});

test("of a pipeline that runs in batches as much is begun as fills the batches that run and the next", () => {
  const begun = (atOnce: number): number => {
    const { step } = start(2, (pipeline) => (pipeline === "ocr" ? atOnce : 0));
    const items = Array.from({ length: 1_000 }, (_, n) => n);
    step({ kind: "leased", lease: lease(items) });
    return items.flatMap((item) => step({ kind: "inputReady", ...at(item) })).filter(({ kind }) => kind === "runItem")
      .length;
  };
  expect([begun(0), begun(16), begun(1_000)]).toEqual([3, 32, 512]);
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

test("short runs are handed over ahead, as many as fill some milliseconds; how long a job's runs are says nothing of another's", () => {
  const { worker, step } = start();
  const all = Array.from({ length: 40 }, (_, item) => item);
  step({ kind: "leased", lease: lease(all) });
  for (const item of all) step({ kind: "inputReady", ...at(item) });
  expect(kinds(step(ended(0, 0.5)))).toEqual(Array(10).fill("runItem"));
  const other = { ...lease([0, 1, 2]), jobId: job("y"), shardId: shard("s9") };
  for (const item of all) {
    step(ended(item, 0.5));
    step(stored(item));
  }
  step({ kind: "leased", lease: other });
  const begun = [0, 1, 2].flatMap((item) => worker.step({ kind: "inputReady", jobId: job("y"), item }, 0, 0));
  expect(kinds(begun)).toEqual(["runItem", "runItem"]);
});

test("a copy that failed is tried again after a pause, and nothing is reported before", () => {
  const { step, finish } = start();
  step({ kind: "leased", lease: lease([0]) });
  finish(0);
  expect(step(uncopied(0))).toEqual([]);
  expect(step({ kind: "ticked" }, 300)).toEqual([]);
  expect(kinds(step({ kind: "ticked" }, 600))).toEqual(["copyOutputs"]);
});

test("two groups of outputs are copied at a time; what is finished meanwhile goes together in the next", () => {
  const { step, finish } = start(4);
  step({ kind: "leased", lease: lease([0, 1, 2, 3]) });
  expect(groupsOf(finish(0, 1, 2, 3))).toEqual([[0], [1]]);
  expect(groupsOf(step(copied(1)))).toEqual([[2, 3]]);
});

test("of a group that failed halves are copied, so that an output that cannot be copied holds up no other", () => {
  const { step, finish } = start(8);
  step({ kind: "leased", lease: lease([0, 1, 2, 3, 4, 5]) });
  finish(0, 1, 2, 3, 4, 5);
  step(copied(0));
  step(copied(1));
  step(uncopied(2, 3, 4, 5));
  expect(groupsOf(step({ kind: "ticked" }, 600))).toEqual([
    [2, 3],
    [4, 5],
  ]);
  step(copied(4, 5), 610);
  step(uncopied(2, 3), 610);
  expect(groupsOf(step({ kind: "ticked" }, 1_200))).toEqual([[2], [3]]);
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
  const { step, finish } = start(3);
  step({ kind: "leased", lease: lease([0, 1, 2]) });
  finish(0, 1, 2);
  const first = step(copied(0));
  expect(kinds(first)).toEqual(["copyOutputs", "reportResults"]);
  expect(step(copied(1))).toEqual([]);
  expect(step(copied(2))).toEqual([]);
  const { results } = first[1] as WorkerEffect & { kind: "reportResults" };
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

test("what an earlier life had finished is copied and reported, not run; what had failed is reported", () => {
  const { worker, step } = start();
  const made = { jobId: job("x"), item: 0, output: blob(99), outputBytes: 5, node: A, shardId: shard("s1") };
  const told = { durationMs: 7, finishedAtMs: 900, holders: [A], signature: "signed then" };
  const [copy] = step({ kind: "remembered", lease: lease([0]), result: { ...made, ...told } });
  expect(copy).toMatchObject({ kind: "copyOutputs", outputs: [{ output: blob(99), bytes: 5 }], copies: 2 });
  expect(worker.held()).toEqual([{ shardId: "s1", jobId: "job-x", items: [0] }]);
  const [report] = step({ kind: "outputsCopied", outputs: [{ ...at(0), holders: [A, B] }] });
  expect(report).toMatchObject({ results: [{ finishedAtMs: 900, signature: "signed then", holders: [A, B] }] });
  expect(worker.finished()).toMatchObject([{ item: { item: 0 }, lease: { pipeline: "ocr" } }]);
  const error = { code: "INPUT_EMPTY" as const, message: "m", facts: {} };
  const { output: _, ...failed } = { ...made, ...told, item: 1, error };
  step({ kind: "remembered", lease: lease([1]), result: failed });
  step({ kind: "resultsRecorded", results: [{ ...made, ...told }] });
  expect(worker.finished()).toMatchObject([{ result: { error } }]);
});

test("what was leased anew before it was remembered is left as it is", () => {
  const { worker, step } = start();
  step({ kind: "leased", lease: lease([0], "s2") });
  const made = { jobId: job("x"), item: 0, output: blob(99), outputBytes: 5, node: A, shardId: shard("s1") };
  const result = { ...made, durationMs: 7, finishedAtMs: 900, holders: [A] };
  expect(step({ kind: "remembered", lease: lease([0]), result })).toEqual([]);
  expect(worker.held()).toMatchObject([{ shardId: "s2" }]);
});

test("once a leader of a later term was heard, an earlier one is not obeyed any more, with the reason", () => {
  const { worker } = start();
  expect(worker.fence(5)).toBeUndefined();
  expect(worker.fence(5)).toBeUndefined();
  expect(worker.fence(4)).toBe("the leader of term 4 was deposed: it has heard of term 5");
  expect(worker.fence(6)).toBeUndefined();
  expect(worker.fence(5)).toBe("the leader of term 5 was deposed: it has heard of term 6");
});

test("nor is one of whose successor this node itself has heard, though no leader spoke yet", () => {
  const { worker } = start();
  expect(worker.fence(5, 6)).toBe("the leader of term 5 was deposed: it has heard of term 6");
  expect(worker.fence(6, 6)).toBeUndefined();
});

test("what a new leader asked for is its own; one that leases without having asked goes on without what has not begun", () => {
  const begin = () => {
    const begun = start();
    begun.worker.fence(1);
    begun.step({ kind: "leased", lease: lease([0, 1, 2], "job-x/1.1") });
    begun.step({ kind: "inputReady", ...at(0) });
    return begun.worker;
  };
  const [asked, unasked] = [begin(), begin()];
  expect(asked.adopt(2)).toEqual([{ shardId: "job-x/1.1", jobId: "job-x", items: [0, 1, 2] }]);
  expect(asked.fence(2)).toBeUndefined();
  expect(asked.held()).toEqual([{ shardId: "job-x/1.1", jobId: "job-x", items: [0, 1, 2] }]);
  expect(unasked.fence(2)).toBeUndefined();
  expect(unasked.held()).toEqual([{ shardId: "job-x/1.1", jobId: "job-x", items: [0] }]);
  expect(unasked.adopt(1)).toHaveLength(1);
  expect(unasked.fence(1)).toBe("the leader of term 1 was deposed: it has heard of term 2");
});

test("a run goes with the deadline of its lease", () => {
  const { step } = start();
  step({ kind: "leased", lease: { ...lease([0]), itemDeadlineMs: 12_000 } });
  expect(step({ kind: "inputReady", ...at(0) })).toMatchObject([{ kind: "runItem", itemDeadlineMs: 12_000 }]);
});

test("a result of a shard that a deposed leader leased goes to the next one under its old shard id", () => {
  const { worker, step, finish } = start();
  step({ kind: "leased", lease: lease([0, 1], "job-x/1.1") });
  expect(worker.adopt(2)).toEqual([{ shardId: "job-x/1.1", jobId: "job-x", items: [0, 1] }]);
  finish(0);
  const [report] = step(copied(0));
  expect(report).toMatchObject({ results: [{ item: 0, shardId: "job-x/1.1" }] });
});

/** Of a stage: it starts from that output of another. */
const leasedFrom = (output: number, name: string, basis?: number): Lease => {
  const parts = [{ kind: "values" as const, blob: blob(output), bytes: 5 }];
  const of = lease([0], name);
  return { ...of, items: of.items.map((item) => ({ ...item, parts, ...(basis && { basis: blob(basis) }) })) };
};

test("what was leased before its start was agreed on says so with its result, and to the next leader", () => {
  const { worker, step, finish } = start();
  step({ kind: "leased", lease: leasedFrom(1, "s1", 50) });
  expect(worker.held()).toMatchObject([{ items: [0], bases: [blob(50)] }]);
  finish(0);
  expect(step(copied(0))).toMatchObject([{ kind: "reportResults", results: [{ item: 0, basis: blob(50) }] }]);
});

test("the same again, now that it is agreed on, is no other task, and needs no basis", () => {
  const { worker, step, finish } = start();
  step({ kind: "leased", lease: leasedFrom(1, "s1", 50) });
  step({ kind: "inputReady", ...at(0) });
  expect(step({ kind: "leased", lease: leasedFrom(1, "s2") })).toEqual([]);
  expect(worker.held()).toEqual([{ shardId: shard("s2"), jobId: job("x"), items: [0] }]);
  finish(0);
  const [report] = step(copied(0)) as [WorkerEffect & { kind: "reportResults" }];
  expect(report.results.map(({ shardId, basis }) => [shardId, basis])).toEqual([[shard("s2"), undefined]]);
});

test("a task that comes again to start from something else begins anew, once what is under way has ended", () => {
  const { step, finish } = start();
  step({ kind: "leased", lease: leasedFrom(1, "s1", 50) });
  expect(step({ kind: "leased", lease: leasedFrom(2, "s2") }), "its input is on its way").toEqual([]);
  const fetched = step({ kind: "inputReady", ...at(0) });
  expect(fetched).toMatchObject([{ kind: "fetchInput", item: { parts: [{ blob: blob(2) }] } }]);
  step({ kind: "inputReady", ...at(0) });
  expect(step({ kind: "leased", lease: leasedFrom(3, "s3") }), "it runs").toEqual([]);
  expect([step(ended(0)), kinds(step(stored(0)))]).toEqual([[], ["fetchInput"]]);
  finish(0);
  expect(step(copied(0))).toMatchObject([{ results: [{ shardId: shard("s3") }] }]);
});

test("a finished task that comes again to start from something else is dropped, and the word on the old one leaves the new one alone", () => {
  const { worker, step, finish } = start();
  step({ kind: "leased", lease: leasedFrom(1, "s1", 50) });
  finish(0);
  const [old] = step(copied(0)) as [WorkerEffect & { kind: "reportResults" }];
  expect(kinds(step({ kind: "leased", lease: leasedFrom(2, "s2") }))).toEqual(["fetchInput"]);
  finish(0);
  step({ kind: "resultsRecorded", results: old.results });
  expect(worker.itemsQueued).toBe(1);
  const [report] = step(copied(0)) as [WorkerEffect & { kind: "reportResults" }];
  expect(report.results.map(({ shardId }) => shardId)).toEqual([shard("s2")]);
});

test("what is taken back before it began anew is not begun", () => {
  const { worker, step } = start();
  step({ kind: "leased", lease: leasedFrom(1, "s1", 50) });
  step({ kind: "inputReady", ...at(0) });
  step({ kind: "leased", lease: leasedFrom(2, "s2") });
  step({ kind: "takenBack", shardIds: [shard("s2")] });
  expect([step(ended(0)), kinds(step(stored(0)))]).toEqual([[], ["copyOutputs"]]);
  expect(worker.itemsQueued).toBe(1);
});
