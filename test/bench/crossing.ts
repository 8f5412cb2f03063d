/**
 * What stages cost that do nothing where each is on another box: a chain of ten over three agents on loopback, by what one
 * more stage adds to an item; and a list of ten thousand elements that fans out over all three and is gathered, by its time
 * and by the memory of every agent. `node test/bench/crossing.ts [jobs]`. Exits 1 over 4 ms a stage, or over 300 MB.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalAgent, LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import type { JobView } from "../../shared/job.ts";
import type { PipelineDefinition, StageDefinition } from "../../shared/pipeline/definition.ts";
import { pageOf } from "../fleet/pages.ts";
import { figure, median } from "./figures.ts";

const STAGE_MS_MAX = 4;
const PEAK_MB_MAX = 300;
const CHAIN = 10;
const ELEMENTS = 10_000;
const FAN_OUTS = 3;
const PARTS = ["0", "1", "2"] as const;
const jobs = Number(process.argv[2] ?? 60);

const fleet = await LocalFleet.create(1);
try {
  await fleet.raise(["first", "second", "third"], () => {});
  const [first] = fleet.agents as [LocalAgent];
  for (const [n, agent] of fleet.agents.entries())
    await first.client.nodeLabels(agent.name, { labels: { part: PARTS[n]! } });
  for (const definition of [chainOf(1), chainOf(CHAIN), fan()]) await first.client.pipelineAdd({ definition });
  const stageMs = await chainCost(first);
  const peakMb = await fanOut(first);
  if (stageMs > STAGE_MS_MAX || peakMb > PEAK_MB_MAX) process.exitCode = 1;
} finally {
  await fleet.end();
}

function chainOf(length: number): PipelineDefinition {
  const stages = Array.from({ length }, (_, n): [string, StageDefinition] => [
    `s${n}`,
    { operator: "core/pass@1", in: { value: n === 0 ? "it" : `s${n - 1}.value` }, on: { part: PARTS[n % 3]! } },
  ]);
  return {
    name: `chain${length}`,
    inputs: { it: { type: "text" } },
    stages: Object.fromEntries(stages),
    outputs: { out: `s${length - 1}.value` },
  };
}

function fan(): PipelineDefinition {
  return {
    name: "fan",
    inputs: { rows: { type: "json" } },
    stages: {
      split: { operator: "core/split@1", in: { list: "rows" }, on: { part: "0" } },
      one: { operator: "core/pass@1", in: { value: "split.elements" }, map: ["value"], on: { part: "1" } },
      two: { operator: "core/pass@1", in: { value: "one.value" }, map: ["value"], on: { part: "2" } },
      all: { operator: "core/join@1", in: { elements: "two.value" }, on: { part: "0" } },
    },
    outputs: { all: "all.list" },
  };
}

/** One item after the other: by the ledger's times, from its submit to its last record. */
async function chainCost({ client }: LocalAgent): Promise<number> {
  const once = async (length: number): Promise<number> => {
    const page = pageOf("item", new TextEncoder().encode(`an item of no weight ${randomUUID()}`));
    const job = await ended(client, `chain${length}:1`, page);
    if (length > 1 && job.stages?.length !== length) throw new Error(`it went in ${job.stages?.length} parts`);
    return job.endedAtMs! - job.submittedAtMs;
  };
  for (let n = 0; n < 5; n++) for (const length of [1, CHAIN]) await once(length);
  const [one, ten]: [number[], number[]] = [[], []];
  for (let n = 0; n < jobs; n++) {
    one.push(await once(1));
    ten.push(await once(CHAIN));
  }
  const added = median(ten.map((ms, n) => (ms - one[n]!) / (CHAIN - 1)));
  console.log(`${jobs} items, one after the other, each stage on another of three agents`);
  console.log(`a chain of 1     ${figure(one, 1)} ms an item`);
  console.log(`a chain of ${CHAIN}    ${figure(ten, 1)} ms an item`);
  console.log(`one more stage   ${added.toFixed(2)} ms, at most ${STAGE_MS_MAX}`);
  return added;
}

async function fanOut({ client }: LocalAgent): Promise<number> {
  const times: number[] = [];
  const before = fleet.agents.map((agent) => memoryMb(agent, "VmRSS"));
  // From here on: 5 resets the peak (proc(5), clear_refs).
  for (const agent of fleet.agents) writeFileSync(`/proc/${agent.process!.pid}/clear_refs`, "5");
  for (let n = 0; n < FAN_OUTS; n++) {
    const rows = Array.from({ length: ELEMENTS }, (_, row) => ({ row, n, text: "a row of some letters" }));
    const page = pageOf("rows", new TextEncoder().encode(JSON.stringify(rows)));
    const job = await ended(client, "fan:1", page);
    times.push(job.endedAtMs! - job.submittedAtMs);
    const [result] = (await client.results(job.jobId)).results;
    const { all } = JSON.parse(new TextDecoder().decode(await client.getBlob(result!.output!))) as { all: unknown[] };
    if (all.length !== ELEMENTS) throw new Error(`${all.length} elements came back`);
    if (n === 0 || n === FAN_OUTS - 1)
      console.log(job.stages!.map(({ segment, tasks }) => `${segment} ${tasks} tasks`).join(", "));
  }
  const peaks = fleet.agents.map((agent) => memoryMb(agent, "VmHWM"));
  console.log(`${ELEMENTS} elements over two stages on two agents, split and gathered on a third, ${FAN_OUTS} times`);
  console.log(`an item          ${figure(times, 0)} ms`);
  for (const [n, agent] of fleet.agents.entries())
    console.log(
      `${agent.name.padEnd(16)} ${before[n]!.toFixed(0)} MB before, ${peaks[n]!.toFixed(0)} MB at its peak, at most ${PEAK_MB_MAX}`,
    );
  return Math.max(...peaks);
}

async function ended(
  client: LocalAgent["client"],
  pipeline: string,
  page: ReturnType<typeof pageOf>,
): Promise<JobView> {
  await client.putBlob(page.blob, page.bytes);
  const inputs = [{ name: page.name, blob: page.blob, bytes: page.bytes.length }];
  const { jobId } = await client.jobSubmit({ pipeline, inputs, idempotencyKey: randomUUID() });
  for (;;) {
    const { job } = await client.job(jobId);
    if (job.state === "done" && job.itemsFailed === 0) return job;
    if (job.state !== "running") throw new Error(`it is ${job.state}, and ${job.itemsFailed} failed`);
    // Times are the ledger's own: asking often would only keep the agents busy that are measured.
    await sleep(40);
  }
}

function memoryMb({ process: agent }: LocalAgent, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${agent!.pid}/status`, "utf8");
  return Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"))?.[1]) / 1_000;
}
