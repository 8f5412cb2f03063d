/** Applications that come with Skein on three real agents: cut in stages they give what one box alone gives, whatever is killed. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../agent/cli/package-root.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import type { JobView } from "../../shared/job.ts";
import type { Page } from "./pages.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";
import { RealFleet } from "./real-fleet.ts";

const stage = setStage(["attic", "bench", "cellar"]);
const APPLICATIONS = ["document-reading", "customer-service"];
const TICKETS = join(packageRoot(), "agent", "applications", "customer-service", "samples", "tickets.csv");
/** What one box alone makes of both sets of pages and of the tickets, whole: file by file. */
let alone: { pages: Map<string, string>; tickets: Map<string, string> };
let folders: [string, string];

beforeAll(async () => {
  const { fleet } = stage;
  folders = [await written("first", stage.pages(0).slice(0, 12)), await written("second", killedPages())];
  const one = await RealFleet.raise(["alone"], { executors: 2 });
  try {
    const [agent] = one.agents as [RealAgent];
    await Promise.all([addAll(one, agent), addAll(fleet, fleet.agents[0]!)]);
    alone = {
      pages: (await outputsOf(agent, "document-reading", folders, "whole")).files,
      tickets: (await outputsOf(agent, "customer-service", [TICKETS], "whole")).files,
    };
  } finally {
    await one.end();
  }
});

/** So many that there is work of every stage left when one box is killed. */
const killedPages = (): readonly Page[] => stage.pages(1).slice(0, 16);

async function written(name: string, pages: readonly Page[]): Promise<string> {
  const folder = join(stage.fleet.folder, name);
  await mkdir(folder);
  for (const page of pages) await writeFile(join(folder, page.name), page.bytes);
  return folder;
}

/** As a person adds them who wants every model on every box; resolves when every box can run all of both. */
async function addAll(fleet: RealFleet, agent: RealAgent): Promise<void> {
  const models: string[] = [];
  for (const name of APPLICATIONS) {
    const said = await agent.skein("pipeline", "add", name);
    expect(said, said.err).toMatchObject({ exitCode: 0 });
    models.push(...(await agent.client.pipeline(name)).models);
  }
  // Unasked, a model stands where more copies of it serve more: on two boxes or on three, as they were measured.
  for (const model of models)
    await agent.client.ruleAdd({ rule: { kind: "replicas", model, min: fleet.agents.length } });
  await fleet.poll("their models are ready on every box", async () => {
    const { nodes } = await agent.client.fleet();
    const ready = nodes.map(({ report }) => new Set(report?.rates.map(({ pipeline }) => pipeline)));
    return ready.every((here) => models.every((model) => here.has(model)));
  });
}

/** Runs it by the command, to its end. */
async function outputsOf(
  agent: RealAgent,
  application: string,
  paths: readonly string[],
  cut: string,
): Promise<{ files: Map<string, string>; job: JobView }> {
  const out = join(stage.fleet.folder, `${agent.name}-${application}-${cut}`);
  const said = await agent.skein("run", application, ...paths, "--cut", cut, "--out", out, "--json");
  expect(said, said.err).toMatchObject({ exitCode: 0 });
  const { jobId } = JSON.parse(said.out) as { jobId: JobId };
  return { files: await filesIn(out), job: (await agent.client.job(jobId)).job };
}

async function filesIn(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)),
  );
}

test.each([
  ["document-reading", () => [folders[0]], () => onlyOf(alone.pages, "set-0-")],
  ["customer-service", () => [TICKETS], () => alone.tickets],
] as const)(
  "%s cut in stages on three boxes gives, byte for byte, what one box alone gives whole",
  async (name, paths, expected) => {
    const { files, job } = await outputsOf(stage.fleet.agents[1]!, name, paths(), "stages");
    expect(files).toEqual(expected());
    expect(job.stages!.length).toBeGreaterThan(1);
    const makers = new Set(job.stages!.flatMap(({ nodes }) => Object.keys(nodes)));
    expect([...makers].sort()).toEqual(["attic", "bench", "cellar"]);
    expect(job.stages!.map(({ runsAgain }) => runsAgain)).toEqual(job.stages!.map(() => 0));
  },
);

const onlyOf = (files: ReadonlyMap<string, string>, prefix: string): Map<string, string> =>
  new Map([...files].filter(([name]) => name.startsWith(prefix)));

interface Recorded {
  jobId: string;
  item: number;
  node: NodeId;
}

/** What one agent says was recorded of the stages of a job before its last, in the order of the ledger. */
const stageRecords = (agent: RealAgent, jobId: JobId): Recorded[] =>
  agent.events
    .filter(({ event, facts }) => event === "resultRecorded" && `${facts.jobId}`.startsWith(`${jobId}/`))
    .map(({ facts }) => facts as unknown as Recorded);

test("a worker killed in the middle of the stages costs only what it alone held or ran", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const [worker, other] = fleet.others(leader) as [RealAgent, RealAgent];
  const pages = killedPages();
  for (const { blob, bytes } of pages) await other.client.putBlob(blob, bytes);
  const inputs = pages.map(({ name, blob, bytes }) => ({ name, blob, bytes: bytes.length }));
  const { jobId } = await other.client.jobSubmit({ pipeline: "document-reading", inputs, cut: "stages" });
  const madeBy = (agent: RealAgent): Recorded[] =>
    stageRecords(leader, jobId).filter(({ node }) => node === agent.nodeId);
  await fleet.until("the worker made a part of the stages", () => madeBy(worker).length >= 4);
  await worker.kill();
  expect(fleet.hasEnded(jobId, leader)).toBe(false);
  await fleet.jobEnded(jobId, [leader, other]);
  const made = madeBy(worker);
  await fleet.start(worker);
  await fleet.jobEnded(jobId);
  const { job } = await other.client.job(jobId);
  expect(job).toMatchObject({ state: "done", itemsRecorded: pages.length, itemsFailed: 0 });
  // A task that is recorded a second time was lost: each of them the killed one's, and told as run again.
  const firsts = new Map<string, NodeId>();
  const again: Recorded[] = [];
  for (const record of stageRecords(leader, jobId)) {
    const task = `${record.jobId} ${record.item}`;
    const first = firsts.get(task);
    if (first === undefined) firsts.set(task, record.node);
    else again.push({ ...record, node: first });
  }
  expect(again.filter(({ node }) => node !== worker.nodeId)).toEqual([]);
  expect(again.length).toBeLessThanOrEqual(made.length);
  const told = job.stages!.reduce((sum, { runsAgain }) => sum + runsAgain, 0);
  expect(again.length).toBe(told);
  const { losses } = await other.client.receipt(jobId);
  // A second try beside another's is no loss.
  expect(losses.filter(({ node, attempts, hedges }) => node !== worker.nodeId && attempts > hedges)).toEqual([]);
  const outputs = await fleet.outputs(jobId, worker);
  const texts = pages.map((page, item) => [page.name, Buffer.from(outputs.get(item)!).toString("utf8")] as const);
  expect(texts).toEqual(pages.map(({ name }) => [name, alone.pages.get(name.replace(/\.png$/, ".json"))]));
});
