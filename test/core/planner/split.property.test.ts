/** The closed form against plain search: on small fleets every split can be tried, and none may beat the plan. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fluidBound, type PlannedNode, planJob } from "../../../agent/core/planner/index.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";

const plannedNode = fc.record({
  itemsPerSecond: fc.oneof(
    fc.double({ min: 0.05, max: 50, noNaN: true }),
    fc.integer({ min: 1, max: 10 }), // whole rates make ties, where rounding goes wrong first
  ),
  overheadMs: fc.integer({ min: 0, max: 3000 }),
  itemsQueued: fc.integer({ min: 0, max: 5 }),
  eligible: fc.constant(true),
});
const fleetOf = (maxLength: number) =>
  fc
    .array(plannedNode, { minLength: 1, maxLength })
    .map((facts) => facts.map((fact, i): PlannedNode => ({ nodeId: `n${i}` as NodeId, name: `n${i}`, ...fact })));
const planOf = (items: number, nodes: PlannedNode[]) =>
  planJob({ jobId: "job-1" as JobId, term: 1, nowMs: 0, items, nodes });
const startOf = (node: PlannedNode) => node.overheadMs / 1000 + node.itemsQueued / node.itemsPerSecond;
const endOf = (node: PlannedNode, items: number) => (items === 0 ? 0 : startOf(node) + items / node.itemsPerSecond);
const splitNodes = (nodes: PlannedNode[]) =>
  nodes.map((node) => ({ nodeId: node.nodeId, itemsPerSecond: node.itemsPerSecond, startSeconds: startOf(node) }));

/** The earliest end over every way to hand out `items`. */
function searchAll(items: number, nodes: PlannedNode[]): number {
  const [node, ...rest] = nodes;
  if (rest.length === 0) return endOf(node!, items);
  let best = Number.POSITIVE_INFINITY;
  for (let share = 0; share <= items; share++)
    best = Math.min(best, Math.max(endOf(node!, share), searchAll(items - share, rest)));
  return best;
}

test("no split into whole items ends sooner than the plan", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fleetOf(4), (items, nodes) => {
      const best = searchAll(items, nodes);
      expect(planOf(items, nodes).expectedSeconds).toBeCloseTo(best, 9);
    }),
    { numRuns: 300 },
  );
});

test("the shares add up to the items, and the expected end is the end of the last share", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), fleetOf(20), (items, nodes) => {
      const plan = planOf(items, nodes);
      const shares = new Map(plan.shares.map((share) => [share.nodeId, share.items]));
      expect([...shares.values()].reduce((sum, share) => sum + share, 0)).toBe(items);
      for (const share of shares.values()) expect(Number.isInteger(share) && share >= 0).toBe(true);
      const last = Math.max(...nodes.map((node) => endOf(node, shares.get(node.nodeId)!)));
      expect(plan.expectedSeconds).toBeCloseTo(last, 9);
    }),
  );
});

test("a plan lies between the fluid bound and the best single node", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fleetOf(20), (items, nodes) => {
      const plan = planOf(items, nodes);
      const bound = fluidBound(items, splitNodes(nodes));
      const single = Math.min(...nodes.map((node) => endOf(node, items)));
      expect(plan.expectedSeconds).toBeGreaterThanOrEqual(bound * (1 - 1e-9));
      expect(plan.expectedSeconds).toBeLessThanOrEqual(single * (1 + 1e-9));
      expect(plan.singleBestSeconds).toBeCloseTo(single, 9);
      if (!plan.keptWhole) expect(plan.expectedSeconds).toBeLessThan(single);
    }),
  );
});

test("neither a plan nor its bound depends on the order in which nodes are listed, even where nodes are alike", () => {
  const alike = fc.array(fc.constantFrom(0.1, 0.2, 0.7), { minLength: 1, maxLength: 8 }).map((rates) =>
    rates.map((itemsPerSecond, i): PlannedNode => {
      return { nodeId: `n${i}` as NodeId, name: "", itemsPerSecond, overheadMs: 0, itemsQueued: 0, eligible: true };
    }),
  );
  const listedTwice = fc
    .oneof(fleetOf(8), alike)
    .chain((nodes) => fc.tuple(fc.constant(nodes), fc.shuffledSubarray(nodes, { minLength: nodes.length })));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), listedTwice, (items, [nodes, shuffled]) => {
      expect(planOf(items, shuffled)).toEqual(planOf(items, nodes));
      expect(fluidBound(items, splitNodes(shuffled))).toBe(fluidBound(items, splitNodes(nodes)));
    }),
    { numRuns: 300 },
  );
});

test("the fluid bound is where the rates fill exactly the items", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fleetOf(20), (items, nodes) => {
      const bound = fluidBound(items, splitNodes(nodes));
      const filled = nodes.reduce((sum, node) => sum + node.itemsPerSecond * Math.max(0, bound - startOf(node)), 0);
      expect(filled / items).toBeCloseTo(1, 9);
    }),
  );
});

test("nodes that may not work get nothing and do not change the others' shares", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fleetOf(6), fleetOf(3), (items, nodes, others) => {
      const idle = others.map((node) => ({ ...node, nodeId: `x${node.nodeId}` as NodeId, eligible: false }));
      const plan = planOf(items, [...idle, ...nodes]);
      expect(plan.shares.filter((share) => share.nodeId.startsWith("x")).every((share) => share.items === 0)).toBe(
        true,
      );
      expect(plan.shares.filter((share) => !share.nodeId.startsWith("x"))).toEqual(planOf(items, nodes).shares);
    }),
  );
});

test("offsets and rates many orders of magnitude apart still hand out exactly the items", () => {
  const extreme = fc.array(
    fc.record({
      itemsPerSecond: fc.integer({ min: -6, max: 9 }).map((power) => 10 ** power),
      overheadMs: fc.integer({ min: 0, max: 9 }).map((power) => 10 ** power),
      itemsQueued: fc.integer({ min: 0, max: 5000 }),
    }),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), extreme, (items, facts) => {
      const nodes = facts.map((fact, i) => ({ ...fact, nodeId: `n${i}` as NodeId, name: `n${i}`, eligible: true }));
      const plan = planOf(items, nodes);
      expect(plan.shares.reduce((sum, share) => sum + share.items, 0)).toBe(items);
      expect(plan.shares.every((share) => share.items >= 0)).toBe(true);
      expect(plan.expectedSeconds).toBeLessThanOrEqual(plan.singleBestSeconds);
    }),
  );
});
