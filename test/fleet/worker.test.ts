/** Boxes that do not lead are killed and frozen; so is one after another, the leader among them. */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { setStage } from "./promises.ts";

const stage = setStage(["attic", "bench", "cellar"]);
const FROZEN_MS = 10_000;

beforeEach(() => stage.fleet.whole());

test("a worker killed in the middle of a job costs time only", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const [worker, other] = fleet.others(leader) as [typeof leader, typeof leader];
  const pages = stage.pages(0);
  const jobId = await fleet.submit(worker, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.4));
  await worker.kill();
  expect(fleet.hasEnded(jobId, leader)).toBe(false);
  await fleet.jobEnded(jobId, [leader, other]);
  await fleet.start(worker);
  await stage.expectPromisesHeld(jobId, pages);
});

test("the leader and then a worker, killed in turn and each started again, cost time only", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const [worker, other] = fleet.others(leader) as [typeof leader, typeof leader];
  const pages = [...stage.pages(1), ...stage.pages(2)];
  const jobId = await fleet.submit(other, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.1));
  await leader.kill();
  await fleet.start(leader);
  const next = await fleet.leader();
  const victim = fleet.others(next, leader)[0] ?? worker;
  await victim.kill();
  expect(fleet.hasEnded(jobId, next), "both were killed before the job had ended").toBe(false);
  await fleet.jobEnded(jobId, fleet.others(victim));
  await fleet.start(victim);
  await stage.expectPromisesHeld(jobId, pages);
});

test("a worker that hangs for 10 s is worked around, and takes part again when it goes on", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const [worker, other] = fleet.others(leader) as [typeof leader, typeof leader];
  const pages = stage.pages(3);
  const jobId = await fleet.submit(other, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.2));
  const goesOn = sleep(FROZEN_MS);
  await worker.freeze();
  await fleet.jobEnded(jobId, [leader, other]);
  const { term } = await leader.client.fleet();
  await goesOn;
  await worker.thaw();
  await stage.expectPromisesHeld(jobId, pages);
  await fleet.whole();
  expect((await leader.client.fleet()).term, "the election a waking worker must not call").toBe(term);
});

test("a leader that hangs for 10 s is replaced, and follows when it goes on", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const survivors = fleet.others(leader);
  const pages = stage.pages(4);
  const jobId = await fleet.submit(survivors[0]!, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.2));
  const goesOn = sleep(FROZEN_MS);
  await leader.freeze();
  await fleet.jobEnded(jobId, survivors);
  const next = await fleet.leader(survivors);
  const { term } = await next.client.fleet();
  await goesOn;
  await leader.thaw();
  await stage.expectPromisesHeld(jobId, pages);
  await fleet.whole();
  expect(await next.client.fleet()).toMatchObject({ term, leader: next.nodeId });
});
