/** The log was compacted while a box was away, and before another one came: both are sent a snapshot and hold the same jobs. */
import { beforeEach, expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar"]);
beforeEach(() => stage.fleet.whole());

/** At once, so that one fsync takes many. */
const INVITATIONS = 64;

const lastSnapshotOf = (agent: RealAgent, event: string): number =>
  (agent.events.findLast((one) => one.event === event)?.facts.index as number | undefined) ?? 0;

/** Small entries, until the log of each begins after the entry `index`. */
async function compactBeyond(agents: readonly RealAgent[], index: number): Promise<void> {
  // Behind a snapshot some entries are kept for those a little behind, so it takes a later one.
  while (agents.some((agent) => lastSnapshotOf(agent, "snapshotTaken") < index + 1_000))
    await Promise.all(Array.from({ length: INVITATIONS }, () => agents[0]!.client.invite({})));
}

/** What each item came to, by whom, recorded where. */
async function storyOf(agent: RealAgent, jobId: JobId): Promise<unknown> {
  const { job, results } = await agent.client.results(jobId);
  return [job.state, job.items, results.map(({ holders: _, ...rest }) => rest)];
}

test("a box that was away while the log was compacted, and one that joins after it, are sent a snapshot and hold the same jobs", async () => {
  const { fleet } = stage;
  const pages = stage.pages(0).slice(0, 6);
  const first = await fleet.submit(fleet.agents[0]!, pages);
  await stage.expectPromisesHeld(first, pages);
  const leader = await fleet.leader();
  const away = fleet.others(leader)[0]!;
  const others = fleet.others(away);
  const { commitIndex } = await leader.client.fleet();
  await away.kill();
  const second = await fleet.submit(leader, stage.pages(1).slice(0, 6));
  await fleet.jobEnded(second, others);
  await compactBeyond(others, commitIndex);

  await fleet.start(away);
  const late = await fleet.add("desk", leader);
  for (const box of [away, late]) {
    await fleet.jobEnded(second, [box]);
    await fleet.until(`${box.name} has a snapshot`, () => lastSnapshotOf(box, "snapshotInstalled") > commitIndex);
  }
  await fleet.whole();

  for (const jobId of [first, second])
    for (const agent of fleet.agents) {
      expect(await storyOf(agent, jobId)).toEqual(await storyOf(leader, jobId));
      expect((await fleet.outputs(jobId, agent)).size).toBe(6);
    }
  // From its own snapshot, with nothing left in the log to tell of the jobs.
  await fleet.restart(away);
  await fleet.until("it has read its snapshot", () => lastSnapshotOf(away, "ledgerLoaded") > 0);
  for (const jobId of [first, second]) expect(await storyOf(away, jobId)).toEqual(await storyOf(leader, jobId));
  await fleet.whole();
  const third = await fleet.submit(away, stage.pages(0).slice(6, 12));
  await fleet.jobEnded(third);
});
