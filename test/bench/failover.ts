/**
 * From SIGKILL of the leader to the next result in the ledger, seen from a survivor; and to the next leader. The items are
 * single lines of a page, about a tenth of a second each: no result can come before a running item ends, so with whole
 * pages the figure would say more of the pages than of the fleet. `node test/bench/failover.ts [kills]`.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { demoPages } from "../../agent/cli/demo/pages.ts";
import type { LocalInput } from "../../agent/cli/inputs.ts";
import { uploadAndSubmit } from "../../agent/cli/submit.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import { median, spread } from "./figures.ts";

const KILLS = Number(process.argv[2] ?? 7);
/** Enough that the job outlasts all kills; what is left is cancelled. */
const ITEMS = 4_000;
const LINE = { left: 0, top: 60, width: 500, height: 60 };

/** One line cut from the first page, as often as wanted. */
async function lines(folder: string): Promise<LocalInput[]> {
  const [page] = await demoPages(1);
  const bytes = await sharp(page!.path).extract(LINE).png().toBuffer();
  const path = join(folder, "line.png");
  await writeFile(path, bytes);
  const blob = createHash("sha256").update(bytes).digest("hex") as BlobHash;
  return Array.from({ length: ITEMS }, (_, n) => ({ name: `line-${n}.png`, path, bytes: bytes.length, blob }));
}

const fleet = await LocalFleet.create(1);
const leaderMs: number[] = [];
const resultMs: number[] = [];
try {
  await fleet.raise(["attic", "bench", "cellar"], () => {});
  const submission = { pipeline: "ocr", inputs: await lines(fleet.folder), idempotencyKey: "failover" };
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
