import { expect, test } from "vitest";
import { HedgeBudget, OnlineChoice, type OnlineNode, ranked } from "../../../agent/core/online/index.ts";
import { A, B, C } from "../../support/nouns.ts";

const box = (nodeId: typeof A, more: Partial<OnlineNode> = {}): OnlineNode => ({
  nodeId,
  name: nodeId.at(-1)!,
  itemsPerSecond: 10,
  executors: 1,
  itemsQueued: 0,
  rttMs: 1,
  ...more,
});
const names = (nodes: readonly OnlineNode[]): string => nodes.map(({ name }) => name).join("");

test("the box that is expected to answer soonest is asked first: speed, queue and way count", () => {
  expect(names(ranked([box(A), box(B, { itemsPerSecond: 20 })], { bytes: 0 }))).toBe("ba");
  expect(names(ranked([box(A), box(B, { itemsPerSecond: 20, itemsQueued: 9 })], { bytes: 0 }))).toBe("ab");
  expect(names(ranked([box(A, { rttMs: 0 }), box(B, { itemsPerSecond: 11 })], { bytes: 500_000 }))).toBe("ab");
});

test("a free executor is as good as an empty queue", () => {
  const two = box(A, { executors: 2, itemsPerSecond: 20, itemsQueued: 1 });
  expect(names(ranked([two, box(B, { rttMs: 5 })], { bytes: 0 }))).toBe("ab");
});

test("one that fails is followed by the next, until nobody is left", () => {
  const choice = new OnlineChoice([box(A), box(B), box(C)], { bytes: 0 }, new HedgeBudget());
  expect(choice.begin()).toMatchObject({ kind: "ask", node: { name: "a" } });
  expect(choice.failed()).toMatchObject({ kind: "ask", node: { name: "b" } });
  expect(choice.failed()).toMatchObject({ kind: "ask", node: { name: "c" } });
  expect(choice.failed()).toEqual({ kind: "giveUp" });
});

test("one that is late is joined by a second, never by a third; while one still may answer, a failure asks nobody", () => {
  const choice = new OnlineChoice([box(A), box(B), box(C)], { bytes: 0 }, new HedgeBudget());
  choice.begin();
  expect(choice.late()).toMatchObject({ node: { name: "b" } });
  expect(choice.late()).toBeUndefined();
  expect(choice.failed()).toBeUndefined();
  expect(choice.failed()).toMatchObject({ node: { name: "c" } });
});

test("at most one request in twenty is asked twice, beyond a few", () => {
  const budget = new HedgeBudget();
  let hedges = 0;
  for (let i = 0; i < 1_000; i++) {
    const choice = new OnlineChoice([box(A), box(B)], { bytes: 0 }, budget);
    choice.begin();
    if (choice.late()) hedges++;
  }
  expect(hedges).toBeLessThanOrEqual(53);
  expect(hedges).toBeGreaterThan(40);
});
