/** A power cut: every box goes at once, in the middle of a job, and comes back with nothing but its disk. */
import { expect, test } from "vitest";
import { setStage } from "./promises.ts";

const stage = setStage(["attic", "bench", "cellar"]);

test("a job goes on from the disks after all three boxes were killed at once", async () => {
  const { fleet } = stage;
  const pages = stage.pages(0);
  const jobId = await fleet.submit(fleet.agents[1]!, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.4));
  await Promise.all(fleet.agents.map((agent) => agent.kill()));
  expect(fleet.agents.some((agent) => fleet.hasEnded(jobId, agent))).toBe(false);
  await Promise.all(fleet.agents.map((agent) => fleet.start(agent)));
  // What was recorded before the cut is told again, at its old index, by every box: see expectPromisesHeld.
  await stage.expectPromisesHeld(jobId, pages);
});

test("the same fleet takes the next job", async () => {
  const { fleet } = stage;
  await fleet.whole();
  const pages = stage.pages(1);
  const jobId = await fleet.submit(fleet.agents[2]!, pages);
  await stage.expectPromisesHeld(jobId, pages);
});
