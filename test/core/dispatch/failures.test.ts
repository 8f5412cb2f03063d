import { expect, test } from "vitest";
import { Dispatch } from "../../../agent/core/dispatch/index.ts";
import { A, B, C, job } from "../../support/nouns.ts";
import { failed, leases, nodesAre, open, opened, recorded, worker, X } from "./steps.ts";

const holderOf = (dispatch: Dispatch, item: number) => dispatch.table.copiesOf(X, item)[0]!.node;

test("an item that failed on one node goes to another, and is given up after the second", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5), worker(B, 5)]);
  const holder = holderOf(dispatch, 0);
  const retry = leases(failed(dispatch, holder, 0, 10));
  expect(retry).toHaveLength(1);
  expect(retry[0]!.node).not.toBe(holder);
  expect(failed(dispatch, retry[0]!.node, 0, 20)).toEqual([{ kind: "giveUpItem", jobId: X, item: 0 }]);
});

test("an item that ends two executors is put in quarantine and the rest goes on", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 40, [worker(A, 5), worker(B, 5), worker(C, 5)]);
  const first = holderOf(dispatch, 0);
  failed(dispatch, first, 0, 10, true);
  for (let nowMs = 100; dispatch.table.copiesOf(X, 0).length === 0; nowMs += 10) {
    for (const node of [A, B, C].filter((one) => one !== first))
      for (const held of [...dispatch.table.shardsOf(node)].slice(0, 1))
        recorded(dispatch, node, [...held.items], nowMs);
  }
  const second = holderOf(dispatch, 0);
  expect(second).not.toBe(first);
  const effects = failed(dispatch, second, 0, 9_000, true);
  const name = (node: string): string => node.slice(-1);
  expect(effects[0]).toEqual({
    kind: "quarantineItem",
    jobId: X,
    item: 0,
    kills: [`${name(first)}: it broke`, `${name(second)}: it broke`],
  });
  nodesAre(dispatch, [worker(C, 5)], 10_000);
  expect(dispatch.table.copiesOf(X, 0)).toEqual([]);
  expect(dispatch.table.itemsLeasedTo(C)).toBeGreaterThan(0);
});

test("an item that fails while a second copy runs is left to that copy", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 0.1)]);
  nodesAre(dispatch, [worker(A, 0.1), worker(B, 5)], 100);
  expect(failed(dispatch, A, 0, 110)).toEqual([]);
  expect(dispatch.table.copiesOf(X, 0).map((copy) => copy.node)).toEqual([B]);
});

test("a failure of an item that is recorded meanwhile says nothing", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 2, [worker(A, 5), worker(B, 5)]);
  recorded(dispatch, B, [0], 5);
  expect(failed(dispatch, A, 0, 10)).toEqual([]);
  expect(failed(dispatch, B, 0, 20)).toEqual([]);
  expect(dispatch.table.copiesOf(X, 0)).toEqual([]);
  dispatch.assertSound();
});

test("an item whose input is not at hand waits a while and is leased again, as often as it takes", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  for (let nowMs = 10; nowMs < 20_000; nowMs += 2_000) {
    const delayed = { kind: "itemDelayed", node: A, jobId: X, item: 0, because: "nobody holds it" } as const;
    expect(dispatch.step(delayed, nowMs)).toEqual([]);
    expect(leases(dispatch.step({ kind: "ticked" }, nowMs + 500))).toEqual([]);
    expect(leases(dispatch.step({ kind: "ticked" }, nowMs + 1_500))).toHaveLength(1);
  }
});

test("an item that failed on the only node there is waits for another to come up, but not for ever", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  expect(failed(dispatch, A, 0, 10)).toEqual([]);
  expect(dispatch.step({ kind: "ticked" }, 20_000)).toEqual([]);
  expect(dispatch.step({ kind: "ticked" }, 40_000)).toEqual([{ kind: "giveUpItem", jobId: X, item: 0 }]);
});

test("an item that another node could still run is not given up because that one is busy", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 1, [worker(A, 5)]);
  open(dispatch, { jobId: job("y"), items: 50 });
  nodesAre(dispatch, [worker(A, 5), worker(B, 5)], 5);
  expect(failed(dispatch, A, 0, 10).filter(({ jobId }) => jobId === X)).toEqual([]);
  expect(dispatch.step({ kind: "ticked" }, 40_000)).toEqual([]);
  const [held] = dispatch.table.shardsOf(B);
  const next = recorded(dispatch, B, [...held!.items], 41_000, job("y"));
  expect(leases(next)).toMatchObject([{ node: B, jobId: X, items: [0] }]);
});

test("a node on which three items in a row fail rests, then gets one item to try", () => {
  const dispatch = new Dispatch(1);
  opened(dispatch, 60, [worker(A, 5), worker(B, 0.5)]);
  const items = dispatch.table.shardsOf(A).flatMap((held) => [...held.items]);
  for (const [i, item] of items.entries()) failed(dispatch, A, item, 10 + i);
  expect(dispatch.table.itemsLeasedTo(A)).toBe(0);
  expect(leases(dispatch.step({ kind: "ticked" }, 500)).filter(({ node }) => node === A)).toEqual([]);
  const trial = leases(dispatch.step({ kind: "ticked" }, 1_100)).filter(({ node }) => node === A);
  expect(trial.map((lease) => lease.items.length)).toEqual([1]);
  const { lines } = dispatch.storyOf(X);
  expect(lines.filter((line) => line.kind === "rested")).toMatchObject([{ node: A }]);
});
