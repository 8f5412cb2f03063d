import { expect, test } from "vitest";
import { askWhere, choose, greedy, trimDecision } from "../../../../agent/core/planner/index.ts";
import { drawFleet, profileOf } from "../../../support/pretend-fleets.ts";

const sizeOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

function decided(models: number, nodes: number) {
  const drawn = drawFleet(1, models, nodes);
  const runs = [1, 2, 4, 8].map((items) => ({ items, ms: 10 * items }));
  const question = askWhere({
    ...drawn,
    nodes: drawn.nodes.map((node) => ({
      ...node,
      profiles: node.profiles.map((one) => profileOf(one.pipeline, 100, one.memorySettledBytes, { runs })),
    })),
  });
  return choose(question, { greedy: greedy(question), solveSeconds: 0 }, { term: 1, madeAtMs: 0, because: "a test" });
}

test("a decision that fits is left as it is", () => {
  const decision = decided(3, 4);
  expect(trimDecision(decision, 1e6)).toBe(decision);
});

test("one that does not loses what is needed least, says so, and keeps where models stand and on what figures", () => {
  const decision = decided(10, 40);
  const trimmed = trimDecision(decision, 100_000);
  expect(sizeOf(decision)).toBeGreaterThan(100_000);
  expect(sizeOf(trimmed)).toBeLessThanOrEqual(100_000);
  expect(trimmed.replicas).toEqual(decision.replicas);
  expect(trimmed.notes?.at(-1)).toMatch(/^left out here for want of room: /);
  for (const { pipeline, nodes } of trimmed.replicas)
    for (const nodeId of nodes) {
      const node = trimmed.nodes.find((one) => one.nodeId === nodeId)!;
      expect(node.profiles.find((one) => one.pipeline === pipeline)?.runs).toHaveLength(1);
    }
});

test("a fleet of the largest kind fits where an entry has room", () => {
  const decision = decided(60, 300);
  const trimmed = trimDecision(decision, 64 * 1024);
  expect(sizeOf(trimmed)).toBeLessThanOrEqual(64 * 1024);
  expect(trimmed).toMatchObject({ kind: "placement", served: decision.served, models: decision.models });
});
