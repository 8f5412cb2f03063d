import { expect, test } from "vitest";
import {
  Dispatch,
  type DispatchEffect,
  type DispatchNode,
  HEDGE_ALLOWANCE_ITEMS,
} from "../../../agent/core/dispatch/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B, C, shard } from "../../support/nouns.ts";
import { leases, nodesAre, opened, range, recorded, report, worker, X } from "./steps.ts";

const slow = worker(A, 0.1);

test("an idle node runs the slowest shard a second time if it would end sooner, and the loser is taken back", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [slow]);
  const granted = leases(nodesAre(dispatch, [slow, worker(B, 5)], 100));
  expect(granted).toMatchObject([{ node: B, items: [0], isHedge: true }]);
  const effects = recorded(dispatch, B, [0], 400);
  expect(effects).toMatchObject([{ kind: "takeBackShard", node: A }]);
  expect(dispatch.table.shards.size).toBe(0);
});

test("no third copy of a shard is made", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [slow]);
  nodesAre(dispatch, [slow, worker(B, 5)], 100);
  expect(leases(nodesAre(dispatch, [slow, worker(B, 5), worker(C, 50)], 101))).toEqual([]);
});

test("nodes of one speed do not hedge each other's last items while these are in time", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 2, [worker(A, 1), worker(B, 1)]);
  const item = [...dispatch.table.shardsOf(A)[0]!.items][0]!;
  report(dispatch, A, item, 900, 900);
  expect(leases(recorded(dispatch, A, [item], 910))).toEqual([]);
});

test("a shard that stays silent for much longer than its runs take is hedged by a node of the same speed", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 2, [worker(A, 1), worker(B, 1)]);
  const item = [...dispatch.table.shardsOf(A)[0]!.items][0]!;
  report(dispatch, A, item, 1_000, 1_000);
  recorded(dispatch, A, [item], 1_000);
  const hedged = range(40).map((i) => leases(dispatch.step({ kind: "ticked" }, 1_000 + 250 * i)).length);
  const atMs = 1_000 + 250 * hedged.indexOf(1);
  expect(atMs).toBeGreaterThan(2_000);
  expect(atMs).toBeLessThan(6_000);
});

/** A node that a new leader finds with these shards; nothing else waits. */
function holding(node: DispatchNode, shards: number[][]): Dispatch {
  const dispatch = new Dispatch(2);
  opened(dispatch, shards.flat().length, [{ ...node, eligible: false }]);
  for (const [n, items] of shards.entries())
    dispatch.step({ kind: "shardHeld", node: node.nodeId, shardId: shard(`job-x/1.${n}`), jobId: X, items }, 0);
  return dispatch;
}

test("only what is not reported yet is run a second time, and of that the end", () => {
  const dispatch = holding(worker(A, 0.1), [range(8)]);
  for (const item of range(3)) report(dispatch, A, item, 10_000, 10_000 * (item + 1));
  const [hedge] = leases(nodesAre(dispatch, [worker(A, 0.1), worker(B, 0.2)], 31_000));
  expect(hedge).toMatchObject({ node: B, isHedge: true });
  expect(hedge!.items.at(-1)).toBe(7);
  expect(Math.min(...hedge!.items)).toBeGreaterThan(3);
});

test("a shard that its node has not begun is moved to an idle node instead of being done twice", () => {
  const dispatch = holding(worker(A, 1), [range(4), [4, 5, 6, 7]]);
  const effects = nodesAre(dispatch, [worker(A, 1), worker(B, 2)], 100);
  expect(effects).toMatchObject([
    { kind: "takeBackShard", node: A, shardId: "job-x/1.1" },
    { kind: "leaseShard", node: B, items: [4, 5, 6, 7], isHedge: false },
  ]);
  expect(dispatch.table.jobs.get(X)!.hedgedItems).toBe(0);
  dispatch.assertSound();
});

test("a shard that would not end sooner elsewhere stays where it is", () => {
  const dispatch = holding(worker(A, 4), [range(4), [4, 5, 6, 7]]);
  expect(nodesAre(dispatch, [worker(A, 4), worker(B, 1)], 100)).toEqual([]);
});

test("hedges of a job stay under their budget: a twentieth of its work and an allowance", () => {
  const dispatch = new Dispatch(1);
  const late = range(12).map((i) => worker(`late-${i}` as NodeId, 0.01));
  opened(dispatch, 24, late);
  const idle = range(12).map((i) => worker(`idle-${i}` as NodeId, 1));
  const granted = leases(nodesAre(dispatch, [...late, ...idle], 1_000));
  expect(granted.flatMap(({ items }) => items)).toHaveLength(HEDGE_ALLOWANCE_ITEMS);
  const { hedgedItems, hedgedSeconds } = dispatch.table.jobs.get(X)!;
  expect([hedgedItems, hedgedSeconds]).toEqual([HEDGE_ALLOWANCE_ITEMS, HEDGE_ALLOWANCE_ITEMS]);
});

test("what a node holds long past its deadline is done elsewhere too, whatever the budget says", () => {
  const dispatch = new Dispatch(1);
  const late = range(12).map((i) => worker(`late-${i}` as NodeId, 1));
  opened(dispatch, 24, late);
  const idle = range(12).map((i) => worker(`idle-${i}` as NodeId, 1));
  const inTime = leases(nodesAre(dispatch, [...late, ...idle], 3_000));
  expect(inTime.flatMap(({ items }) => items).length).toBeLessThanOrEqual(HEDGE_ALLOWANCE_ITEMS);
  const covered = new Set(inTime.flatMap(({ items }) => items));
  const take = (effects: DispatchEffect[]): void => {
    for (const { items, because } of leases(effects)) {
      expect(because).toContain("past its deadline");
      for (const item of items) covered.add(item);
    }
  };
  for (let atMs = 20_000; atMs < 40_000; atMs += 250) {
    take(dispatch.step({ kind: "ticked" }, atMs));
    for (const { nodeId } of idle)
      for (const { items } of [...dispatch.table.shardsOf(nodeId)])
        take(recorded(dispatch, nodeId, [...items], atMs + 100));
  }
  expect(covered.size).toBe(24);
  expect(dispatch.table.jobs.get(X)!.hedgedItems).toBeLessThanOrEqual(HEDGE_ALLOWANCE_ITEMS);
});

test("items of a millisecond are neither hedged nor moved while their reports are only a little behind, and are once they stay away", () => {
  const node = worker(A, 1_000);
  const shards = [range(200), range(400).slice(200)];
  const idle = worker(B, 1_000);
  const silentUntil = (atMs: number): number => {
    const dispatch = holding(node, shards);
    return leases(nodesAre(dispatch, [node, idle], atMs)).length;
  };
  expect([50, 100, 200, 240].map(silentUntil)).toEqual([0, 0, 0, 0]);
  expect(silentUntil(6_000)).toBe(1);
});
