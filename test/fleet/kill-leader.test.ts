/** The leader's plug is pulled at three points of a job. Each time the others elect the next and the job ends. */
import { expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar"]);

/** Kills the leader, sees the survivors through the job without it, starts it again and waits until it has caught up. */
async function killLeaderAndRecover(leader: RealAgent, jobId: JobId): Promise<void> {
  const { fleet } = stage;
  const survivors = fleet.others(leader);
  await leader.kill();
  expect(fleet.hasEnded(jobId, leader), "the leader was killed before the job had ended").toBe(false);
  await fleet.leader(survivors);
  await fleet.jobEnded(jobId, survivors);
  await fleet.start(leader);
  await fleet.jobEnded(jobId, [leader]);
}

test("a leader killed just after submit loses nothing of the job it accepted", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const pages = stage.pages(0);
  const jobId = await fleet.submit(leader, pages);
  await killLeaderAndRecover(leader, jobId);
  await stage.expectPromisesHeld(jobId, pages);
});

test("a leader killed in the middle of a job costs time only", async () => {
  const { fleet } = stage;
  await fleet.whole();
  const leader = await fleet.leader();
  const pages = stage.pages(1);
  const jobId = await fleet.submit(fleet.others(leader)[0]!, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.4));
  await killLeaderAndRecover(leader, jobId);
  await stage.expectPromisesHeld(jobId, pages);
});

test("a leader killed before the last shard is recorded leaves the end to the next", async () => {
  const { fleet } = stage;
  await fleet.whole();
  const leader = await fleet.leader();
  const pages = stage.pages(2);
  const jobId = await fleet.submit(fleet.others(leader)[1]!, pages);
  await fleet.recordedAtLeast(jobId, pages.length - 3);
  await killLeaderAndRecover(leader, jobId);
  await stage.expectPromisesHeld(jobId, pages);
});
