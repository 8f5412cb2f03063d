/** Boxes on a LAN of their own, and cables that are pulled: no FIN, no reset, only silence. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { TIMING } from "../../shared/limits.ts";
import { Lan } from "./lan.ts";
import type { Page } from "./pages.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const whyNot = await Lan.whyNot();
if (whyNot) console.warn(`Skipped: ${whyNot}.`);

/** Several election timeouts: time enough for a box that comes back to disturb the others, if it would. */
const WATCHED_MS = 6 * TIMING.electionTicks * TIMING.tickMs;

describe.skipIf(whyNot)("on a LAN", () => {
  let lan: Lan;
  const stage = setStage(["attic", "bench", "cellar"], async () => {
    lan = await Lan.create();
    return { lan };
  });
  afterAll(() => lan?.remove());

  /** What these agents have said of leaders so far, in this life. */
  const leadersSaid = (agents: readonly RealAgent[]) =>
    agents.map((agent) => agent.events.filter(({ event }) => event === "leaderChanged").length);

  /** Puts the cable back and sees the box rejoin without an election, a new term or a word of the others about it. */
  async function expectQuietReturn(back: RealAgent): Promise<void> {
    const { fleet } = stage;
    const others = fleet.others(back);
    const before = await Promise.all(others.map((agent) => agent.client.fleet()));
    const said = leadersSaid(others);
    await lan.plug(back.name);
    await fleet.whole();
    await sleep(WATCHED_MS);
    expect(leadersSaid(others), "changes of leader on the others").toEqual(said);
    const after = await Promise.all(others.map((agent) => agent.client.fleet()));
    expect(after.map(({ leader, term }) => ({ leader, term }))).toEqual(
      before.map(({ leader, term }) => ({ leader, term })),
    );
    expect(await back.client.fleet()).toMatchObject({ leader: before[0]!.leader, term: before[0]!.term });
  }

  test("a leader whose cable is pulled in the middle of a job is replaced, and rejoins without disturbing the others", async () => {
    const { fleet } = stage;
    const leader = await fleet.leader();
    const others = fleet.others(leader);
    const pages = stage.pages(0);
    const jobId = await fleet.submit(others[0]!, pages);
    await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.3));
    await lan.unplug(leader.name);
    expect(fleet.hasEnded(jobId, others[0]!), "the cable was pulled before the job had ended").toBe(false);
    await fleet.jobEnded(jobId, others);
    expect(fleet.hasEnded(jobId, leader), "what the lonely box cannot know").toBe(false);
    await expectQuietReturn(leader);
    await stage.expectPromisesHeld(jobId, pages);
  });

  test("an old leader left alone refuses durable work and names the voters it misses; `skein run` exits with 5", async () => {
    const { fleet } = stage;
    await fleet.whole();
    const lonely = await fleet.leader();
    const others = fleet.others(lonely);
    const names = others.map((agent) => agent.name).sort();
    await lan.unplug(lonely.name);
    const next = await fleet.leader(others);
    await fleet.poll(`${lonely.name} knows that it is alone`, async () => !(await lonely.client.fleet()).hasQuorum);
    expect((await lonely.client.fleet()).votersMissing.sort()).toEqual(names);

    const error = await fleet.submit(lonely, stage.pages(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NO_QUORUM", facts: { reachable: 1, needed: 2, voters: 3 } });
    expect([...(error as { facts: { missing: string[] } }).facts.missing].sort()).toEqual(names);

    const said = await runAt(lonely, stage.pages(1));
    expect(said.exitCode).toBe(5);
    for (const name of names) expect(said.err).toContain(name);
    expect(said.err).toContain("Nothing durable can be accepted");

    // The same work, meanwhile, where the quorum is.
    const jobId = await fleet.submit(next, stage.pages(2));
    await fleet.jobEnded(jobId, others);
    await expectQuietReturn(lonely);
    await stage.expectPromisesHeld(jobId, stage.pages(2));
    const jobs = await lonely.client.jobs();
    expect(jobs, "nothing of what was refused is in the ledger").toHaveLength(2);
  });

  /** `skein run` on the box itself. */
  async function runAt(agent: RealAgent, pages: readonly Page[]) {
    const folder = await mkdtemp(join(tmpdir(), "skein-fleet-scans-"));
    try {
      for (const { name, bytes } of pages.slice(0, 2)) await writeFile(join(folder, name), bytes);
      return await agent.skein("run", "ocr", folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
});
