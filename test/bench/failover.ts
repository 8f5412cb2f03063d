/** From SIGKILL of the leader to the next result in the ledger, seen from a survivor; and to the next leader. */
import { setTimeout as sleep } from "node:timers/promises";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { demoPages } from "../../agent/cli/demo/pages.ts";
import { uploadAndSubmit } from "../../agent/cli/submit.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import { median, spread } from "./figures.ts";

const KILLS = Number(process.argv[2] ?? 7);
/** Enough pages that the job outlasts all kills; what is left is cancelled. */
const ROUNDS = 60;

const fleet = await LocalFleet.create(1);
const leaderMs: number[] = [];
const resultMs: number[] = [];
try {
  await fleet.raise(["attic", "bench", "cellar"], () => {});
  const submission = { pipeline: "ocr", inputs: await demoPages(ROUNDS), idempotencyKey: "failover" };
  const { jobId } = await uploadAndSubmit(fleet.agents[0]!.client, submission, () => {});
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(4_000);
    const { leader } = await fleet.agents[0]!.client.fleet();
    const killed = fleet.agents.find((agent) => agent.nodeId === leader)!;
    const survivor = fleet.agents.find((agent) => agent !== killed)!;
    const abort = new AbortController();
    const events = survivor.client.events({ signal: abort.signal })[Symbol.asyncIterator]();
    let next = events.next();
    const killedAtMs = Date.now();
    await fleet.kill(killed);
    const until = async (isIt: (event: AgentEvent) => boolean): Promise<number> => {
      for (;;) {
        const { value } = await next;
        next = events.next();
        if (value && value.atMs >= killedAtMs && isIt(value)) return value.atMs - killedAtMs;
      }
    };
    leaderMs.push(
      await until(
        ({ event, facts }) => event === "leaderChanged" && facts.leader !== undefined && facts.leader !== killed.nodeId,
      ),
    );
    resultMs.push(await until(({ event }) => event === "resultRecorded"));
    abort.abort();
    next.catch(() => {});
    console.log(`kill ${kill + 1}: next leader after ${leaderMs.at(-1)} ms, next result after ${resultMs.at(-1)} ms`);
    await fleet.start(killed);
    await fleet.waitFor(killed, async ({ client }) => {
      const { nodes } = await client.fleet();
      return nodes.every((node) => node.presence === "fresh");
    });
  }
  await fleet.agents[0]!.client.jobCancel(jobId);
  console.log(`leader killed to next leader: median ${median(leaderMs)} ms (${spread(leaderMs, "ms")}) of ${KILLS}`);
  console.log(
    `leader killed to next recorded result: median ${median(resultMs)} ms (${spread(resultMs, "ms")}; target under 1000)`,
  );
} finally {
  await fleet.end();
}
