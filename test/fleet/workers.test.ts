/** More boxes than voters: the one without a seat works without the log, takes a seat that stays empty, and its old owner works. */
import { rm } from "node:fs/promises";
import { expect, test } from "vitest";
import type { NodeRole } from "../../shared/fleet.ts";
import type { JobId } from "../../shared/ids.ts";
import type { Page } from "./pages.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar", "dock"], async () => ({ settings: { votersMax: "3" } }));

const roleOf = async (agent: RealAgent, seenBy: RealAgent): Promise<NodeRole | undefined> =>
  (await seenBy.client.fleet()).nodes.find(({ nodeId }) => nodeId === agent.nodeId)?.role;

/** Joint steps take a moment, and a worker hears of them within a second. */
const seatTaken = (heir: RealAgent, lost: RealAgent, seenBy: readonly RealAgent[]): Promise<void> =>
  stage.fleet.poll(`${heir.name} has the seat of ${lost.name}`, async () => {
    const seen = seenBy.map(async (agent) => `${await roleOf(heir, agent)} ${await roleOf(lost, agent)}`);
    return (await Promise.all(seen)).every((roles) => roles === "voter worker");
  });

async function workerOf(agents: readonly RealAgent[]): Promise<RealAgent> {
  const { nodes } = await agents[0]!.client.fleet();
  const worker = nodes.find(({ role }) => role === "worker");
  return agents.find((agent) => agent.nodeId === worker?.nodeId)!;
}

/** Through every box: the same receipt, and the bytes that one box alone makes. */
async function expectSameEverywhere(jobId: JobId, pages: readonly Page[]): Promise<void> {
  const { fleet } = stage;
  const receipts = await fleet.receipts(jobId);
  const told = receipts.map(({ results }) => results.map(({ holders: _, ...rest }) => rest));
  for (const story of told) expect(story).toEqual(told[0]);
  expect(told[0]).toHaveLength(pages.length);
  for (const agent of fleet.agents) {
    const outputs = await fleet.outputs(jobId, agent);
    for (const [item, page] of pages.entries())
      expect(Buffer.compare(outputs.get(item)!, stage.alone(page)), `${page.name} by ${agent.name}`).toBe(0);
  }
}

test("a job handed in at a worker outlives a voter; its seat is taken, and it comes back as a worker", async () => {
  const { fleet } = stage;
  const worker = await workerOf(fleet.agents);
  expect(await worker.skein("nodes")).toMatchObject({ exitCode: 0, out: expect.stringContaining("worker") });
  await worker.client.settingSet("voterGoneAfterSeconds", { value: "1" });
  const pages = stage.pages(0);
  const jobId = await fleet.submit(worker, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.2));
  const leader = await fleet.leader();
  const lost = fleet.others(worker, leader)[0]!;
  await lost.kill();
  await fleet.jobEnded(jobId, fleet.others(worker, lost));
  await seatTaken(worker, lost, [leader, worker]);
  // Who has a seat reads the whole log.
  await fleet.jobEnded(jobId, [worker]);

  await fleet.start(lost);
  await fleet.poll(`${lost.name} knows that it is a worker`, async () => (await roleOf(lost, lost)) === "worker");
  await fleet.whole();
  await expectSameEverywhere(jobId, pages);
  const next = await fleet.submit(lost, stage.pages(1));
  await fleet.jobEnded(next, fleet.others(lost));
  await expectSameEverywhere(next, stage.pages(1));
  expect(await lost.skein("receipt", next)).toMatchObject({ exitCode: 0 });
  expect((await lost.skein("jobs")).out).toContain(jobId);
});

test("a wiped box comes back as a new node under a free name, and its old self is replaced, then removed", async () => {
  const { fleet } = stage;
  const worker = await workerOf(fleet.agents);
  const leader = await fleet.leader();
  const wiped = fleet.others(worker, leader)[0]!;
  await fleet.forget(wiped);
  await rm(wiped.dataDir, { recursive: true });
  const again = await fleet.add(wiped.name, leader);
  expect(again.nodeId).not.toBe(wiped.nodeId);
  await seatTaken(worker, wiped, [leader, again]);
  const names = (await again.client.fleet()).nodes.map(({ name }) => name).sort();
  expect(names).toEqual([...fleet.agents.map(({ name }) => name), `${wiped.name}-2`].sort());
  expect(await again.skein("remove", wiped.nodeId)).toMatchObject({ exitCode: 0 });
  await fleet.whole();
  const jobId = await fleet.submit(again, stage.pages(2));
  await fleet.jobEnded(jobId, fleet.others(again));
  await expectSameEverywhere(jobId, stage.pages(2));
});
