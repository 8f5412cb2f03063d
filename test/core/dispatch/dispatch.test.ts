import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkItems, Dispatch, type DispatchEffect, type DispatchNode } from "../../../agent/core/dispatch/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B, C, job, shard } from "../../support/nouns.ts";

const worker = (nodeId: NodeId, rate: number, more: Partial<DispatchNode> = {}): DispatchNode => ({
  nodeId,
  name: nodeId.slice(-1),
  executors: 1,
  rates: new Map([["ocr", rate]]),
  eligible: true,
  ...more,
});
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const leases = (effects: DispatchEffect[]) => effects.filter((effect) => effect.kind === "leaseShard");
const opened = (dispatch: Dispatch, items: number, nodes: DispatchNode[]): DispatchEffect[] => {
  dispatch.step({ kind: "nodesChanged", nodes }, 0);
  return dispatch.step({ kind: "jobOpened", jobId: job("x"), pipeline: "ocr", items: range(items) }, 0);
};

test("every node gets a running and a waiting shard, the faster the larger", () => {
  const granted = leases(opened(new Dispatch(1), 100, [worker(A, 10), worker(B, 1)]));
  expect(granted.filter((lease) => lease.node === A)).toHaveLength(2);
  expect(granted.filter((lease) => lease.node === B)).toHaveLength(2);
  const first = (nodeId: NodeId) => granted.find((lease) => lease.node === nodeId)!.items.length;
  expect(first(A)).toBeGreaterThan(first(B));
});

test("a node that is not eligible keeps what it has and gets nothing new", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 4, [worker(A, 1)]);
  const before = dispatch.table.itemsLeasedTo(A);
  const effects = dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 1, { eligible: false })] }, 10);
  expect(effects).toEqual([]);
  expect(dispatch.table.itemsLeasedTo(A)).toBe(before);
});

test("the shards of a node that is gone are taken back and leased to others", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 6, [worker(A, 1), worker(B, 1)]);
  const lost = dispatch.table.shardsOf(B).flatMap((held) => [...held.items]);
  const effects = dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 1)] }, 10);
  expect(effects.filter((effect) => effect.kind === "takeBackShard").map((effect) => effect.node)).toEqual([B, B]);
  const waiting = dispatch.table.jobs.get(job("x"))!.waiting;
  expect(lost.every((item) => waiting.has(item) || dispatch.table.copiesOf(job("x"), item)[0]?.node === A)).toBe(true);
});

test("a new leader adopts what a worker says it holds and does not lease it again", () => {
  const dispatch = new Dispatch(7);
  const nodes = [worker(A, 1), worker(B, 1)];
  opened(
    dispatch,
    3,
    nodes.map((one) => ({ ...one, eligible: false })),
  );
  dispatch.step({ kind: "shardHeld", node: B, shardId: shard("job-x/6.4"), jobId: job("x"), items: [0, 1] }, 0);
  const granted = leases(dispatch.step({ kind: "nodesChanged", nodes }, 1));
  expect(granted.flatMap((lease) => lease.items)).toEqual([2]);
  expect(granted[0]?.shardId).toBe("job-x/7.1");
});

test("what two workers say they hold is adopted once", () => {
  const dispatch = new Dispatch(7);
  opened(dispatch, 2, [worker(A, 1, { eligible: false }), worker(B, 1, { eligible: false })]);
  dispatch.step({ kind: "shardHeld", node: A, shardId: shard("s1"), jobId: job("x"), items: [0, 1] }, 0);
  dispatch.step({ kind: "shardHeld", node: B, shardId: shard("s2"), jobId: job("x"), items: [1] }, 0);
  dispatch.assertSound();
  expect(dispatch.table.itemsLeasedTo(B)).toBe(0);
});

test("an idle node runs the slowest shard a second time if it would end sooner, and the loser is taken back", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 0.1)]);
  const granted = leases(dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 0.1), worker(B, 5)] }, 100));
  expect(granted).toMatchObject([{ node: B, items: [0], isHedge: true }]);
  const effects = dispatch.step({ kind: "itemsRecorded", jobId: job("x"), items: [0], node: B }, 400);
  expect(effects).toMatchObject([{ kind: "takeBackShard", node: A }]);
  expect(dispatch.table.shards.size).toBe(0);
});

test("no third copy of a shard is made", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 0.1)]);
  dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 0.1), worker(B, 5)] }, 100);
  const effects = dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 0.1), worker(B, 5), worker(C, 50)] }, 101);
  expect(leases(effects)).toEqual([]);
});

test("an item that failed on one node goes to another, and is given up after the second", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  dispatch.step({ kind: "nodesChanged", nodes: [worker(A, 5), worker(B, 5)] }, 1);
  const holder = [...dispatch.table.shards.values()][0]!.node;
  const retry = leases(dispatch.step({ kind: "itemFailed", node: holder, jobId: job("x"), item: 0 }, 10));
  expect(retry).toHaveLength(1);
  expect(retry[0]!.node).not.toBe(holder);
  const effects = dispatch.step({ kind: "itemFailed", node: retry[0]!.node, jobId: job("x"), item: 0 }, 20);
  expect(effects).toContainEqual({ kind: "giveUpItem", jobId: job("x"), item: 0 });
});

test("an item whose input is not at hand waits a while and is leased again, as often as it takes", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  for (let nowMs = 10; nowMs < 20_000; nowMs += 2_000) {
    expect(dispatch.step({ kind: "itemDelayed", node: A, jobId: job("x"), item: 0 }, nowMs)).toEqual([]);
    expect(leases(dispatch.step({ kind: "ticked" }, nowMs + 500))).toEqual([]);
    expect(leases(dispatch.step({ kind: "ticked" }, nowMs + 1_500))).toHaveLength(1);
  }
});

test("an item that failed on the only node there is waits for another to come up, but not for ever", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  expect(dispatch.step({ kind: "itemFailed", node: A, jobId: job("x"), item: 0 }, 10)).toEqual([]);
  expect(dispatch.step({ kind: "ticked" }, 20_000)).toEqual([]);
  expect(dispatch.step({ kind: "ticked" }, 40_000)).toEqual([{ kind: "giveUpItem", jobId: job("x"), item: 0 }]);
});

test("a refusing node is left alone for a while, then asked again", () => {
  const dispatch = new Dispatch(1);
  const [lease] = leases(opened(dispatch, 1, [worker(A, 5)]));
  expect(leases(dispatch.step({ kind: "leaseRefused", shardId: lease!.shardId, because: "full" }, 10))).toEqual([]);
  expect(leases(dispatch.step({ kind: "ticked" }, 2_000))).toHaveLength(1);
});

test("a closed job's shards are taken back", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 4, [worker(A, 1), worker(B, 1)]);
  const effects = dispatch.step({ kind: "jobClosed", jobId: job("x"), because: "cancelled" }, 5);
  expect(effects.every((effect) => effect.kind === "takeBackShard")).toBe(true);
  expect(dispatch.table.shards.size).toBe(0);
});

test("a chunk is never over two seconds of a node, never over what is left, never empty", () => {
  const sizes = fc.record({
    itemsLeft: fc.integer({ min: 1, max: 10_000 }),
    itemsPerSecond: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
    others: fc.double({ min: 0, max: 5_000, noNaN: true }),
  });
  fc.assert(
    fc.property(sizes, ({ itemsLeft, itemsPerSecond, others }) => {
      const handOverSeconds = 0.01;
      const chunk = chunkItems({
        itemsLeft,
        itemsPerSecond,
        itemsPerSecondTotal: itemsPerSecond + others,
        handOverSeconds,
      });
      expect(chunk).toBeGreaterThanOrEqual(1);
      expect(chunk).toBeLessThanOrEqual(itemsLeft);
      expect(chunk).toBeLessThanOrEqual(Math.max(1, Math.round(itemsPerSecond * 2)));
    }),
  );
});

test("whatever happens, every open item is waiting, leased or given up, and the job ends", () => {
  const story = fc.array(fc.record({ what: fc.integer({ min: 0, max: 5 }), who: fc.integer({ min: 0, max: 2 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(story, fc.integer({ min: 1, max: 20 }), (steps, items) => {
      const dispatch = new Dispatch(1);
      const all = [worker(A, 4), worker(B, 2), worker(C, 1)];
      const open = new Set(range(items));
      const give = (effects: DispatchEffect[]): void => {
        for (const effect of effects) if (effect.kind === "giveUpItem") open.delete(effect.item);
      };
      give(opened(dispatch, items, all));
      let nowMs = 0;
      for (const { what, who } of steps) {
        nowMs += 300;
        const held = dispatch.table.shardsOf(all[who]!.nodeId)[0];
        const item = held && [...held.items][0]!;
        if (what === 0) give(dispatch.step({ kind: "nodesChanged", nodes: all.filter((_, i) => i !== who) }, nowMs));
        if (what === 1) give(dispatch.step({ kind: "nodesChanged", nodes: all }, nowMs));
        if (what === 2 && held)
          give(dispatch.step({ kind: "leaseRefused", shardId: held.shardId, because: "" }, nowMs));
        if (what === 3 && held)
          give(dispatch.step({ kind: "itemFailed", node: held.node, jobId: held.jobId, item: item! }, nowMs));
        if (what >= 4 && held) {
          open.delete(item!);
          give(dispatch.step({ kind: "itemsRecorded", jobId: held.jobId, items: [item!], node: held.node }, nowMs));
        }
        dispatch.assertSound();
        for (const left of open) {
          const waits = dispatch.table.jobs.get(job("x"))!.waiting.has(left);
          expect(waits || dispatch.table.copiesOf(job("x"), left).length > 0).toBe(true);
        }
      }
    }),
  );
});
