/** The closed form against plain search: on small fleets every split can be tried, and none may beat the plan. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fluidBound, planJob } from "../../../agent/core/planner/index.ts";
import { splitOf } from "../../../agent/core/planner/plan-job.ts";
import { latest } from "../../../agent/core/planner/split.ts";
import type { JobCandidate } from "../../../shared/decision.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { candidate, planRequest } from "./candidates.ts";

const facts = fc.record({
  itemsPerSecond: fc.oneof(
    fc.double({ min: 0.05, max: 50, noNaN: true }),
    fc.integer({ min: 1, max: 10 }), // whole rates make ties, where rounding goes wrong first
  ),
  executors: fc.integer({ min: 1, max: 4 }),
  handOverMs: fc.integer({ min: 0, max: 3000 }),
  itemsQueued: fc.integer({ min: 0, max: 5 }),
  holdsInputs: fc.boolean(),
  linkBytesPerSecond: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(0)),
});
const named = (all: readonly Partial<JobCandidate>[]): JobCandidate[] =>
  all.map((one, i) => candidate(`n${i}`, { nodeId: `n${i}` as NodeId, ...one }));
const fleetOf = (maxLength: number) => fc.array(facts, { minLength: 1, maxLength }).map(named);
/** What all links together share; 0: nobody measured it. */
const uplink = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(0));

const requestOf = (items: number, nodes: readonly JobCandidate[], uplinkBytesPerSecond = 0) =>
  planRequest(items, nodes, { bytesPerItem: 10, ...(uplinkBytesPerSecond > 0 && { uplinkBytesPerSecond }) });
const planOf = (...request: Parameters<typeof requestOf>) => planJob(requestOf(...request));
const boundOf = (...request: Parameters<typeof requestOf>) => {
  const { split, uplink: shared } = splitOf(requestOf(...request));
  return fluidBound(request[0], split, shared);
};

/**
 * When a node ends its items: each is carried after the one before it, then runs on the executor that is free first. Told by
 * going through them one by one, which the formula is not.
 */
function endOf(node: JobCandidate, items: number): number {
  const start = node.handOverMs / 1000 + node.itemsQueued / node.itemsPerSecond;
  const transfer = node.holdsInputs || !node.linkBytesPerSecond ? 0 : 10 / node.linkBytesPerSecond;
  const free = Array.from({ length: node.executors }, () => start);
  let end = 0;
  for (let item = 1; item <= items; item++) {
    const executor = free.indexOf(Math.min(...free));
    free[executor] = Math.max(free[executor]!, start + item * transfer) + node.executors / node.itemsPerSecond;
    end = Math.max(end, free[executor]!);
  }
  return end;
}

/** The earliest end over every way to hand out `items`. */
function searchAll(items: number, nodes: JobCandidate[], uplinkBytesPerSecond: number): number {
  const { split, uplink: shared } = splitOf(requestOf(items, nodes, uplinkBytesPerSecond));
  const search = (left: number, counts: number[]): number => {
    if (counts.length < nodes.length - 1)
      return Math.min(...Array.from({ length: left + 1 }, (_, share) => search(left - share, [...counts, share])));
    const all = [...counts, left];
    const byNode = new Map(nodes.map((node, i) => [node.nodeId as string, all[i]!]));
    return Math.max(latest(split, byNode, shared), ...nodes.map((node, i) => endOf(node, all[i]!)));
  };
  return search(items, []);
}

test("no split into whole items ends sooner than the plan", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fleetOf(4), uplink, (items, nodes, shared) => {
      const best = searchAll(items, nodes, shared);
      expect(planOf(items, nodes, shared).expectedSeconds).toBeCloseTo(best, 9);
    }),
    { numRuns: 300 },
  );
});

test("the shares add up to the items, and the expected end is the end of the last share", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fleetOf(20), (items, nodes) => {
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
    fc.property(fc.integer({ min: 1, max: 500 }), fleetOf(20), (items, nodes) => {
      const plan = planOf(items, nodes);
      const bound = boundOf(items, nodes);
      const single = Math.min(...nodes.map((node) => endOf(node, items)));
      expect(plan.expectedSeconds).toBeGreaterThanOrEqual(bound * (1 - 1e-9));
      expect(plan.expectedSeconds).toBeLessThanOrEqual(single * (1 + 1e-9));
      expect(plan.singleBestSeconds).toBeCloseTo(single, 9);
      if (!plan.keptWhole) expect(plan.expectedSeconds).toBeLessThan(single);
    }),
  );
});

test("neither a plan nor its bound depends on the order in which nodes are listed, even where nodes are alike", () => {
  const alike = fc
    .array(fc.constantFrom(0.1, 0.2, 0.7), { minLength: 1, maxLength: 8 })
    .map((rates) => named(rates.map((itemsPerSecond) => ({ itemsPerSecond }))));
  const listedTwice = fc
    .oneof(fleetOf(8), alike)
    .chain((nodes) => fc.tuple(fc.constant(nodes), fc.shuffledSubarray(nodes, { minLength: nodes.length })));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), listedTwice, uplink, (items, [nodes, shuffled], shared) => {
      expect(planOf(items, shuffled, shared)).toEqual(planOf(items, nodes, shared));
    }),
    { numRuns: 300 },
  );
});

test("of the ways compared the plan takes the fastest, and the simplest of equals", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fleetOf(10), uplink, (items, nodes, shared) => {
      const { ways, chosen, expectedSeconds, boundSeconds, shares } = planOf(items, nodes, shared);
      const taken = ways.find(({ way }) => way === chosen)!;
      expect(expectedSeconds).toBe(taken.seconds);
      for (const { seconds } of ways) expect(expectedSeconds).toBeLessThanOrEqual(seconds * (1 + 1e-8));
      for (const { seconds } of ways.slice(0, ways.indexOf(taken))) expect(seconds).toBeGreaterThan(expectedSeconds);
      expect(boundSeconds).toBeLessThanOrEqual(expectedSeconds * (1 + 1e-9));
      if (chosen === "stay")
        for (const share of shares.filter((one) => one.items > 0))
          expect(nodes.find(({ nodeId }) => nodeId === share.nodeId)!.holdsInputs).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("where nothing waits, moves or is rounded, the bound is where the rates fill exactly the items", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fleetOf(20), (items, all) => {
      const nodes = all.map((node) => ({ ...node, holdsInputs: true }));
      const bound = boundOf(items, nodes);
      const startOf = (node: JobCandidate) => node.handOverMs / 1000 + node.itemsQueued / node.itemsPerSecond;
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
      handOverMs: fc.integer({ min: 0, max: 9 }).map((power) => 10 ** power),
      itemsQueued: fc.integer({ min: 0, max: 5000 }),
    }),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), extreme, (items, facts) => {
      const nodes = named(facts);
      const plan = planOf(items, nodes);
      expect(plan.shares.reduce((sum, share) => sum + share.items, 0)).toBe(items);
      expect(plan.shares.every((share) => share.items >= 0)).toBe(true);
      expect(plan.expectedSeconds).toBeLessThanOrEqual(plan.singleBestSeconds);
    }),
  );
});
