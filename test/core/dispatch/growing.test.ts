import { expect, test } from "vitest";
import { Dispatch } from "../../../agent/core/dispatch/index.ts";
import type { JobId } from "../../../shared/ids.ts";
import { A, B, job } from "../../support/nouns.ts";
import { backs, failed, leases, nodesAre, open, range, recorded, silent, worker, X } from "./steps.ts";

const [Y, Z] = [job("y"), job("z")];

const opens = (dispatch: Dispatch, items: number[], nowMs = 0, jobId = X) =>
  dispatch.step({ kind: "itemsOpened", jobId, items }, nowMs);
const closes = (dispatch: Dispatch, items: number[], nowMs = 0) =>
  dispatch.step({ kind: "itemsClosed", jobId: X, items, isOver: true }, nowMs);

/** A segment of job Y. */
function openPart(dispatch: Dispatch, segment: number, items: number, pipeline = "ocr"): JobId {
  const jobId = job(`y/${segment}`);
  const about = { pipeline, priority: "normal" as const, deadlineAtMs: Number.POSITIVE_INFINITY, paused: false };
  dispatch.step({ kind: "jobOpened", jobId, items: range(items), partOf: { jobId: Y, segment }, ...about }, 0);
  return jobId;
}

test("items that come later are leased like those that were there, however many there are", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 100_000)]);
  open(dispatch, { items: 0 });
  expect(leases(opens(dispatch, [3])).flatMap(({ items }) => items)).toEqual([3]);
  recorded(dispatch, A, [3], 10);
  expect(leases(opens(dispatch, range(40_000), 20)).length).toBeGreaterThan(0);
  const { open: known, waiting } = dispatch.table.jobs.get(X)!;
  expect([known.size, waiting.size + dispatch.table.itemsLeasedTo(A)]).toEqual([40_000, 40_000]);
  dispatch.assertSound();
});

test("an item that is opened twice is leased once; one that was recorded is leased again when it is opened again", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 1)]);
  open(dispatch, { items: 1 });
  expect(opens(dispatch, [0])).toEqual([]);
  recorded(dispatch, A, [0], 10);
  expect(leases(opens(dispatch, [0], 20)).map(({ items }) => items)).toEqual([[0]]);
  dispatch.assertSound();
});

test("items that are closed are not leased, and a shard of nothing else is taken back", () => {
  const dispatch = new Dispatch(1);
  open(dispatch, { items: 3 });
  expect(
    leases([...closes(dispatch, [0]), ...nodesAre(dispatch, [worker(A, 1)])]).flatMap(({ items }) => items),
  ).toEqual([1, 2]);
  expect(backs(closes(dispatch, [1])).map(({ node, items }) => [node, items])).toEqual([[A, 0]]);
  expect(leases(opens(dispatch, [1], 10)).map(({ items }) => items)).toEqual([[1]]);
  dispatch.assertSound();
});

test("what runs while it is closed may end; it is not begun again, nor a second time, before it is opened", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 1)]);
  open(dispatch, { items: 2 });
  const close = (item: number) => dispatch.step({ kind: "itemsClosed", jobId: X, items: [item], isOver: false }, 10);
  expect([close(0), close(1), dispatch.table.itemsLeasedTo(A)]).toEqual([[], [], 2]);
  recorded(dispatch, A, [0], 20);
  expect(leases(nodesAre(dispatch, [silent(worker(A, 1)), worker(B, 1)], 30))).toEqual([]);
  expect(leases(nodesAre(dispatch, [worker(B, 1)], 40))).toEqual([]);
  expect(leases(opens(dispatch, [1], 50)).map(({ node, items }) => [node, items])).toEqual([[B, [1]]]);
  dispatch.assertSound();
});

test("an item that is closed and opened again does not go where it failed", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 1)]);
  open(dispatch, { items: 1 });
  failed(dispatch, A, 0, 10);
  closes(dispatch, [0], 20);
  expect(leases(opens(dispatch, [0], 30))).toEqual([]);
  expect(leases(nodesAre(dispatch, [worker(A, 1), worker(B, 1)], 40)).map(({ node }) => node)).toEqual([B]);
});

test("of one job what comes last goes first", () => {
  const dispatch = new Dispatch(1);
  for (const segment of [0, 2, 1]) openPart(dispatch, segment, 4);
  const leased = leases(nodesAre(dispatch, [worker(A, 1)])).map(({ jobId }) => jobId);
  expect(new Set(leased)).toEqual(new Set([job("y/2")]));
});

test("a job in three parts has one turn: another job gets half of a node's time", () => {
  const dispatch = new Dispatch(1);
  for (const segment of [0, 1, 2]) openPart(dispatch, segment, 2_000);
  open(dispatch, { jobId: Z, items: 2_000 });
  nodesAre(dispatch, [worker(A, 100)]);
  const handed = { own: 0, others: 0 };
  for (let nowMs = 10; nowMs < 30_000; nowMs += 10) {
    const shard = dispatch.table.shardsOf(A)[0]!;
    const [item] = shard.items;
    if (shard.jobId === Z) handed.own++;
    else handed.others++;
    dispatch.step({ kind: "itemReported", node: A, jobId: shard.jobId, item: item!, durationMs: 10 }, nowMs);
    recorded(dispatch, A, [item!], nowMs, shard.jobId);
  }
  expect(Math.abs(handed.own - handed.others)).toBeLessThan(600);
});

test("while more is to come an idle slow node takes what is there; of the last items, only what it ends first", () => {
  const dispatch = new Dispatch(1);
  const first = openPart(dispatch, 0, 0, "det");
  const second = openPart(dispatch, 1, 0);
  const fast = { ...worker(A, 10), rates: new Map(Object.entries({ ocr: 10, det: 10 })) };
  nodesAre(dispatch, [fast, worker(B, 0.1)]);
  expect(leases(opens(dispatch, [0], 0, first)).map(({ node }) => node)).toEqual([A]);
  expect(leases(opens(dispatch, [0], 0, second)).map(({ node }) => node)).toEqual([B]);
  recorded(dispatch, A, [0], 100, first);
  recorded(dispatch, B, [0], 100, second);
  expect(leases(opens(dispatch, [1], 200, second)).map(({ node }) => node)).toEqual([A]);
});
