import { expect, test } from "vitest";
import { Dispatch } from "../../../agent/core/dispatch/index.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { A, B, job } from "../../support/nouns.ts";
import { failed, nodesAre, open, opened, range, recorded, silent, worker, X } from "./steps.ts";

const told = (dispatch: Dispatch) =>
  dispatch.storyOf(X).lines.map(({ atMs, kind, name, items, because }) => ({ atMs, kind, name, items, because }));

test("every decision is told with its cause, in the order in which they were made", () => {
  const dispatch = new Dispatch(3);
  const nodes = [worker(A, 1), worker(B, 1)];
  nodesAre(dispatch, [nodes[0]!]);
  open(dispatch, { items: 1 }, 5);
  nodesAre(dispatch, [silent(nodes[0]!), nodes[1]!], 900);
  nodesAre(dispatch, [nodes[1]!], 2_500);
  recorded(dispatch, B, [0], 3_000);
  expect(told(dispatch)).toEqual([
    { atMs: 5, kind: "opened", items: [[0, 0]], because: "1 of its items are not recorded" },
    {
      atMs: 5,
      kind: "leased",
      name: "a",
      items: [[0, 0]],
      because: "a does 1.00/s of the fleet's 1.00/s and had 0.0 s in hand",
    },
    { atMs: 900, kind: "suspected", name: "a", items: [[0, 0]], because: "its heartbeats stay away" },
    {
      atMs: 900,
      kind: "covered",
      name: "b",
      items: [[0, 0]],
      because: "nothing is heard of a, which has them; b does them too",
    },
    { atMs: 2_500, kind: "takenBack", name: "a", items: [[0, 0]], because: "a is gone" },
    {
      atMs: 3_000,
      kind: "recorded",
      name: "b",
      items: [[0, 0]],
      because: "the last of its results came 2.1 s after the lease",
    },
  ]);
});

test("a lease of what came back says what became of it before", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 1)]);
  nodesAre(dispatch, [worker(B, 1)], 10);
  const { because } = dispatch.storyOf(X).lines.at(-1)!;
  expect(because).toMatch(/; before, .*: it was taken back because a is gone$/);
});

test("attempts that came to nothing are kept with the item, the newest, and never the one that brought the result", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 0.1)]);
  const [held] = dispatch.table.shardsOf(A);
  nodesAre(dispatch, [worker(A, 0.1), worker(B, 5)], 100);
  const [hedge] = dispatch.table.shardsOf(B);
  expect(dispatch.lostAttempts(X, 0, hedge!.shardId, 300)).toEqual([
    {
      node: A,
      shardId: held!.shardId,
      leasedAtMs: 0,
      endedAtMs: 300,
      because: "another node had its result first",
      isHedge: false,
    },
  ]);
  expect(dispatch.lostAttempts(X, 0, held!.shardId, 300)).toMatchObject([{ node: B, isHedge: true }]);
  failed(dispatch, B, 0, 400);
  expect(dispatch.lostAttempts(X, 0, held!.shardId, 500)).toMatchObject([
    { node: B, endedAtMs: 400, because: "it failed there: it broke" },
  ]);
});

test("no more attempts are told than fit in the entry that records the result", () => {
  const dispatch = new Dispatch(1);
  const nodes = [worker(A, 1)];
  opened(dispatch, 1, nodes);
  for (const turn of range(9)) {
    nodesAre(dispatch, [], 100 * turn + 50);
    nodesAre(dispatch, [worker(A, 1, { name: "ä".repeat(200) })], 100 * turn + 100);
  }
  const [held] = dispatch.table.shardsOf(A);
  const attempts = dispatch.lostAttempts(X, 0, held!.shardId, 5_000);
  expect(attempts).toHaveLength(LIMITS.lostAttemptsMax);
  for (const { because } of attempts)
    expect(new TextEncoder().encode(because).length).toBeLessThanOrEqual(LIMITS.becauseBytesMax);
});

test("the story of a job is bounded, and so is the number of jobs remembered: those that ended go first", () => {
  const dispatch = new Dispatch(1);
  const nodes = [worker(A, 1)];
  opened(dispatch, 1, nodes);
  for (const turn of range(2 * LIMITS.storyLinesPerJob)) nodesAre(dispatch, turn % 2 ? nodes : [], turn);
  const { lines, linesDropped } = dispatch.storyOf(X);
  expect(lines).toHaveLength(LIMITS.storyLinesPerJob);
  expect(linesDropped).toBeGreaterThan(0);
  for (const n of range(LIMITS.storyJobsMax)) {
    open(dispatch, { jobId: job(`ended-${n}`) });
    dispatch.step({ kind: "jobClosed", jobId: job(`ended-${n}`), because: "done" }, 5_000);
  }
  expect(dispatch.storyOf(X).lines).toHaveLength(LIMITS.storyLinesPerJob);
  expect(dispatch.storyOf(job("ended-0")).lines).toEqual([]);
});
