/** Items that start from many bytes go where those lie, for as long as that ends them sooner. */
import { describe, expect, test } from "vitest";
import { Dispatch, type DispatchNode } from "../../../agent/core/dispatch/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B } from "../../support/nouns.ts";
import { leases, nodesAre, range, recorded, report, silent, worker, X } from "./steps.ts";

const MB = 1e6;

/** Both do 10 items a second; a byte from one to the other takes as long as the link says. */
const pair = (bytesPerSecond: number | undefined, more: Partial<DispatchNode> = {}): [DispatchNode, DispatchNode] => [
  worker(A, 10),
  worker(B, 10, { ...(bytesPerSecond && { links: new Map([[A, bytesPerSecond]]) }), ...more }),
];

/** Those of `near` lie there, a megabyte each; the others anywhere. */
function open(dispatch: Dispatch, items: number, near: Iterable<[item: number, node: NodeId]>) {
  const homes = new Map([...near].map(([item, node]) => [item, { nodes: [node], bytes: MB }] as const));
  const about = { pipeline: "ocr", priority: "normal" as const, deadlineAtMs: Number.POSITIVE_INFINITY, paused: false };
  return dispatch.step({ kind: "jobOpened", jobId: X, items: range(items), homes, ...about }, 0);
}
const nearOf = (items: number, node: NodeId) => range(items).map((item) => [item, node] as [number, NodeId]);

/** Runs all of it, one item after the other on each node, on B one in so many tenths of a second: who did which items. */
function runOn(dispatch: Dispatch, items: number, tenthsOnB = 1): Map<NodeId, number[]> {
  const did = new Map<NodeId, number[]>();
  for (let nowMs = 100, left = items; left > 0; nowMs += 100) {
    expect(nowMs, "it ends").toBeLessThan(1e6);
    for (const node of dispatch.table.nodes.keys()) {
      if (node === B && (nowMs / 100) % tenthsOnB !== 0) continue;
      const [shard] = dispatch.table.shardsOf(node);
      const item = shard && [...shard.items][0];
      if (item === undefined) continue;
      report(dispatch, node, item, 100, nowMs);
      recorded(dispatch, node, [item], nowMs);
      did.set(node, [...(did.get(node) ?? []), item]);
      left--;
    }
    dispatch.step({ kind: "ticked" }, nowMs);
    dispatch.assertSound();
  }
  return did;
}

test("each item goes to the node that has what it starts from", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, pair(10 * MB));
  const odd = (item: number): [number, NodeId] => [item, item % 2 ? B : A];
  open(dispatch, 200, range(200).map(odd));
  const did = runOn(dispatch, 200);
  const away = [...did].flatMap(([node, items]) => items.filter((item) => odd(item)[1] !== node));
  expect(away.length).toBeLessThan(5);
  expect(did.get(A)!.length).toBeGreaterThan(90);
});

describe("what all lies near one node", () => {
  test.each([
    ["is shared over a link that carries it in no time", 10_000 * MB, 90, 110, 1],
    ["is shared where the link was not measured", undefined, 90, 110, 1],
    ["goes in part over a link that carries it five times slower than it is run", 2 * MB, 20, 40, 5],
    ["is left there over a link that takes all the job's time for one", MB / 100, 0, 0, 1],
  ])("%s", (_, bytesPerSecond, atLeast, atMost, tenths) => {
    const dispatch = new Dispatch(1);
    nodesAre(dispatch, pair(bytesPerSecond));
    open(dispatch, 200, nearOf(200, A));
    const elsewhere = runOn(dispatch, 200, tenths).get(B)?.length ?? 0;
    expect(elsewhere).toBeGreaterThanOrEqual(atLeast);
    expect(elsewhere).toBeLessThanOrEqual(atMost);
  });

  test.each([
    ["is silent", silent(worker(A, 10))],
    ["takes nothing new", { ...worker(A, 10), eligible: false }],
    ["cannot run it any more", { ...worker(A, 10), rates: new Map() }],
  ])("is had by others when that %s", (_, home) => {
    const dispatch = new Dispatch(1);
    nodesAre(dispatch, [home, pair(1)[1]]);
    const given = leases(open(dispatch, 200, nearOf(200, A)));
    expect(given.map(({ node }) => node)).toContain(B);
  });

  test("is had by others when that is gone", () => {
    const dispatch = new Dispatch(1);
    nodesAre(dispatch, pair(1));
    open(dispatch, 200, nearOf(200, A));
    expect(dispatch.table.itemsLeasedTo(B)).toBe(0);
    nodesAre(dispatch, [pair(1)[1]], 10);
    expect(dispatch.table.itemsLeasedTo(B)).toBeGreaterThan(0);
  });
});

test("an item of a small job goes where it ends first, with the time that its bytes take", () => {
  for (const [bytesPerSecond, node] of [
    [100 * MB, B],
    [MB, A],
  ] as const) {
    const dispatch = new Dispatch(1);
    nodesAre(dispatch, [worker(A, 5), worker(B, 10, { links: new Map([[A, bytesPerSecond]]) })]);
    expect(leases(open(dispatch, 1, [[0, A]])).map((lease) => lease.node)).toEqual([node]);
  }
});

test("what is made again elsewhere goes where it lies now", () => {
  const dispatch = new Dispatch(1);
  open(dispatch, 1, [[0, A]]);
  const homes = new Map([[0, { nodes: [B], bytes: MB }]]);
  dispatch.step({ kind: "itemsClosed", jobId: X, items: [0], isOver: false }, 1);
  dispatch.step({ kind: "itemsOpened", jobId: X, items: [0], homes }, 2);
  expect(leases(nodesAre(dispatch, pair(MB), 3)).map(({ node }) => node)).toEqual([B]);
});

test("the reason of a lease says that what it starts from lies there", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, pair(MB));
  const [lease] = leases(open(dispatch, 200, nearOf(200, A)));
  expect([lease!.node, lease!.because]).toEqual([A, expect.stringContaining("what they start from lies there")]);
});
