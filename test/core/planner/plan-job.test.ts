import { describe, expect, test } from "vitest";
import { type PlannedNode, type PlanRequest, planJob } from "../../../agent/core/planner/index.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";

const node = (name: string, facts: Partial<PlannedNode> = {}): PlannedNode => ({
  nodeId: `12D3KooW-${name}` as NodeId,
  name,
  itemsPerSecond: 1,
  overheadMs: 0,
  itemsQueued: 0,
  eligible: true,
  ...facts,
});
const plan = (items: number, nodes: PlannedNode[], more: Partial<PlanRequest> = {}) =>
  planJob({ jobId: "job-1" as JobId, term: 3, nowMs: 1000, items, nodes, ...more });
const itemsOf = (made: ReturnType<typeof plan>) =>
  Object.fromEntries(made.shares.map((share) => [share.name, share.items]));

describe("shares", () => {
  test("are in proportion to the measured rates", () => {
    const made = plan(60, [
      node("pi", { itemsPerSecond: 1 }),
      node("nuc", { itemsPerSecond: 3 }),
      node("jetson", { itemsPerSecond: 2 }),
    ]);
    expect(itemsOf(made)).toEqual({ nuc: 30, jetson: 20, pi: 10 });
    expect(made).toMatchObject({
      expectedSeconds: 10,
      singleBestSeconds: 20,
      keptWhole: false,
      term: 3,
      madeAtMs: 1000,
    });
  });

  test("are smaller where items wait already and where handing over takes long", () => {
    const made = plan(41, [node("free"), node("busy", { itemsQueued: 8 }), node("far", { overheadMs: 2000 })]);
    expect(itemsOf(made)).toEqual({ free: 17, far: 15, busy: 9 });
    expect(made.expectedSeconds).toBe(17);
  });

  test("are listed largest first, with the nodes that got nothing last", () => {
    const made = plan(10, [node("off", { eligible: false }), node("slow"), node("quick", { itemsPerSecond: 3 })]);
    expect(made.shares.map((share) => share.name)).toEqual(["quick", "slow", "off"]);
  });

  test("of an allocation that has only one answer are that answer: needs 2 and 3 out of 5", () => {
    const made = plan(5, [node("two", { itemsPerSecond: 2 }), node("three", { itemsPerSecond: 3 })]);
    expect(itemsOf(made)).toEqual({ two: 2, three: 3 });
  });

  test("do not hand the last item to the slowest node, as rounding by largest remainder would", () => {
    const made = plan(10, [node("quick", { itemsPerSecond: 10 }), node("slow", { itemsPerSecond: 0.6 })]);
    expect(itemsOf(made)).toEqual({ quick: 10, slow: 0 });
    expect(made.keptWhole).toBe(true);
  });
});

describe("work is kept whole", () => {
  test("when handing over costs more than sharing gains", () => {
    const made = plan(4, [
      node("here", { itemsPerSecond: 10 }),
      node("there", { itemsPerSecond: 10, overheadMs: 500 }),
    ]);
    expect(itemsOf(made)).toEqual({ here: 4, there: 0 });
    expect(made).toMatchObject({ keptWhole: true, expectedSeconds: 0.4, singleBestSeconds: 0.4 });
    expect(made.summary).toBe(
      "4 items kept whole on here, which ends them after 0.4 s: sharing them would not end sooner.",
    );
  });

  test("when sharing would end at the same moment", () => {
    expect(plan(1, [node("a"), node("b")])).toMatchObject({ keptWhole: true, expectedSeconds: 1 });
  });

  test("on the only node there is", () => {
    const made = plan(7, [node("alone"), node("late", { eligible: false, whyNot: "it is late" })]);
    expect(made.keptWhole).toBe(true);
    expect(made.summary).toBe("7 items on alone, the only node that can take work now; expected to end after 7.0 s.");
  });
});

describe("a plan says why", () => {
  test("each node got what it got", () => {
    const made = plan(100, [
      node("a", { itemsPerSecond: 2.1 }),
      node("b", { itemsPerSecond: 3, itemsQueued: 3, overheadMs: 20 }),
    ]);
    expect(made.shares.map((share) => share.reason)).toEqual([
      "measured 3.0 items/s, 59 % of the fleet; starts 1.0 s later because 3 items wait there and handing over takes 0.02 s",
      "measured 2.1 items/s, 41 % of the fleet",
    ]);
    expect(made.summary).toBe(
      "100 items over 2 nodes, expected to end after 20 s; the best single node would need 34 s (1.7 times as long). That is under 1 % above the bound for work that splits freely.",
    );
  });

  test("a node got nothing", () => {
    const made = plan(3, [
      node("quick", { itemsPerSecond: 10 }),
      node("slow", { itemsPerSecond: 0.5 }),
      node("gone", { eligible: false, whyNot: "no report for 21 s" }),
      node("new", { itemsPerSecond: 0 }),
    ]);
    expect(Object.fromEntries(made.shares.map((share) => [share.name, share.reason]))).toEqual({
      quick: "measured 10 items/s, 95 % of the fleet",
      slow: "measured 0.5 items/s, 5 % of the fleet; even one item would end there after 2.0 s, when the whole job is done after 0.3 s",
      gone: "gets no work: no report for 21 s",
      new: "gets no share yet: its speed on this pipeline was not measured",
    });
  });

  test("nobody can take work", () => {
    const made = plan(3, [node("a", { eligible: false, whyNot: "it is gone" })]);
    expect(made).toMatchObject({
      expectedSeconds: 0,
      singleBestSeconds: 0,
      keptWhole: false,
      summary: "No node can take work now, so 3 items wait.",
    });
    expect(plan(3, []).summary).toBe("No node can take work now, so 3 items wait.");
  });

  test("nothing is left", () => {
    expect(plan(0, [node("a")])).toMatchObject({
      expectedSeconds: 0,
      keptWhole: false,
      summary: "Nothing is left to hand out.",
    });
  });
});

test.each([0, -1, 1e-300, Number.NaN, Number.POSITIVE_INFINITY])("a speed of %s is no speed", (itemsPerSecond) => {
  const made = plan(5, [node("odd", { itemsPerSecond, itemsQueued: 4 }), node("plain")]);
  expect(itemsOf(made)).toEqual({ plain: 5, odd: 0 });
  expect(made.expectedSeconds).toBe(5);
  expect(plan(5, [node("odd", { itemsPerSecond, itemsQueued: 4 })]).summary).toContain("No node can take work now");
});

test("a request that cannot be is refused at the door", () => {
  expect(() => plan(-1, [node("a")])).toThrow("whole number of items");
  expect(() => plan(1.5, [node("a")])).toThrow("whole number of items");
  expect(() => plan(1, [node("a"), node("a")])).toThrow("names each node once");
  expect(() => plan(1, [node("a", { itemsQueued: -1 })])).toThrow("never negative");
});
