/**
 * Three boxes with CPU quotas of 1 : 0.5 : 0.25 read pages together: their throughput against the sum of what each does as a
 * fleet of its own, and small jobs against the fastest box alone; all in one run. Each box has a network namespace and a
 * control group; needs root. `npm run bench -- quotas`.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Page, pageOf } from "../fleet/pages.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { type Boxes, raiseBoxes, whyNoBoxes } from "../unplug/boxes.ts";
import { canaries, roundsPerSecond, secondsOf, submit } from "../unplug/work.ts";
import { median } from "./figures.ts";

/** Of a core; together they leave some of the two for whoever measures. */
const QUOTAS: Record<string, number> = { fast: 0.8, half: 0.4, quarter: 0.2 };
const FASTEST = "fast";
/** Some forty seconds each. */
const PAGES_PER_CORE_ALONE = 36;
/** A page takes the slowest box five seconds, so a job that shall tell a throughput lasts a minute. */
const PAGES_PER_CORE_TOGETHER = 60;
/** Jobs of items that all cost the same, to tell how well the times of shards are foretold where nothing but the box moves them. */
const ALIKE_JOBS = 10;
const ALIKE_ITEMS = 60;
const ALIKE_SECONDS = 0.1;
const SMALL_JOBS = [1, 2, 5, 20];
const REPEATS = 2;
const THROUGHPUT_TARGET = 0.92;
const PREDICTION_TARGET_PERCENT = 10;

const whyNot = await whyNoBoxes();
if (whyNot) {
  console.log(`skipped: ${whyNot}`);
  process.exit(0);
}
const samples = await samplePages();
const alone = new Map<string, number>();
const smallAlone = new Map<number, number>();
for (const [name, cores] of Object.entries(QUOTAS))
  await withBoxes([name], async ({ agents }) => {
    const [agent] = agents as [RealAgent];
    const pages = Math.round(PAGES_PER_CORE_ALONE * cores);
    await secondsFor(agent, 4);
    alone.set(name, pages / (await secondsFor(agent, pages)));
    console.log(`${name} alone (${cores} of a core): ${alone.get(name)!.toFixed(2)} pages/s`);
    if (name === FASTEST) for (const count of SMALL_JOBS) smallAlone.set(count, await medianSeconds(agent, count));
  });
const sum = [...alone.values()].reduce((total, rate) => total + rate, 0);
const cores = Object.values(QUOTAS).reduce((total, quota) => total + quota, 0);
await withBoxes(Object.keys(QUOTAS), async (fleet) => {
  const taker = fleet.agents.find(({ name }) => name === FASTEST)!;
  // What each does at its quota is learnt from work: they were measured before they were caged.
  await secondsFor(taker, 28);
  const pages = Math.round(PAGES_PER_CORE_TOGETHER * cores);
  const together = pages / (await secondsFor(taker, pages));
  tell(`together, ${pages} pages: ${together.toFixed(2)} pages/s`, together / sum, "of the sum", THROUGHPUT_TARGET);
  for (const count of SMALL_JOBS) {
    const [seconds, single] = [await medianSeconds(taker, count), smallAlone.get(count)!];
    const what = `${count} ${count === 1 ? "page" : "pages"}: ${seconds.toFixed(2)} s, ${FASTEST} alone ${single.toFixed(2)} s`;
    tell(what, single / seconds, "times the fastest alone", 1);
  }
  const rounds = Math.round(roundsPerSecond() * ALIKE_SECONDS);
  for (let job = 0; job < ALIKE_JOBS; job++) {
    const jobId = await submit(taker.client, canaries(ALIKE_ITEMS, rounds));
    await fleet.jobEnded(jobId, [taker]);
  }
  const { nodes } = await (await fleet.leader()).client.fleet();
  for (const { name, predictionErrors = [] } of nodes)
    for (const { pipeline, median: error, shards } of predictionErrors) {
      const what = pipeline === "ocr" ? "pages of all kinds" : "items all alike";
      const off = `foretold ${(100 * error).toFixed(0)} % off, median of the last ${shards} (target ${PREDICTION_TARGET_PERCENT})`;
      console.log(`${name}: times of its shards of ${what} ${off}`);
    }
  console.log(`\n${(await taker.skein("explain", await lastJobOf(taker, pages))).out}`);
});

/** The newest job of so many pages. */
async function lastJobOf(taker: RealAgent, items: number): Promise<string> {
  return (await taker.client.jobs()).find((job) => job.items === items)!.jobId;
}

function tell(what: string, ratio: number, of: string, target: number): void {
  console.log(`${what}: ${ratio.toFixed(2)} ${of} (target ${target})${ratio < target ? "  MISSED" : ""}`);
}

async function withBoxes(names: string[], use: (fleet: Boxes["fleet"]) => Promise<void>): Promise<void> {
  const boxes = await raiseBoxes(1, names);
  try {
    for (const agent of boxes.fleet.agents) await boxes.cage(agent).limit(QUOTAS[agent.name]!);
    await use(boxes.fleet);
  } finally {
    await boxes.end();
  }
}

async function medianSeconds(taker: RealAgent, count: number): Promise<number> {
  const seconds: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) seconds.push(await secondsFor(taker, count));
  return median(seconds);
}

/** From the submit of so many pages to the last result. */
async function secondsFor(taker: RealAgent, count: number): Promise<number> {
  const pages = Array.from({ length: count }, (_, n) => samples[n % samples.length]!);
  for (const { blob, bytes } of new Set(pages)) await taker.client.putBlob(blob, bytes);
  const inputs = pages.map(({ name, blob, bytes }, n) => ({ name: `${n}-${name}`, blob, bytes: bytes.length }));
  const { jobId } = await taker.client.jobSubmit({ pipeline: "ocr", inputs, idempotencyKey: randomUUID() });
  for (;;) {
    const { job } = await taker.client.job(jobId);
    if (job.state !== "running") {
      if (job.state !== "done" || job.itemsFailed > 0) throw new Error(`${job.state}, ${job.itemsFailed} failed`);
      return secondsOf(job);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function samplePages(): Promise<Page[]> {
  const folder = new URL("../../agent/samples/pages/", import.meta.url).pathname;
  const names = (await readdir(folder)).filter((file) => !file.endsWith(".txt")).sort();
  return Promise.all(names.map(async (name) => pageOf(name, await readFile(join(folder, name)))));
}
