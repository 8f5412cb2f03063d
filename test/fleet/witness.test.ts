/** Two boxes and a witness as real processes: either box is killed in the middle of a job, and the job ends. */
import { expect, test } from "vitest";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench"]);

test("the job ends whichever of the two boxes is killed, and the witness has run nothing", async () => {
  const { fleet } = stage;
  const [attic, bench] = fleet.agents as [RealAgent, RealAgent];
  const owl = await fleet.add("owl", attic, "--witness");
  await fleet.until("the witness votes", () =>
    [attic, bench].some((box) => box.events.some(({ facts }) => String(facts.change).includes("addWitness owl"))),
  );
  await fleet.whole();
  const pages = stage.pages(0);
  for (const isLeader of [false, true]) {
    const leader = await fleet.leader([attic, bench]);
    const other = leader === attic ? bench : attic;
    const [dies, stays] = isLeader ? [leader, other] : [other, leader];
    const jobId = await fleet.submit(stays, isLeader ? stage.pages(1) : pages);
    await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.2));
    await dies.kill();
    expect(fleet.hasEnded(jobId, stays)).toBe(false);
    await fleet.jobEnded(jobId, [stays]);
    const outputs = await fleet.outputs(jobId, stays);
    for (const [item, page] of (isLeader ? stage.pages(1) : pages).entries())
      expect(Buffer.compare(outputs.get(item)!, stage.alone(page))).toBe(0);
    await fleet.start(dies);
    await fleet.whole();
    await fleet.poll("every result has two copies", async () => (await owl.client.receipt(jobId)).copiesMin === 2);
  }
  const seen = (await attic.client.fleet()).nodes.find(({ name }) => name === "owl");
  expect(seen).toMatchObject({ role: "witness", report: { executors: 0, rates: [] } });
  expect(await owl.skein("jobs")).toMatchObject({ exitCode: 0 });
  await expect(fleet.submit(owl, pages)).rejects.toMatchObject({ code: "BAD_REQUEST" });
});
