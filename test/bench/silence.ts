/**
 * From the freezing of a worker (SIGSTOP, which ends no connection, like a pulled cable) to the lease of its work to others,
 * as the leader tells it: three agents with every executor at work. `node test/bench/silence.ts [freezes]`.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { demoPages } from "../../agent/cli/demo/pages.ts";
import { uploadAndSubmit } from "../../agent/cli/submit.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import { median, spread } from "./figures.ts";

const FREEZES = Number(process.argv[2] ?? 7);
/** Enough that the job outlasts everything; what is left is cancelled. */
const ITEMS = 5_000;
/** About a tenth of a second each. */
const LINE = { left: 0, top: 60, width: 500, height: 60 };
const PATIENCE_MS = 10_000;

const fleet = await LocalFleet.create(1);
const events: AgentEvent[] = [];
const abort = new AbortController();

async function until(what: string, sinceMs: number, isIt: (event: AgentEvent) => boolean): Promise<number> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 5) {
    const found = events.find((event) => event.atMs >= sinceMs && isIt(event));
    if (found) return found.atMs - sinceMs;
    await sleep(5);
  }
  throw new Error(`no word of ${what} within ${PATIENCE_MS} ms`);
}

try {
  await fleet.raise(["attic", "bench", "cellar"], () => {});
  const [page] = await demoPages(1);
  const bytes = await sharp(page!.path).extract(LINE).png().toBuffer();
  const path = join(fleet.folder, "line.png");
  await writeFile(path, bytes);
  const blob = createHash("sha256").update(bytes).digest("hex") as BlobHash;
  const inputs = Array.from({ length: ITEMS }, (_, n) => ({ name: `${n}.png`, path, bytes: bytes.length, blob }));
  const submission = { pipeline: "ocr", inputs, idempotencyKey: "silence" };
  const { jobId } = await uploadAndSubmit(fleet.agents[0]!.client, submission, () => {});
  const { leader } = await fleet.agents[0]!.client.fleet();
  const told = fleet.agents.find((agent) => agent.nodeId === leader)!;
  void (async () => {
    for await (const event of told.client.events({ signal: abort.signal })) events.push(event);
  })();
  const coveredMs: number[] = [];
  const workers = fleet.agents.filter((agent) => agent !== told);
  for (let freeze = 0; freeze < FREEZES; freeze++) {
    const worker = workers[freeze % workers.length]!;
    await sleep(2_000 + 130 * (freeze % 5));
    const frozenAtMs = Date.now();
    worker.process!.kill("SIGSTOP");
    const isCover = ({ event, facts }: AgentEvent): boolean =>
      event === "shardLeased" && String(facts.because).startsWith(`nothing is heard of ${worker.name}`);
    coveredMs.push(await until(`${worker.name}'s work elsewhere`, frozenAtMs, isCover));
    worker.process!.kill("SIGCONT");
    await until(`${worker.name} back`, frozenAtMs, ({ event, facts }) => {
      return event === "nodePresenceChanged" && facts.name === worker.name && facts.to === "fresh";
    });
  }
  await told.client.jobCancel(jobId);
  const shown = `${median(coveredMs)} ms (${spread(coveredMs, "ms")}) of ${FREEZES}`;
  console.log(`worker frozen to its work leased elsewhere: median ${shown}, target under 1000`);
} finally {
  abort.abort();
  await fleet.end();
}
