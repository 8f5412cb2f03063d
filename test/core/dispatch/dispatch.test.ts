import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkItems, Dispatch } from "../../../agent/core/dispatch/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B, C, job, shard } from "../../support/nouns.ts";
import { backs, leases, nodesAre, open, opened, recorded, report, silent, worker, workThrough, X } from "./steps.ts";

test("every node gets a running and a waiting shard, the faster the larger", () => {
  const granted = leases(opened(new Dispatch(1), 100, [worker(A, 10), worker(B, 1)]));
  expect(granted.filter((lease) => lease.node === A)).toHaveLength(2);
  expect(granted.filter((lease) => lease.node === B)).toHaveLength(2);
  const first = (nodeId: NodeId) => granted.find((lease) => lease.node === nodeId)!.items.length;
  expect(first(A)).toBeGreaterThan(first(B));
});

test("a node whose last but one shard is reported gets the next before it is recorded", () => {
  const dispatch = new Dispatch(1);
  const granted = leases(opened(dispatch, 100, [worker(A, 10)]));
  const done = granted[0]!.items;
  const next = done.flatMap((item, i) => leases(report(dispatch, A, item, 100, 100 * (i + 1))));
  expect(next).toHaveLength(1);
});

test("a node that is not eligible keeps what it has and gets nothing new", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 4, [worker(A, 1)]);
  const before = dispatch.table.itemsLeasedTo(A);
  expect(nodesAre(dispatch, [worker(A, 1, { eligible: false })], 10)).toEqual([]);
  expect(dispatch.table.itemsLeasedTo(A)).toBe(before);
});

test("the shards of a node that is gone are taken back and leased to others", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 6, [worker(A, 1), worker(B, 1)]);
  const lost = dispatch.table.shardsOf(B).flatMap((held) => [...held.items]);
  const effects = nodesAre(dispatch, [worker(A, 1)], 10);
  expect(backs(effects).map((effect) => effect.node)).toEqual([B, B]);
  const { waiting } = dispatch.table.jobs.get(X)!;
  expect(lost.every((item) => waiting.has(item) || dispatch.table.copiesOf(X, item)[0]?.node === A)).toBe(true);
});

test("what a node reported before it went is left a moment to be recorded, and not done again at once", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 1), worker(B, 0.5)]);
  report(dispatch, A, 0, 1_000, 1_000);
  expect(leases(nodesAre(dispatch, [worker(B, 0.5)], 1_001))).toEqual([]);
  expect(leases(dispatch.step({ kind: "ticked" }, 3_000))).toMatchObject([{ node: B, items: [0] }]);
});

test("a new leader adopts what a worker says it holds and does not lease it again", () => {
  const dispatch = new Dispatch(7);
  const nodes = [worker(A, 1), worker(B, 1)];
  opened(
    dispatch,
    3,
    nodes.map((one) => ({ ...one, eligible: false })),
  );
  dispatch.step({ kind: "shardHeld", node: B, shardId: shard("job-x/6.4"), jobId: X, items: [0, 1] }, 0);
  const granted = leases(nodesAre(dispatch, nodes, 1));
  expect(granted.flatMap((lease) => lease.items)).toEqual([2]);
  expect(granted[0]?.shardId).toBe("job-x/7.1");
  recorded(dispatch, B, [0, 1], 5);
  expect(dispatch.table.shardsOf(B)).toEqual([]);
});

test("what two workers say they hold is adopted once", () => {
  const dispatch = new Dispatch(7);
  opened(dispatch, 2, [worker(A, 1, { eligible: false }), worker(B, 1, { eligible: false })]);
  dispatch.step({ kind: "shardHeld", node: A, shardId: shard("s1"), jobId: X, items: [0, 1] }, 0);
  dispatch.step({ kind: "shardHeld", node: B, shardId: shard("s2"), jobId: X, items: [1] }, 0);
  dispatch.assertSound();
  expect(dispatch.table.itemsLeasedTo(B)).toBe(0);
});

test("what a silent node has is leased to others as well at once, and none of it to it", () => {
  const dispatch = new Dispatch(1);
  const nodes = [worker(A, 1), worker(B, 1), worker(C, 1)];
  opened(dispatch, 6, nodes);
  const had = dispatch.table.shardsOf(A).flatMap((held) => [...held.items]);
  const granted = leases(nodesAre(dispatch, [silent(nodes[0]!), nodes[1]!, nodes[2]!], 900));
  expect(granted.flatMap((lease) => lease.items).sort()).toEqual(had.sort());
  expect(granted.every((lease) => lease.isHedge && lease.node !== A)).toBe(true);
  expect(backs(nodesAre(dispatch, nodes.slice(1), 2_500)).map(({ items }) => items)).toEqual(had.map(() => 0));
  dispatch.assertSound();
});

test("a silent node that comes back keeps its shards, and what it finishes first counts", () => {
  const dispatch = new Dispatch(1);
  const nodes = [worker(A, 1), worker(B, 1)];
  opened(dispatch, 1, nodes);
  nodesAre(dispatch, [silent(nodes[0]!), nodes[1]!], 900);
  expect(dispatch.table.copiesOf(X, 0).map((copy) => copy.node)).toEqual([A, B]);
  nodesAre(dispatch, nodes, 1_000);
  expect(backs(recorded(dispatch, A, [0], 1_100))).toMatchObject([{ node: B, items: 0 }]);
});

test("a refusing node is left alone for a while, then asked for one item, and longer after each refusal", () => {
  const dispatch = new Dispatch(1);
  let [lease] = leases(opened(dispatch, 50, [worker(A, 5)]));
  const refuse = (nowMs: number) =>
    dispatch.step({ kind: "leaseRefused", shardId: lease!.shardId, because: "full", unsure: false }, nowMs);
  for (const held of dispatch.table.shardsOf(A).slice(1))
    dispatch.step({ kind: "leaseRefused", shardId: held.shardId, because: "full", unsure: false }, 10);
  expect(leases(refuse(10))).toEqual([]);
  expect(leases(dispatch.step({ kind: "ticked" }, 900))).toEqual([]);
  [lease] = leases(dispatch.step({ kind: "ticked" }, 1_020));
  expect(lease?.items).toHaveLength(1);
  refuse(1_030);
  expect(leases(dispatch.step({ kind: "ticked" }, 2_500))).toEqual([]);
  [lease] = leases(dispatch.step({ kind: "ticked" }, 3_100));
  expect(lease?.items).toHaveLength(1);
  const granted = leases(report(dispatch, A, lease!.items[0]!, 200, 3_300));
  expect(granted[0]!.items.length).toBeGreaterThan(1);
});

test("a lease that was not answered is taken back, for its node may have it", () => {
  const dispatch = new Dispatch(1);
  const [lease] = leases(opened(dispatch, 1, [worker(A, 5)]));
  const { shardId } = lease!;
  const effects = dispatch.step({ kind: "leaseRefused", shardId, because: "timed out", unsure: true }, 3_000);
  expect(effects).toMatchObject([{ kind: "takeBackShard", shardId, items: 1 }]);
});

test("a closed job's shards are taken back", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 4, [worker(A, 1), worker(B, 1)]);
  const effects = dispatch.step({ kind: "jobClosed", jobId: X, because: "cancelled" }, 5);
  expect(effects.every((effect) => effect.kind === "takeBackShard")).toBe(true);
  expect(dispatch.table.shards.size).toBe(0);
});

test("a paused job keeps what runs, gets nothing new, not even in place of a silent node, and goes on when resumed", () => {
  const dispatch = new Dispatch(1);
  const nodes = [worker(A, 10), worker(B, 10)];
  opened(dispatch, 200, nodes);
  expect(dispatch.step({ kind: "jobPaused", jobId: X, paused: true }, 1)).toEqual([]);
  workThrough(dispatch, A, 100, 10);
  expect(dispatch.table.shardsOf(A)).toEqual([]);
  expect(nodesAre(dispatch, [nodes[0]!, silent(nodes[1]!)], 9_000)).toEqual([]);
  expect(dispatch.table.shardsOf(B)).not.toEqual([]);
  nodesAre(dispatch, nodes, 9_100);
  expect(leases(dispatch.step({ kind: "jobPaused", jobId: X, paused: false }, 9_200)).length).toBeGreaterThan(0);
});

test("a job that is opened paused waits", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 1)]);
  expect(open(dispatch, { items: 3, paused: true })).toEqual([]);
});

test("a run's deadline follows what its runs took, and an item that was killed once gets the worker's own", () => {
  const dispatch = new Dispatch(1);
  const granted = leases(opened(dispatch, 400, [worker(A, 1), worker(B, 1)]));
  expect(granted.every((lease) => lease.itemDeadlineMs === undefined)).toBe(true);
  const nowMs = workThrough(dispatch, A, 4_000, 0, 25);
  const nextOfA = () => {
    const [item] = dispatch.table.shardsOf(A)[0]!.items;
    const effects = report(dispatch, A, item!, 4_000, nowMs);
    return leases([...effects, ...recorded(dispatch, A, [item!], nowMs)]).filter(({ node }) => node === A);
  };
  const [usual] = nextOfA();
  expect(usual!.itemDeadlineMs).toBeGreaterThan(18_000);
  expect(usual!.itemDeadlineMs).toBeLessThan(22_000);
  const [killer] = dispatch.table.shardsOf(B)[0]!.items;
  const failure = { node: B, jobId: X, item: killer!, killed: true, because: "it died" };
  const after = leases(dispatch.step({ kind: "itemFailed", ...failure }, nowMs));
  const again = [...after, ...nextOfA(), ...nextOfA()].find(({ items }) => items.includes(killer!));
  expect(again).toMatchObject({ node: A, itemDeadlineMs: undefined });
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

test("what is recorded twice, or of a job that is unknown, changes nothing", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 2, [worker(A, 1)]);
  recorded(dispatch, A, [0], 5);
  const before = dispatch.table.itemsLeasedTo(A);
  expect(recorded(dispatch, B, [0], 6)).toEqual([]);
  expect(recorded(dispatch, B, [0], 6, job("y"))).toEqual([]);
  expect(dispatch.table.itemsLeasedTo(A)).toBe(before);
});
