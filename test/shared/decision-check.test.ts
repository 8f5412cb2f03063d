import { expect, test } from "vitest";
import { planJob } from "../../agent/core/planner/index.ts";
import { decisionJson } from "../../agent/runtime/job-planning.ts";
import type { JobDecision } from "../../shared/decision.ts";
import { readJobDecision, readPlacementDecision } from "../../shared/decision-check.ts";
import { LIMITS } from "../../shared/limits.ts";
import { candidate, planRequest } from "../core/planner/candidates.ts";
import { nodeNumber } from "../support/pretend-fleets.ts";

function decide(size: number, items = 40): JobDecision {
  const nodes = Array.from({ length: size }, (_, i) =>
    candidate(`n${i}`, {
      nodeId: nodeNumber(i),
      profile: "raspberry-pi-5",
      itemsPerSecond: 1 + (i % 7) / 3,
      ...(i % 5 === 4 && { eligible: false, whyNot: "it is late" }),
    }),
  );
  const { nowMs: madeAtMs, ...made } = planRequest(items, nodes, { bytesPerItem: 10 });
  const plan = planJob({ ...made, nowMs: madeAtMs });
  return { kind: "job", pipeline: "ocr", madeAtMs, ...made, nodes, nodesLeftOut: 0, plan };
}

test("a decision is read as it was written, but for digits that nobody measured", () => {
  const decision = decide(6);
  const read = readJobDecision(decisionJson(decision));
  expect(read.nodes.map(({ name, eligible }) => [name, eligible])).toEqual(
    decision.nodes.map(({ name, eligible }) => [name, eligible]),
  );
  expect(read.plan.summary).toBe(decision.plan.summary);
  expect(read.plan.expectedSeconds).toBeCloseTo(decision.plan.expectedSeconds, 4);
  expect(readJobDecision(decisionJson(read))).toEqual(read);
});

test("of a fleet that does not fit those that got most are kept, the others counted", () => {
  const decision = decide(260, 60);
  const json = decisionJson(decision);
  expect(new TextEncoder().encode(json).length).toBeLessThanOrEqual(LIMITS.decisionBytesMax);
  const read = readJobDecision(json);
  expect(read.nodes.length + read.nodesLeftOut).toBe(260);
  expect(read.nodesLeftOut).toBeGreaterThan(0);
  const used = decision.plan.shares.filter(({ items }) => items > 0).map(({ name }) => name);
  expect(read.nodes.map(({ name }) => name)).toEqual(expect.arrayContaining(used.slice(0, 20)));
});

const broken: [string, (decision: Record<string, never> & JobDecision) => unknown][] = [
  ["kind", (one) => ({ ...one, kind: "placement" })],
  ["items", (one) => ({ ...one, items: -1 })],
  ["nodes[0].derating", (one) => ({ ...one, nodes: [{ ...one.nodes[0], derating: 2 }] })],
  ["nodes[0].nodeId", (one) => ({ ...one, nodes: [{ ...one.nodes[0], nodeId: "me" }] })],
  ["plan.chosen", (one) => ({ ...one, plan: { ...one.plan, chosen: "twice" } })],
  ["plan", (one) => ({ ...one, plan: [] })],
];
test.each(broken)("what is wrong with %s is refused, and named", (field, breaking) => {
  const text = JSON.stringify(breaking(decide(3) as Record<string, never> & JobDecision));
  expect(() => readJobDecision(text)).toThrow(field);
});

test("what is no JSON, and a job where a placement should be, is refused", () => {
  expect(() => readJobDecision("{")).toThrow("is not JSON");
  expect(() => readPlacementDecision(decisionJson(decide(3)))).toThrow("kind");
});
