/**
 * A job over far more bytes than the box has memory: two real agents, each with its executor under a memory limit of 1 GB
 * (a cgroup of the v1 memory controller, as root; else the limit is only what is measured against). Every input is a page
 * with noise behind its end, so it is read like any page; it goes from the client by the API to the disk, to the other
 * agent's disk, and to an executor. `node test/bench/bigjob.ts [GB]`. Exits 1 over the limit or if an item fails.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { demoPages } from "../../agent/cli/demo/pages.ts";
import type { BlobHash } from "../../shared/ids.ts";

const GB = 1e9;
const INPUT_BYTES = 120e6;
const LIMIT_BYTES = 1024 ** 3;
const CHUNK_BYTES = 1024 * 1024;
const CGROUPS = "/sys/fs/cgroup/memory";

const totalBytes = Number(process.argv[2] ?? 2.4) * GB;

/** A group of its own for one agent, which its executors are born into; undefined where there is no such controller. */
function limitMemory(name: string, pid: number): string | undefined {
  const group = `${CGROUPS}/skein-bench-${process.pid}-${name}`;
  if (process.getuid?.() !== 0 || !existsSync(`${CGROUPS}/memory.limit_in_bytes`)) return undefined;
  mkdirSync(group);
  writeFileSync(`${group}/memory.limit_in_bytes`, String(LIMIT_BYTES));
  for (const member of [pid, ...childrenOf(pid)]) writeFileSync(`${group}/cgroup.procs`, String(member));
  return group;
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(/\s+/).filter(Boolean).map(Number);

function peakMB(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1e3;
}

/** Killed by the kernel for memory, since the group was made. */
const outOfMemory = (group: string): number =>
  Number(/oom_kill (\d+)/.exec(readFileSync(`${group}/memory.oom_control`, "utf8"))?.[1] ?? 0);

/** A page, and noise behind its end; made again for the second reading instead of being held. */
function* inputOf(page: Uint8Array, seed: Uint8Array, which: number): Generator<Uint8Array> {
  yield page;
  for (let left = INPUT_BYTES - page.length, turn = 0; left > 0; left -= CHUNK_BYTES, turn++) {
    const chunk = new Uint8Array(seed.subarray(0, Math.min(left, CHUNK_BYTES)));
    if (chunk.length >= 8) new DataView(chunk.buffer).setFloat64(0, which * 1e6 + turn);
    yield chunk;
  }
}

const pages = await demoPages(1);
const jpeg = pages.filter(({ name }) => name.endsWith(".jpg"));
const seed = randomBytes(CHUNK_BYTES);
const fleet = await LocalFleet.create(1);
const groups: string[] = [];
try {
  await fleet.raise(["attic", "bench"], () => {});
  const pids = fleet.agents.map((agent) => agent.process!.pid!);
  for (const [i, agent] of fleet.agents.entries())
    groups.push(...[limitMemory(agent.name, pids[i]!)].filter((g) => g !== undefined));
  const [{ client }] = fleet.agents as [(typeof fleet.agents)[0]];
  const inputs: { name: string; blob: BlobHash; bytes: number }[] = [];
  const startMs = performance.now();
  for (let i = 0; i < totalBytes / INPUT_BYTES; i++) {
    const page = jpeg[i % jpeg.length]!;
    const content = await readFile(page.path);
    const digest = createHash("sha256");
    for (const chunk of inputOf(content, seed, i)) digest.update(chunk);
    const blob = digest.digest("hex") as BlobHash;
    await client.putBlob(blob, Readable.from(inputOf(content, seed, i), { objectMode: false }));
    inputs.push({ name: `${i}-${page.name}`, blob, bytes: INPUT_BYTES });
  }
  const uploadedMs = performance.now();
  const { jobId } = await client.jobSubmit({ pipeline: "ocr", inputs });
  const submittedMs = performance.now();
  const peaks = { agents: 0, executors: 0 };
  for (;;) {
    for (const pid of pids) {
      peaks.agents = Math.max(peaks.agents, peakMB(pid));
      for (const child of childrenOf(pid)) peaks.executors = Math.max(peaks.executors, peakMB(child));
    }
    const { job } = await client.job(jobId);
    if (job.state !== "running") break;
    await sleep(250);
  }
  const { results } = await client.results(jobId);
  const failed = results.filter(({ output }) => !output);
  const killed = groups.map(outOfMemory).reduce((sum, count) => sum + count, 0);
  const seconds = (from: number, to: number): string => `${((to - from) / 1e3).toFixed(0)} s`;
  const gb = ((inputs.length * INPUT_BYTES) / GB).toFixed(1);
  console.log(`${inputs.length} inputs of ${INPUT_BYTES / 1e6} MB, ${gb} GB, by two agents of one executor each`);
  console.log(
    groups.length > 0
      ? `each agent with its executor limited to ${(LIMIT_BYTES / 1e6).toFixed(0)} MB by a cgroup; killed for memory: ${killed}`
      : "no cgroup here: the memory was measured and not limited",
  );
  console.log(
    `uploaded in ${seconds(startMs, uploadedMs)}, copied and agreed in ${seconds(uploadedMs, submittedMs)}, computed in ${seconds(submittedMs, performance.now())}`,
  );
  console.log(
    `peak of an agent ${peaks.agents.toFixed(0)} MB, of an executor ${peaks.executors.toFixed(0)} MB resident`,
  );
  console.log(`items failed ${failed.length} of ${inputs.length}`);
  if (failed.length > 0 || killed > 0 || (peaks.agents + peaks.executors) * 1e6 > LIMIT_BYTES) process.exitCode = 1;
} finally {
  await fleet.end();
  for (const group of groups) rmdirSync(group);
}
