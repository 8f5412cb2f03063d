/** Boxes come and go while the fleet works. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { setStage } from "./promises.ts";
import { runSkein } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar"]);

test("a fourth box joins in the middle of a job, follows the log as three votes are better than four, and gets its share of the next", async () => {
  const { fleet } = stage;
  const running = await fleet.submit(fleet.agents[0]!, stage.pages(0));
  const dock = await fleet.add("dock", fleet.agents[1]!);
  await fleet.whole();
  const { nodes } = await dock.client.fleet();
  expect(nodes.map(({ name, role }) => [name, role]).sort()).toEqual(
    ["attic", "bench", "cellar", "dock"].map((name) => [name, name === "dock" ? "learner" : "voter"]),
  );
  await stage.expectPromisesHeld(running, stage.pages(0));

  const next = await fleet.submit(dock, stage.pages(1));
  await stage.expectPromisesHeld(next, stage.pages(1));
  const { job } = await fleet.agents[0]!.client.job(next);
  expect(job.shares.find((share) => share.name === "dock")?.itemsRecorded).toBeGreaterThan(0);
});

test("`skein remove` takes a box out: the others go on as three, and refuse it from then on", async () => {
  const { fleet } = stage;
  const dock = fleet.agents.find((agent) => agent.name === "dock")!;
  if ((await fleet.leader()) === dock) await fleet.restart(dock);
  const leader = await fleet.leader();
  const others = fleet.others(dock);
  const { term } = await leader.client.fleet();
  expect(await others[1]!.skein("remove", "dock")).toMatchObject({
    exitCode: 0,
    out: `dock (${dock.nodeId}) is out of the fleet.\n`,
  });
  await fleet.poll("the others are three voters", async () => {
    const views = await Promise.all(others.map((agent) => agent.client.fleet()));
    return views.every(({ nodes }) => nodes.length === 3 && nodes.every(({ role }) => role === "voter"));
  });
  await fleet.poll("dock is cut off", async () => !(await dock.client.fleet()).hasQuorum);
  await expect(fleet.submit(dock, stage.pages(0))).rejects.toMatchObject({ code: "NO_QUORUM" });
  await fleet.forget(dock);
  await fleet.whole();
  expect(await leader.client.fleet()).toMatchObject({ term, leader: leader.nodeId });
  const jobId = await fleet.submit(others[2]!, stage.pages(0));
  await stage.expectPromisesHeld(jobId, stage.pages(0));
});

test("an invitation lets one box in and no second one", async () => {
  const { fleet } = stage;
  const said = await fleet.agents[0]!.skein("invite", "--json");
  expect(said.exitCode).toBe(0);
  const { token } = JSON.parse(said.out) as { token: string };
  const folder = await mkdtemp(join(tmpdir(), "skein-fleet-joiners-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const joinAs = (name: string) =>
    runSkein(["join", token, "--data", join(folder, name), "--name", name, "--host", "127.0.0.1", "--api-port", "0"]);
  expect(await joinAs("eaves")).toMatchObject({ exitCode: 0 });
  const second = await joinAs("fence");
  expect(second.exitCode).toBe(6);
  expect(second.err).toMatch(/^skein: The invitation is not valid: .*used/);
  const { nodes } = await fleet.agents[0]!.client.fleet();
  expect(nodes.map(({ name }) => name).sort()).toEqual(["attic", "bench", "cellar", "eaves"]);
  // A box that was let in and never came is no reason to stop.
  expect(await fleet.agents[1]!.skein("remove", "eaves")).toMatchObject({ exitCode: 0 });
  await fleet.whole();
});
