import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explainJob, type PlanRequest, planJob } from "../../../agent/core/planner/index.ts";
import { splitOf } from "../../../agent/core/planner/plan-job.ts";
import { bounds, fluidBound } from "../../../agent/core/planner/split.ts";
import type { JobCandidate, JobDecision } from "../../../shared/decision.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { candidate, planRequest } from "./candidates.ts";

function decide(items: number, nodes: JobCandidate[], more: Partial<PlanRequest> = {}): JobDecision {
  const { nowMs: madeAtMs, ...made } = planRequest(items, nodes, more);
  const plan = planJob({ ...made, nowMs: madeAtMs });
  return { kind: "job", pipeline: "ocr", madeAtMs, ...made, nodes, nodesLeftOut: 0, plan };
}

const fleet = (): JobCandidate[] => [
  candidate("nuc", { itemsPerSecond: 4, profile: "intel-nuc" }),
  candidate("pi5", { itemsPerSecond: 2, profile: "raspberry-pi-5", handOverMs: 100 }),
  candidate("pi4", { itemsPerSecond: 0.5, profile: "raspberry-pi-4b", handOverMs: 100, itemsQueued: 30 }),
  candidate("cam", { itemsPerSecond: 0, profile: "raspberry-pi-5" }),
  candidate("attic", { eligible: false, whyNot: "it is late" }),
];

test("every node is told of with each term, and the ways that were compared with what they would have taken", () => {
  const told = explainJob(decide(60, fleet()));
  expect(told.nodes.map(({ name, isUsed, figures }) => [name, isUsed, figures.items])).toEqual([
    ["nuc", true, 40],
    ["pi5", true, 20],
    ["attic", false, 0],
    ["cam", false, 0],
    ["pi4", false, 0],
  ]);
  expect(told.nodes[1]!.figures).toMatchObject({
    computeSeconds: 10,
    handOverSeconds: 0.1,
    queueSeconds: 0,
    endSeconds: 10.1,
  });
  expect(told.ways).toEqual([
    { way: "one", isChosen: false, seconds: 15, says: "whole on nuc: 15 s, 4.9 s later" },
    { way: "split", isChosen: true, seconds: 10.1, says: "over 2 nodes: 10 s, taken" },
  ]);
  expect(told.runnerUp).toBe("The next best, keeping it whole on nuc, would have ended 4.9 s later.");
  expect(told.bound!.says).toMatch(/^No split could end more than 0\.0\d s \(under 1 %\) sooner/);
});

describe("what the job waits for has a price", () => {
  test("of its speed, for the node that ends last", () => {
    const { binding } = explainJob(decide(60, fleet()));
    expect(binding).toMatchObject({ of: "pi5", unit: "items/s" });
    expect(binding!.says).toBe("The job ends with pi5's last item: one more item/s there would end it 1.7 s sooner.");
  });

  test("of its link, where that holds it up", () => {
    const nodes = [candidate("far", { itemsPerSecond: 8, holdsInputs: false, linkBytesPerSecond: 2e6 })];
    const { binding } = explainJob(decide(40, nodes, { bytesPerItem: 1e6 }));
    expect(binding).toMatchObject({ of: "far", unit: "MB/s", gain: 10 });
    expect(binding!.says).toContain("one more MB/s to it would end the job 10 s sooner");
  });

  test("of the uplink of those that have the inputs, where all share it", () => {
    const far = (name: string) => candidate(name, { itemsPerSecond: 8, holdsInputs: false, linkBytesPerSecond: 4e6 });
    const nodes = [candidate("here", { itemsPerSecond: 1 }), far("x"), far("y")];
    const { binding } = explainJob(decide(400, nodes, { bytesPerItem: 1e6, uplinkBytesPerSecond: 4e6 }));
    expect(binding).toMatchObject({ of: "uplink", unit: "MB/s" });
    expect(binding!.gain).toBeCloseTo(80 / 5, 0);
  });

  test("that is what a little more really makes of the bound", () => {
    const facts = fc.record({
      itemsPerSecond: fc.double({ min: 0.5, max: 20, noNaN: true }),
      handOverMs: fc.integer({ min: 0, max: 2_000 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.array(facts, { minLength: 1, maxLength: 6 }), (items, all) => {
        const nodes = all.map((one, i) => candidate(`n${i}`, one));
        const { split } = splitOf(planRequest(items, nodes));
        const { price, seconds } = bounds(items, split);
        for (const node of split) {
          const more = split.map((one) =>
            one === node ? { ...one, itemsPerSecond: one.itemsPerSecond * (1 + 1e-6) } : one,
          );
          const gained = (seconds - fluidBound(items, more)) / (node.itemsPerSecond * 1e-6);
          expect(gained).toBeCloseTo(price(node.nodeId), 2);
        }
      }),
    );
  });
});

describe("why not", () => {
  const why = (node: string, decision = decide(60, fleet())) => explainJob(decision, { whyNot: node }).whyNot!.says;

  test("tells what stood in the way of a node that got nothing, and how fast it would have had to be", () => {
    expect(why("pi4")).toEqual([
      "Its first item would have taken 62 s: 0.1 s to hand it over, 60 s for the 30 items that waited there, 2.0 s to run.",
      "Before it could have begun to run, the whole job was to be done, after 10 s.",
    ]);
    const slow = decide(3, [candidate("nuc", { itemsPerSecond: 10 }), candidate("old", { itemsPerSecond: 0.5 })]);
    expect(why("old", slow)[1]).toBe(
      "The whole job was to be done after 0.3 s. old would have had to do 3.3 items/s instead of 0.5 items/s to get one item.",
    );
  });

  test("tells of a node that could not be counted on, and of one that got a share why it got no more", () => {
    expect(why("attic")).toEqual(["attic gets no work: it is late."]);
    expect(why("cam")).toEqual(["cam gets no share yet: its speed on this pipeline was not measured."]);
    expect(why("nuc")[0]).toContain("nuc got 40 items of 60 (67 %)");
    expect(why("nuc")[1]).toBe("One more would have ended there after 10 s, later than the whole job after 10 s.");
  });

  test("of a node that was not there then is refused", () => {
    expect(() => why("newcomer")).toThrow("newcomer was no node of this fleet when that was decided");
  });
});

describe("what if", () => {
  const whatIf = (...changes: string[]) => explainJob(decide(60, fleet()), { whatIf: changes }).whatIf!;

  test("a box is added: like one of its class, or like one that is named; it does not have the inputs", () => {
    const added = whatIf("add pi5");
    expect(added).toMatchObject({ before: 10.1, unit: "s" });
    expect(added.after).toBeCloseTo(7.6, 1);
    expect(added.says).toEqual([
      "With this change the job would have been expected to end after 7.6 s instead of 10 s: 2.5 s sooner.",
      "The added box is taken to do 2.0 items/s, as pi5 was measured to, with nothing waiting and no inputs there.",
    ]);
    expect(whatIf("add raspberry-pi-5").after).toBe(added.after);
    expect(whatIf("add like nuc").after).toBeLessThan(added.after);
  });

  test("a box is removed, and several changes hold together", () => {
    expect(whatIf("remove pi5").after).toBe(15);
    expect(whatIf("remove pi5", "add like pi5").after).toBeCloseTo(10.1, 9);
    expect(whatIf("remove pi5", "remove nuc").nodes).toEqual([
      { name: "pi4", before: 0, after: 60 },
      { name: "nuc", before: 40, after: 0 },
      { name: "pi5", before: 20, after: 0 },
    ]);
  });

  test("memory has no part in it, and that is said", () => {
    const { after, before, says } = whatIf("memory nuc 8GB");
    expect(after).toBe(before);
    expect(says[1]).toContain("Memory has no part in how a job is split");
  });

  test.each([
    ["", "is none of"],
    ["do something", "is none of"],
    ["add", "is none of"],
    ["memory nuc lots", '"lots" is no memory'],
    ["memory nuc 99999999TB", "more than any box has"],
    ["remove nobody", "was no node of this fleet"],
    ["add jetson", 'how fast a box like "jetson" is was not known'],
  ])("%j is refused with what is wrong with it", (change, message) => {
    expect(() => whatIf(change)).toThrow(message);
  });
});

test("an explanation is made from the decision alone: the same again from its record", () => {
  const decision = decide(60, fleet());
  const question = { whyNot: "pi4", whatIf: ["remove pi5"] };
  expect(explainJob(JSON.parse(JSON.stringify(decision)), question)).toEqual(explainJob(decision, question));
});

test("over nobody it says that the items wait", () => {
  const decision = decide(5, [candidate("a", { eligible: false, nodeId: "a" as NodeId, whyNot: "it is gone" })]);
  expect(explainJob(decision).says).toEqual(["No node can take work now, so 5 items wait."]);
});
