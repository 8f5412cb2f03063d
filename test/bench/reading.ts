/**
 * Three boxes with CPU quotas of 1 : 0.5 : 0.25 read pages by the application `document-reading`: whole pages, stage by stage,
 * and as the fleet chooses, the same pages each time; many of them against the sum of what each box does alone and against the
 * linear bound over the stage times that were measured, and few, where whole pages leave boxes idle. Many are as many as show
 * what boxes do together: of 16 pages, of which the slowest box reads one in nine seconds, whole ones cannot be divided better
 * than to 0.91 of the sum. Each box has a network namespace and a control group; needs root. `node test/bench/reading.ts [pages]`.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { runsPerItem } from "../../agent/core/pipeline/facts.ts";
import { steadyRate } from "../../agent/core/pipeline/steady-rate.ts";
import { formFacts } from "../../agent/runtime/pipelines/form-facts.ts";
import { StageFigures } from "../../agent/runtime/pipelines/stage-figures.ts";
import { JOB_CUTS, type JobCut, type JobView } from "../../shared/job.ts";
import { type Page, pageOf } from "../fleet/pages.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { type Boxes, raiseBoxes, whyNoBoxes } from "../unplug/boxes.ts";
import { secondsOf } from "../unplug/work.ts";

const APPLICATION = "document-reading";
/** Of a core; together they leave some of the two for whoever measures. */
const QUOTAS: Record<string, number> = { fast: 0.8, half: 0.4, quarter: 0.2 };
const FASTEST = "fast";
/** Of the fastest: each page once, so that it is known how long each is beside the others. All in all the bench takes six minutes. */
const PAGES_PER_CORE_ALONE = 15;
/** Each of the twelve pages equally often. */
const MANY = Number(process.argv[2] ?? 48);
const FEW = 3;
/** Twice: the first lessons are those of boxes that just came up. */
const WARM_UP: readonly JobCut[] = ["whole", "stages"];
const WARM_UP_PAGES = 8;
const BOUND_TARGET = 0.9;
/** Two forms whose times are so near each other are equally quick. */
const ALIKE_SHARE = 0.03;

const whyNot = await whyNoBoxes();
if (whyNot) {
  console.log(`skipped: ${whyNot}`);
  process.exit(0);
}
const samples = await samplePages();
const boxes = await raiseBoxes(1, Object.keys(QUOTAS));
try {
  const taker = boxes.fleet.agents.find(({ name }) => name === FASTEST)!;
  await addApplication(boxes, taker);
  for (const agent of boxes.fleet.agents) {
    await boxes.cage(agent).limit(QUOTAS[agent.name]!);
    await boxes.cage(agent).prefer();
  }
  for (const cut of WARM_UP) await jobOf(taker, WARM_UP_PAGES, cut);
  const rates = await ratesAlone(boxes, taker);
  await compareForms(boxes, taker, MANY, rates);
  await compareForms(boxes, taker, FEW, rates);
} finally {
  await boxes.end();
}

/** As a person adds it; resolves when every box can run all of it. */
async function addApplication({ fleet }: Boxes, taker: RealAgent): Promise<void> {
  const said = await taker.skein("pipeline", "add", APPLICATION);
  if (said.exitCode !== 0) throw new Error(`skein pipeline add: ${said.out}${said.err}`);
  const { models } = await taker.client.pipeline(APPLICATION);
  await fleet.poll("its models are ready on every box", async () => {
    const { nodes } = await taker.client.fleet();
    const ready = nodes.map(({ report }) => new Set(report?.rates.map(({ pipeline }) => pipeline)));
    return ready.every((here) => models.every((model) => here.has(model)));
  });
}

/**
 * Pages of usual length a second of each box while the others are drained. Slow boxes read but some of the pages: how long those
 * are beside the others is told by the fastest box, which reads them all.
 */
async function ratesAlone({ fleet }: Boxes, taker: RealAgent): Promise<number[]> {
  const rates: number[] = [];
  const lengths: number[] = [];
  for (const box of [taker, ...fleet.others(taker)]) {
    const others = fleet.others(box);
    for (const { nodeId } of others) await taker.client.nodeDrain(nodeId, { drained: true });
    const pages = Math.round(PAGES_PER_CORE_ALONE * QUOTAS[box.name]!);
    const job = await jobOf(taker, pages, "whole");
    const { results } = await taker.client.receipt(job.jobId);
    const own = results.filter(({ node }) => node === box.nodeId);
    if (own.length !== pages) throw new Error(`${box.name} alone read ${own.length} of ${pages} pages`);
    if (box === taker) for (const { item, durationMs } of own) lengths[item] = durationMs;
    const usual = own.reduce((sum, { item }) => sum + lengths[item]!, 0) / meanOf(lengths);
    rates.push(usual / secondsOf(job));
    console.log(`${box.name} alone (${QUOTAS[box.name]} of a core): ${rates.at(-1)!.toFixed(2)} pages/s`);
    for (const { nodeId } of others) await taker.client.nodeDrain(nodeId, { drained: false });
  }
  return rates;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

/** Pages a second of so many pages of usual length that are not cut: each goes to whoever ends it first. */
function boundOfWholePages(rates: readonly number[], pages: number): number {
  const ends = rates.map(() => 0);
  for (let page = 0; page < pages; page++) {
    const next = ends.map((end, box) => end + 1 / rates[box]!);
    const first = next.indexOf(Math.min(...next));
    ends[first] = next[first]!;
  }
  return pages / Math.max(...ends);
}

async function compareForms(
  { fleet }: Boxes,
  taker: RealAgent,
  pages: number,
  rates: readonly number[],
): Promise<void> {
  const sum = rates.reduce((total, rate) => total + rate, 0);
  const seconds = new Map<JobCut, number>();
  let chosen: "whole" | "stages" = "whole";
  // The choice last, by what was learnt by then.
  for (const cut of JOB_CUTS.toSorted((a, b) => Number(a === "auto") - Number(b === "auto"))) {
    const job = await jobOf(taker, pages, cut);
    seconds.set(cut, secondsOf(job));
    if (cut !== "auto") continue;
    chosen = job.stages ? "stages" : "whole";
    const leader = await fleet.leader();
    const told = leader.events.findLast(({ event, facts }) => event === "jobFormChosen" && facts.jobId === job.jobId);
    console.log(`auto, ${pages} pages: ${told?.facts.why ?? "decided by a leader before"}`);
  }
  const linear = await linearBound(taker);
  const took = (cut: JobCut): number => seconds.get(cut)!;
  for (const cut of JOB_CUTS) {
    const rate = pages / took(cut);
    const shares = `${(rate / sum).toFixed(2)} of the sum, ${(rate / linear).toFixed(2)} of the linear bound`;
    console.log(`${cut.padEnd(6)} ${pages} pages: ${rate.toFixed(2)} pages/s (${took(cut).toFixed(2)} s), ${shares}`);
  }
  const undivided = boundOfWholePages(rates, pages);
  console.log(
    `${pages} pages: sum of each alone ${sum.toFixed(2)} pages/s, ${undivided.toFixed(2)} of whole pages, linear bound ${linear.toFixed(2)}`,
  );
  const [better, worse] =
    took("whole") <= took("stages") ? (["whole", "stages"] as const) : (["stages", "whole"] as const);
  const gain = took(worse) / took(better);
  const isRight = gain <= 1 + ALIKE_SHARE || chosen === better;
  const verdict = `auto chose ${chosen}; ${better} is the faster, ${gain.toFixed(2)} times`;
  console.log(`${verdict}${isRight ? "" : "  MISSED"}`);
  if (pages < MANY) return;
  const ofBound = pages / took("auto") / sum;
  const missed = ofBound < BOUND_TARGET ? "  MISSED" : "";
  console.log(`auto ${ofBound.toFixed(2)} of the sum of each alone (target ${BOUND_TARGET})${missed}`);
}

/** Pages a second if every box gave its time to the stages that it is best at and nothing were lost between them. */
async function linearBound(taker: RealAgent): Promise<number> {
  const { compiled } = await taker.client.pipeline(APPLICATION);
  const { nodes } = await taker.client.fleet();
  const facts = formFacts(compiled!, { inputs: [], copies: 2 }, { able: nodes, figures: new StageFigures(nodes) });
  return steadyRate({
    seconds: compiled!.stages.map((_, place) =>
      facts.nodes.map(({ seconds }) => runsPerItem(compiled!, facts, place) * seconds[place]!),
    ),
    executors: facts.nodes.map(({ executors }) => executors),
  });
}

async function jobOf(taker: RealAgent, count: number, cut: JobCut): Promise<JobView> {
  const pages = Array.from({ length: count }, (_, n) => samples[n % samples.length]!);
  for (const { blob, bytes } of new Set(pages)) await taker.client.putBlob(blob, bytes);
  const inputs = pages.map(({ name, blob, bytes }, n) => ({ name: `${n}-${name}`, blob, bytes: bytes.length }));
  const { jobId } = await taker.client.jobSubmit({
    ...{ pipeline: APPLICATION, inputs, cut },
    idempotencyKey: randomUUID(),
  });
  for (;;) {
    const { job } = await taker.client.job(jobId);
    if (job.state !== "running") {
      if (job.state !== "done" || job.itemsFailed > 0) throw new Error(`${job.state}, ${job.itemsFailed} failed`);
      return job;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function samplePages(): Promise<Page[]> {
  const folder = new URL("../../agent/samples/pages/", import.meta.url).pathname;
  const names = (await readdir(folder)).filter((file) => !file.endsWith(".txt")).sort();
  return Promise.all(names.map(async (name) => pageOf(name, await readFile(join(folder, name)))));
}
