/**
 * False alarms: agents whose executors keep every core busy, while the agents themselves are stopped for 200 ms now and
 * then, as by a long garbage collection or a slow card. Nobody is unplugged, so nobody may be suspected of it: no shard
 * taken back, no leader lost, no node late. `npm run bench -- alarms`, or `node test/bench/alarms.ts MINUTES`.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { RealFleet } from "../fleet/real-fleet.ts";
import { Chance } from "../nemesis/chance.ts";
import { canaries, roundsPerSecond, submit } from "../unplug/work.ts";

const MINUTES = Number(process.argv[2] ?? 10);
const PAUSE_MS = 200;
/** Mean time between two pauses of some agent. */
const CALM_MS = 1_500;
const ITEMS = 400;
const ITEM_SECONDS = 0.1;
/** What an agent says when it takes another for gone, or itself for left alone. */
const ALARMS = [
  "leaderChanged",
  "leadershipEnded",
  "nodePresenceChanged",
  "shardTakenBack",
  "shardSuspected",
  "workerSilent",
];

/** An agent that is stopped as a kept connection runs out drops the call on it: then once more, under the same key. */
async function handIn(fleet: RealFleet): Promise<JobId> {
  const work = canaries(ITEMS, rounds);
  const key = randomUUID();
  for (let tries = 1; ; tries++)
    try {
      return await submit(chance.one(fleet.agents).client, work, key);
    } catch (error) {
      if (SkeinError.from(error).code !== "AGENT_UNREACHABLE" || tries === 5) throw error;
    }
}

const chance = new Chance(20261129);
const rounds = Math.round(roundsPerSecond() * ITEM_SECONDS);
const fleet = await RealFleet.raise(["attic", "bench", "cellar"], { executors: 2 });
try {
  const endMs = performance.now() + MINUTES * 60_000;
  const seen = fleet.agents.map((agent) => agent.events.length);
  let pauses = 0;
  let jobs = 0;
  const working = (async () => {
    for (; performance.now() < endMs; jobs++) {
      const jobId = await handIn(fleet);
      await fleet.until("the next job is due", () => fleet.recorded(jobId) >= ITEMS - 20 || performance.now() > endMs);
    }
  })();
  while (performance.now() < endMs) {
    await sleep(chance.between(0.5, 1.5) * CALM_MS);
    const { pid } = chance.one(fleet.agents);
    process.kill(pid!, "SIGSTOP");
    await sleep(PAUSE_MS);
    process.kill(pid!, "SIGCONT");
    pauses++;
  }
  await working;
  const alarms = fleet.agents.flatMap((agent, i) =>
    agent.events
      .slice(seen[i])
      .filter(({ event }) => ALARMS.includes(event))
      .map((event) => ({ agent: agent.name, ...event })),
  );
  for (const alarm of alarms.slice(0, 20)) console.log(JSON.stringify(alarm));
  console.log(
    `${MINUTES} min, ${jobs} jobs, 6 executors on this machine's cores, ${pauses} pauses of ${PAUSE_MS} ms: ${alarms.length} false alarms (target 0)`,
  );
  process.exitCode = alarms.length > 0 ? 1 : 0;
} finally {
  await fleet.end();
}
