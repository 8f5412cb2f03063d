/** Plans in whole fleets: heat that moves work away, decisions that are kept, and their explanation. */
import { expect, test } from "vitest";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import { modelOfSize } from "../../support/nouns.ts";
import type { Body } from "./heat.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const BODY: Body = { idleC: 45, busyC: 92, seconds: 25, throttleC: 80 };

async function raise(seed: number, size: number, options: { body?: Body; voters?: number } = {}): Promise<SimFleet> {
  const { body, ...voters } = options;
  const fleet = new SimFleet(seed, size, { alike: { secondsPerItem: 0.2, executors: 2 }, ...voters });
  if (body) fleet.nodes[size - 1]!.body = body;
  await fleet.start();
  await fleet.until("all know the leader", () => fleet.nodes.every((n) => n.agent?.fleet().leader), 10_000);
  await fleet.run(3_000);
  return fleet;
}

const jobOf = (node: SimNode, jobId: JobId) => node.agent!.ledger.jobs.get(jobId);
const doneBy = (node: SimNode, jobId: JobId, worker: NodeId): number =>
  jobOf(node, jobId)!.results.filter((result) => result?.node === worker).length;

/** A job of nearly a minute; one box of three would throttle if it did as much as the others. */
async function heatOf(
  body: Body,
): Promise<{ derated: unknown[]; hottestC: number; itemsHot: number; itemsCool: number }> {
  const fleet = await raise(3, 3, { body });
  const [cool, , hot] = fleet.nodes;
  const derated: unknown[] = [];
  fleet.leader!.agent!.onEvent(({ event, facts }) => {
    if (event === "nodeDerated") derated.push(facts.name);
  });
  const jobId = (await fleet.submit(cool!, 1_200))!;
  await fleet.until("it ends", () => jobOf(cool!, jobId)?.state === "done", 300_000);
  return {
    derated,
    hottestC: hot!.heat!.hottestC,
    itemsHot: doneBy(cool!, jobId, hot!.nodeId),
    itemsCool: doneBy(cool!, jobId, cool!.nodeId),
  };
}

test("a box that warms by its work is given less before it throttles, and never throttles; untold, it does", async () => {
  const told = await heatOf({ ...BODY, warnC: 70 });
  const untold = await heatOf(BODY);
  expect(untold.hottestC).toBeGreaterThan(BODY.throttleC);
  expect(told.hottestC).toBeLessThan(BODY.throttleC);
  expect(new Set(told.derated)).toEqual(new Set(["n2"]));
  expect(told.itemsHot / told.itemsCool).toBeGreaterThan(0.35);
  expect(told.itemsHot / told.itemsCool).toBeLessThan(0.95);
});

test("a decision is kept on every box, and each explains it the same, also one without the ledger", async () => {
  const fleet = await raise(5, 6, { voters: 5 });
  const worker = fleet.nodes[5]!;
  expect(worker.agent!.holdsLedger).toBe(false);
  const jobId = (await fleet.submit(worker, 60))!;
  await fleet.until("it ends", () => fleet.nodes.slice(0, 5).every((n) => jobOf(n, jobId)?.state === "done"), 30_000);
  const name = fleet.nodes[1]!.name;
  const told = await Promise.all(
    fleet.nodes.map((node) => fleet.settled(node.agent!.explain(jobId, name, [`remove ${name}`]), 10_000)),
  );
  for (const one of told) expect(one).toEqual(told[0]);
  const { nodes, whyNot, whatIf, predictionErrors } = told[0]!;
  expect(nodes.reduce((sum, { figures }) => sum + figures.items!, 0)).toBe(60);
  expect(whyNot!.says[0]).toContain(`${name} got`);
  expect(whatIf!.after).toBeGreaterThan(whatIf!.before);
  expect(predictionErrors!.length).toBeGreaterThan(0);
  for (const { median } of predictionErrors!) expect(median).toBeLessThanOrEqual(0.1);
  const leader = fleet.leader!.agent!;
  expect(leader.fleet().nodes.some((node) => node.predictionErrors)).toBe(true);
  expect(leader.eventsSince(0).some(({ event }) => event === "predictionMeasured")).toBe(true);
  await expect(fleet.settled(worker.agent!.explain("nothing", undefined, []), 10_000)).rejects.toMatchObject({
    code: "EXPLAIN_UNKNOWN",
  });
});

test("a new leader decides again, and both decisions are kept", async () => {
  const fleet = await raise(6, 3);
  const old = fleet.leader!;
  const other = fleet.nodes.find((node) => node !== old)!;
  const jobId = (await fleet.submit(other, 300))!;
  await fleet.run(2_000);
  const decisions = () => other.agent!.ledger.planning.decisions.get(jobId) ?? [];
  expect(decisions()).toHaveLength(1);
  old.crash();
  await fleet.until("another decided", () => decisions().length === 2, 15_000);
  const told = await fleet.settled(other.agent!.explain(jobId, old.name, []), 10_000);
  expect(told.whyNot!.says[0]).toContain("gets no work: it is");
  expect(JSON.parse(decisions()[0]!).term).toBeLessThan(told.term!);
});

test("a job whose decision is no longer kept says so, and a box tells what it runs all the same", async () => {
  const fleet = await raise(7, 3);
  const leader = fleet.leader!;
  const jobId = (await fleet.submit(leader, 5))!;
  await fleet.until("it ends", () => jobOf(leader, jobId)?.state === "done", 30_000);
  leader.agent!.ledger.planning = { ...leader.agent!.ledger.planning, decisions: new Map() };
  await expect(fleet.settled(leader.agent!.explain(jobId, undefined, []), 10_000)).rejects.toMatchObject({
    code: "DECISION_MISSING",
  });
  const { says } = await fleet.settled(leader.agent!.explain(leader.name, undefined, []), 10_000);
  expect(says[0]).toContain(`No model was placed on ${leader.name}. It runs ocr at`);
});

test("where a model stands is explained by every box: where, why, why not elsewhere, and what if", async () => {
  const agreed = [modelOfSize("large", 1e9), modelOfSize("small", 10e6)];
  const fleet = new SimFleet(8, 6, { agreed, voters: 5, alike: { secondsPerItem: 0.1, executors: 1 } });
  await fleet.start();
  const placed = () => fleet.leader?.agent?.ledger.planning.placements.at(-1)?.replicas ?? [];
  await fleet.until("it stands", () => placed().some((one) => one.nodes.length > 1), 10_000);
  await fleet.run(2_000);
  const replicas = placed().find(({ pipeline }) => pipeline === "large:1")!;
  const [here] = fleet.nodes.filter(({ nodeId }) => replicas.nodes.includes(nodeId));
  const explain = (node: SimNode, what: string, ...changes: string[]) =>
    fleet.settled(node.agent!.explain(what, here!.name, changes), 10_000);
  const told = await explain(fleet.nodes[5]!, "large", `remove ${here!.name}`);
  expect(told).toEqual(await explain(fleet.leader!, "large:1", `remove ${here!.name}`));
  expect(told).toMatchObject({ of: "model", what: "large:1" });
  expect(told.nodes.filter(({ isUsed }) => isUsed)).toHaveLength(replicas.nodes.length);
  expect(told.whyNot!.says[0]).toMatch(/^It stands there: it does .* items\/s there/);
  expect(told.whatIf!.nodes.find(({ name }) => name === here!.name)).toMatchObject({ before: 1, after: 0 });
  const box = await fleet.settled(here!.agent!.explain(here!.name, undefined, []), 10_000);
  expect(box.says.join(" ")).toMatch(/stands? .*large:1.*Models could take .* when that was decided, and were given/);
});
