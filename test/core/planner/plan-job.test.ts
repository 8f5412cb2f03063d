import { describe, expect, test } from "vitest";
import { type PlanRequest, planJob } from "../../../agent/core/planner/index.ts";
import type { JobCandidate } from "../../../shared/decision.ts";
import { candidate as node, planRequest } from "./candidates.ts";

const plan = (items: number, nodes: JobCandidate[], more: Partial<PlanRequest> = {}) =>
  planJob(planRequest(items, nodes, more));
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
    const made = plan(41, [node("free"), node("busy", { itemsQueued: 8 }), node("far", { handOverMs: 2000 })]);
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
      node("there", { itemsPerSecond: 10, handOverMs: 500 }),
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
      node("b", { itemsPerSecond: 3, itemsQueued: 3, handOverMs: 20 }),
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

describe("moving the inputs costs its time", () => {
  const holder = node("holder", { itemsPerSecond: 2 });
  const far = (linkBytesPerSecond: number, facts: Partial<JobCandidate> = {}) =>
    node("far", { itemsPerSecond: 8, holdsInputs: false, linkBytesPerSecond, ...facts });

  test("a fast box behind a slow link gets what its link carries", () => {
    const made = plan(40, [holder, far(2e6)], { bytesPerItem: 1e6 });
    expect(itemsOf(made)).toEqual({ holder: 20, far: 20 });
    expect(made.ways).toEqual([
      { way: "one", name: "holder", nodes: 1, seconds: 20 },
      { way: "stay", nodes: 1, seconds: 20 },
      { way: "split", nodes: 2, seconds: made.expectedSeconds },
    ]);
    expect(made.shares.find(({ name }) => name === "far")).toMatchObject({
      computeSeconds: 2.5,
      transferSeconds: 10,
      reason:
        "measured 8.0 items/s, 80 % of the fleet; each input takes 0.5 s over its link of 2.0 MB/s, slower than it computes",
    });
    expect(made.summary).toContain("not moving the inputs 20 s");
  });

  test("nothing is moved where that ends no later, and the plan says so", () => {
    const made = plan(8, [holder, node("twin", { itemsPerSecond: 2 }), far(1e5)], { bytesPerItem: 1e6 });
    expect(made).toMatchObject({ chosen: "stay", expectedSeconds: 2 });
    expect(itemsOf(made)).toEqual({ holder: 4, twin: 4, far: 0 });
    expect(made.summary).toContain("over 2 nodes that have the inputs, since moving them would not end sooner");
  });

  test("boxes behind one uplink share it", () => {
    const nodes = [
      holder,
      ...["x", "y"].map((name) => ({ ...far(4e6), nodeId: name as JobCandidate["nodeId"], name })),
    ];
    const alone = plan(400, nodes, { bytesPerItem: 1e6 });
    const shared = plan(400, nodes, { bytesPerItem: 1e6, uplinkBytesPerSecond: 4e6 });
    expect(alone.expectedSeconds).toBeCloseTo(40, 0);
    expect(shared.expectedSeconds).toBeCloseTo(400 / 6, 0);
    expect(shared.boundSeconds).toBeLessThanOrEqual(shared.expectedSeconds);
  });

  test("over a link that nobody measured it takes no time, and the plan says so", () => {
    const { linkBytesPerSecond: _, ...unmeasured } = far(1);
    expect(plan(10, [holder, unmeasured], { bytesPerItem: 1e6 }).shares[0]!.reason).toContain(
      "its link was not measured yet",
    );
  });
});

test("one item takes a whole run of one executor, so a box of few fast ones gets it", () => {
  const made = plan(1, [node("many", { itemsPerSecond: 2, executors: 4 }), node("fast", { itemsPerSecond: 1 })]);
  expect(itemsOf(made)).toEqual({ fast: 1, many: 0 });
  expect(made.expectedSeconds).toBe(1);
});

test("heat takes its part of a speed, and the plan says why", () => {
  const hot = node("hot", { itemsPerSecond: 4, derating: 0.5, deratedBecause: "it is at 78 C" });
  const made = plan(40, [hot, node("cool", { itemsPerSecond: 2 })]);
  expect(itemsOf(made)).toEqual({ cool: 20, hot: 20 });
  expect(made.shares.find(({ name }) => name === "hot")!.reason).toBe(
    "measured 4.0 items/s, 50 % of the fleet; 50 % of it is counted on, because it is at 78 C",
  );
  expect(itemsOf(plan(40, [{ ...hot, derating: 0 }, node("cool")]))).toEqual({ cool: 40, hot: 0 });
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
