/**
 * `skein demo`, which is what `npm start` runs: three agents on this machine, a job of real pages, the leader killed in the
 * middle, and a table of what became of every promise. It uses the same commands and the same API as everyone else.
 */
import { relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobId } from "../../../shared/ids.ts";
import { bundledApplication, samplesOf } from "../pipelines/applications.ts";
import { uploadAndSubmit } from "../submit.ts";
import { duration, table } from "../table.ts";
import type { World } from "../world.ts";
import { explained, explainedText } from "./explained.ts";
import { type LocalAgent, LocalFleet } from "./local-fleet.ts";
import { type DemoPage, demoPages } from "./pages.ts";
import { Screen } from "./screen.ts";
import { judge, type Verdict } from "./verdict.ts";
import { Watch } from "./watch.ts";

export interface DemoOptions {
  /** End after the table instead of staying up with the dashboard. */
  once: boolean;
  json: boolean;
}

/** The application that is named when the demonstration is over. */
const TRIED = "customer-service";
const NAMES = ["attic", "bench", "cellar"] as const;
const ROUNDS = 2;
/** The leader dies when this part of the pages is recorded. */
const KILL_AT = 0.4;
/** The killed box stays dark this long, so that the others are seen to go on without it. */
const DARK_MS = 3_000;
const JOB_MS = 120_000;

/** @returns the exit code: 0 if every promise held. */
export async function demo(options: DemoOptions, world: World): Promise<number> {
  const fleet = await LocalFleet.create(1);
  let isEnding = false;
  const interrupted = new Promise<void>((resolve) => {
    world.onInterrupt(() => {
      if (isEnding) process.exit(130);
      isEnding = true;
      resolve();
    });
  });
  try {
    const told = await Promise.race([tellStory(fleet, world), interrupted]);
    if (!told) return 130;
    world.out(options.json ? `${JSON.stringify(told, null, 2)}\n` : verdictText(told));
    const stays = !options.once && !options.json && world.isTerminal;
    if (stays) {
      const urls = fleet.agents.map((agent) => agent.client.url);
      const [sample] = await samplesOf((await bundledApplication(TRIED))!);
      const command = `npm run skein -- run ${TRIED} ${relative("", sample!)} --api ${urls[0]}`;
      world.out(
        `\nThe fleet stays up. Dashboard: ${urls.join("  ")}\nModels that work together: ${command}\nCtrl-C ends it.\n`,
      );
      await interrupted;
    }
    return told.promisesHeld ? 0 : 1;
  } finally {
    await fleet.end();
  }
}

async function tellStory(fleet: LocalFleet, world: World): Promise<Verdict> {
  const startedAtMs = performance.now();
  const pages = await demoPages(ROUNDS);
  let screen: Screen | undefined;
  const say = (line: string): void => screen?.say(line);
  const watch = new Watch(say, (nodeId) => fleet.agents.find((agent) => agent.nodeId === nodeId)?.name ?? nodeId);
  screen = new Screen({ world, watch: () => watch, agents: () => fleet.agents, pages: pages.length, startedAtMs });
  screen.start();
  try {
    await fleet.raise(NAMES, say);
    for (const agent of fleet.agents) watch.follow(agent);
    const jobId = await submit(fleet, pages, say);
    const explanation = await explained(fleet, fleet.agents[1]!, jobId);
    const { killed, killedAtMs } = await pullThePlug(fleet, watch, pages.length, say);
    await within(
      JOB_MS,
      watch.until(() => watch.recordedBy.size === pages.length),
    );
    say(`all ${pages.length} pages are recorded`);
    await catchUp(fleet, killed, jobId);
    say(`${killed.name} has caught up`);
    await within(JOB_MS, hasAllCopies(fleet, jobId));
    return await judge({ jobId, pages, agents: fleet.agents, killed, killedAtMs, startedAtMs, watch, explanation });
  } finally {
    watch.end();
    screen.stop();
  }
}

async function submit(fleet: LocalFleet, pages: readonly DemoPage[], say: (line: string) => void): Promise<JobId> {
  const agent = fleet.agents[1]!;
  const submission = { pipeline: "ocr", inputs: pages, idempotencyKey: `demo-${process.pid}` };
  const { jobId } = await uploadAndSubmit(agent.client, submission, () => {});
  say(`${agent.name} took ${jobId} in: ${pages.length} pages, every input on two boxes, agreed by a quorum`);
  return jobId;
}

/** Kills the leader when enough is recorded, and starts it again while the others work or when they are done. */
async function pullThePlug(
  fleet: LocalFleet,
  watch: Watch,
  pages: number,
  say: (line: string) => void,
): Promise<{ killed: LocalAgent; killedAtMs: number }> {
  await within(
    JOB_MS,
    watch.until(() => watch.recordedBy.size >= KILL_AT * pages),
  );
  const killed = fleet.agents.find((agent) => agent.nodeId === watch.leader)!;
  const killedAtMs = Date.now();
  say(`SIGKILL to ${killed.name}, the leader`);
  await fleet.kill(killed);
  await Promise.race([sleep(DARK_MS), watch.until(() => watch.recordedBy.size === pages)]);
  await fleet.start(killed);
  say(`${killed.name} is started again as process ${killed.process?.pid}`);
  watch.follow(killed);
  return { killed, killedAtMs };
}

async function catchUp(fleet: LocalFleet, killed: LocalAgent, jobId: JobId): Promise<void> {
  await fleet.waitFor(killed, async ({ client }) =>
    (await client.jobs()).some((job) => job.jobId === jobId && job.state === "done"),
  );
}

/** The leader makes up for the copies that were on the dead box. */
async function hasAllCopies(fleet: LocalFleet, jobId: JobId): Promise<void> {
  await fleet.waitFor(fleet.agents[0]!, async ({ client }) => (await client.receipt(jobId)).copiesMin >= 2);
}

async function within(deadlineMs: number, promise: Promise<void>): Promise<void> {
  const abort = new AbortController();
  const late = sleep(deadlineMs, undefined, { signal: abort.signal }).then(() => {
    throw new Error(`the demonstration waited ${duration(deadlineMs)} for something that did not happen`);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    abort.abort();
    late.catch(() => {});
  }
}

function verdictText(verdict: Verdict): string {
  const { boxes, wordRecall } = verdict;
  const rows = boxes.map(({ name, pages, shards, wasKilled }) => [
    name,
    `${pages}`,
    `${shards}`,
    wasKilled ? "killed, started again, caught up" : "",
  ]);
  const facts: [string, string][] = [
    ["time without a leader", `${verdict.withoutLeaderMs} ms`],
    ["kill to next recorded result", `${verdict.nextResultMs} ms`],
    ["taken back", `${verdict.shardsTakenBack} shards, ${verdict.pagesTakenBack} pages`],
    ["word recall", `${(100 * wordRecall).toFixed(1)} % of the known text`],
    ["results lost", `${verdict.resultsLost}`],
    ["results recorded twice", `${verdict.resultsRecordedTwice}`],
    [
      "copies of each result",
      verdict.copiesMin === verdict.copiesMax ? `${verdict.copiesMin}` : `${verdict.copiesMin} to ${verdict.copiesMax}`,
    ],
    ["copies read back whole", `${verdict.copiesSound}`],
    ["valid signatures", `${verdict.signaturesValid}`],
    ["in all", duration(1000 * verdict.seconds)],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const summary = facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join("");
  const held = verdict.promisesHeld ? "Every promise held." : `Broken: ${verdict.broken.join("; ")}.`;
  const boxesText = table(["box", "pages", "shards", ""], rows, ["pages", "shards"]);
  return `\n${boxesText}\n${explainedText(verdict.explanation)}\n${summary}\n${held}\n`;
}
