/**
 * What the system itself costs per item: jobs of empty canaries through real agents on loopback, one box and three, every
 * result stored, copied to a second box where there is one, and recorded; beside it no-op tasks through Dask distributed
 * where that is installed. `node test/bench/shards.ts [items] [rounds]`. Exits 1 if a target is missed.
 *
 * - overhead of a shard: from the POST of a job of one item, whose input is on the box already, to its end in the event stream.
 * - increment per item: what each further item adds to a job, (time of a large job - time of a job of one) / (items - 1).
 * - items a second: from the POST of the first of several jobs to the end of the last; and once more with the uploads in it.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type LocalAgent, LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import type { BundledBlob } from "../../shared/blob-bundle.ts";
import { writeCanaryInput } from "../../shared/canary.ts";
import type { BlobHash, JobId } from "../../shared/ids.ts";
import type { JobInput } from "../../shared/job.ts";
import { median, quantile, spread } from "./figures.ts";

const ITEMS = Number(process.argv[2] ?? 5_000);
const ROUNDS = Number(process.argv[3] ?? 5);
const SINGLES = 60;
const JOBS_AT_ONCE = 2;
const OVERHEAD_MS_MAX = 1;
const PER_SECOND_MIN = 2_000;
const DASK_FACTOR_MIN = 5;
const DASK = { python: "/usr/bin/python3", workers: 3, tasks: 2_000, batches: 5 };

interface Batch {
  blobs: BundledBlob[];
  inputs: JobInput[];
}

let seeds = 0;
/** Every seed is new, so that no input and no output is there already. */
function canaries(count: number): Batch {
  const blobs = Array.from({ length: count }, (): BundledBlob => {
    const bytes = writeCanaryInput({ rounds: 0, seed: `${process.pid}-${seeds++}` });
    return { hash: createHash("sha256").update(bytes).digest("hex") as BlobHash, bytes };
  });
  const inputs = blobs.map(({ hash, bytes }, n) => ({ name: `${n}.json`, blob: hash, bytes: bytes.length }));
  return { blobs, inputs };
}

/** The ends of jobs as one agent tells them. */
class Ends {
  readonly #stop = new AbortController();
  readonly #atMs = new Map<string, number>();
  readonly #waiting = new Map<string, (atMs: number) => void>();
  readonly #broken = Promise.withResolvers<never>();

  constructor(agent: LocalAgent) {
    this.#broken.promise.catch(() => {});
    this.#listen(agent).catch(this.#broken.reject);
  }

  async #listen({ client }: LocalAgent): Promise<void> {
    for await (const { event, facts } of client.events({ signal: this.#stop.signal })) {
      if (event !== "jobEnded") continue;
      const jobId = String(facts.jobId);
      const atMs = performance.now();
      this.#waiting.get(jobId)?.(atMs);
      this.#atMs.set(jobId, atMs);
    }
  }

  of(jobId: JobId): Promise<number> {
    const known = this.#atMs.get(jobId);
    if (known !== undefined) return Promise.resolve(known);
    const told = new Promise<number>((resolve) => this.#waiting.set(jobId, resolve));
    return Promise.race([told, this.#broken.promise]);
  }

  close(): void {
    this.#stop.abort();
  }
}

async function submit({ client }: LocalAgent, { inputs }: Batch): Promise<JobId> {
  return (await client.jobSubmit({ pipeline: "canary", inputs, idempotencyKey: `shards-${seeds++}` })).jobId;
}

async function single(agent: LocalAgent, ends: Ends): Promise<number> {
  const batch = canaries(1);
  await agent.client.putBlobs(batch.blobs);
  const startMs = performance.now();
  return (await ends.of(await submit(agent, batch))) - startMs;
}

interface Large {
  uploadMs: number;
  tookMs: number;
  submitMs: number;
  jobs: JobId[];
}

/** Several jobs at once, all handed to one agent. */
async function large(agent: LocalAgent, ends: Ends, jobs: number): Promise<Large> {
  const batches = Array.from({ length: jobs }, () => canaries(ITEMS));
  const uploadingMs = performance.now();
  for (const { blobs } of batches) await agent.client.putBlobs(blobs);
  const startMs = performance.now();
  const ids = await Promise.all(batches.map((batch) => submit(agent, batch)));
  const submitMs = performance.now() - startMs;
  const endMs = Math.max(...(await Promise.all(ids.map((id) => ends.of(id)))));
  return { uploadMs: startMs - uploadingMs, tookMs: endMs - startMs, submitMs, jobs: ids };
}

interface Disk {
  /** Handed to write(2), whether or not the page cache has written it out. */
  wcharBytes: number;
  /** Caused to be written to the device. */
  writeBytes: number;
  databases: number;
  files: number;
}

async function diskOf(agents: readonly LocalAgent[], folder: string): Promise<Disk> {
  const sum: Disk = { wcharBytes: 0, writeBytes: 0, databases: 0, files: 0 };
  for (const { process: child } of agents) {
    const io = readFileSync(`/proc/${child!.pid}/io`, "utf8");
    sum.wcharBytes += Number(/wchar: (\d+)/.exec(io)?.[1]);
    sum.writeBytes += Number(/write_bytes: (\d+)/.exec(io)?.[1]);
    const path = join(folder, String(child!.pid));
    await rm(path, { force: true });
    child!.kill("SIGUSR2");
    for (let text = ""; text === ""; await sleep(5)) {
      text = await readFile(path, "utf8").catch(() => "");
      if (text === "") continue;
      const counts = JSON.parse(text) as { databases: number; files: number };
      sum.databases += counts.databases;
      sum.files += counts.files;
    }
  }
  return sum;
}

/** USER_HZ, which Linux fixes at 100 for /proc. */
const TICK_MS = 10;

/** User and system time so far of the leader, of the other agents, of all their executors, and of this process. */
function cpuOf(agents: readonly LocalAgent[], leader: LocalAgent): Record<string, number> {
  const ofPid = (pid: number): number => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  };
  const childrenOf = (pid: number): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const sum = (pids: number[]): number => pids.reduce((ms, pid) => ms + ofPid(pid), 0);
  const pids = agents.map((agent) => agent.process!.pid!);
  const others = pids.filter((pid) => pid !== leader.process!.pid);
  return {
    leader: ofPid(leader.process!.pid!),
    others: sum(others),
    executors: sum(pids.flatMap(childrenOf)),
    client: ofPid(process.pid),
  };
}

const misses: string[] = [];
function judge(what: string, holds: boolean): string {
  if (!holds) misses.push(what);
  return holds ? "" : "  MISSED";
}

/** Every promise of a result: recorded without an error, and where there are several boxes held by two. */
async function recordsOf(
  agent: LocalAgent,
  jobs: readonly JobId[],
  copies: number,
): Promise<{ entries: number; repeated: number }> {
  const entries = new Set<number>();
  let repeated = 0;
  for (const jobId of jobs) {
    const { job, results } = await agent.client.results(jobId);
    repeated += job.duplicatesIgnored;
    if (results.length !== ITEMS) throw new Error(`${jobId} has ${results.length} results, not ${ITEMS}`);
    for (const { error, holders, recordedAtIndex } of results) {
      if (error || holders.length < copies) throw new Error(`a result of ${jobId} is not what it should be`);
      entries.add(recordedAtIndex);
    }
  }
  return { entries: entries.size, repeated };
}

async function measure(names: [string, ...string[]], syncsFolder: string): Promise<number> {
  const fleet = await LocalFleet.create(1);
  let perSecond = 0;
  try {
    await fleet.raise(names, () => {});
    const knowsCanary = async (): Promise<boolean> => {
      const { nodes } = await fleet.agents[0]!.client.fleet();
      return nodes.every(({ report }) => report?.rates.some(({ pipeline }) => pipeline === "canary"));
    };
    await fleet.waitFor(fleet.agents[0]!, knowsCanary);
    const { leader } = await fleet.agents[0]!.client.fleet();
    const agent = fleet.agents.find(({ nodeId }) => nodeId === leader)!;
    const ends = new Ends(agent);
    const boxes = names.length === 1 ? "1 box  " : `${names.length} boxes`;
    console.log(`\n${boxes}  jobs of ${ITEMS} empty canaries handed to the leader, ${ROUNDS} rounds`);

    for (let warm = 0; warm < 10; warm++) await single(agent, ends);
    await large(agent, ends, 1);
    const singles: number[] = [];
    for (let n = 0; n < SINGLES; n++) singles.push(await single(agent, ends));
    const increments: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      increments.push(((await large(agent, ends, 1)).tookMs - median(singles)) / (ITEMS - 1));
    const p50 = quantile(singles, 0.5);
    const isOne = names.length === 1;
    const missed = isOne ? judge("overhead of a shard", median(increments) <= OVERHEAD_MS_MAX) : "";
    console.log(`${boxes}  job of one: p50 ${p50.toFixed(2)} ms, p90 ${quantile(singles, 0.9).toFixed(2)} ms`);
    console.log(
      `${boxes}  each further item of a large job: median ${median(increments).toFixed(3)} ms (${increments.map((ms) => ms.toFixed(3)).join(", ")}; target at most ${OVERHEAD_MS_MAX} on one box)${missed}`,
    );

    const cpuBefore = cpuOf(fleet.agents, agent);
    const before = await diskOf(fleet.agents, syncsFolder);
    const rounds: Large[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await large(agent, ends, JOBS_AT_ONCE));
    const after = await diskOf(fleet.agents, syncsFolder);
    const cpuAfter = cpuOf(fleet.agents, agent);
    const items = ITEMS * JOBS_AT_ONCE;
    const alone = rounds.map(({ tookMs }) => (1_000 * items) / tookMs);
    const withUpload = rounds.map(({ tookMs, uploadMs }) => (1_000 * items) / (tookMs + uploadMs));
    perSecond = median(withUpload);
    const slow = isOne ? "" : judge("empty items a second", median(alone) >= PER_SECOND_MIN);
    console.log(
      `${boxes}  ${Math.round(median(alone))} items/s recorded${isOne ? "" : " and copied"} (${spread(alone, "/s")}${isOne ? "" : `; target at least ${PER_SECOND_MIN}`})${slow}; with the uploads ${Math.round(perSecond)}/s`,
    );
    const jobs = rounds.flatMap((round) => round.jobs);
    const results = items * ROUNDS;
    const { entries, repeated } = await recordsOf(agent, jobs, Math.min(2, names.length));
    const per = (key: keyof Disk): number => (after[key] - before[key]) / results;
    console.log(
      `${boxes}  ${(results / entries).toFixed(1)} results an entry, ${((100 * repeated) / results).toFixed(1)} % of them reported twice; all boxes together: ${(1 / (per("databases") + per("files"))).toFixed(1)} results an fsync (${(1 / per("databases")).toFixed(1)} for one of the journals and databases, ${per("files").toFixed(3)} of files for each result)`,
    );
    console.log(
      `${boxes}  written for each result, its input and all copies included: ${Math.round(per("writeBytes"))} bytes to the device (write_bytes), ${Math.round(per("wcharBytes"))} to write(2) (wchar, sockets included)`,
    );
    const cpu = Object.entries(cpuAfter).map(([who, ms]) => `${who} ${((ms - cpuBefore[who]!) / results).toFixed(3)}`);
    console.log(`${boxes}  CPU for each result, uploads included: ${cpu.join(", ")} ms`);
    const submits = rounds.map(({ submitMs }) => submitMs);
    console.log(`${boxes}  of which until all jobs were accepted ${Math.round(median(submits))} ms`);
    ends.close();
  } finally {
    await fleet.end();
  }
  return perSecond;
}

function dask(): { version: string; perSecond: number } | undefined {
  const script = fileURLToPath(new URL("dask_tasks.py", import.meta.url));
  try {
    const { python, workers, tasks, batches } = DASK;
    const out = execFileSync(python, [script, `${workers}`, `${tasks}`, `${batches}`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const answer = JSON.parse(out.trim().split("\n").at(-1)!) as { version: string; perSecond: number };
    return answer.version === undefined ? undefined : answer;
  } catch (error) {
    console.log(`Dask could not be measured: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    return undefined;
  }
}

const folder = await mkdtemp(join(tmpdir(), "skein-syncs-"));
process.env.SYNCS_FOLDER = folder;
process.env.NODE_OPTIONS = `--import ${new URL("syncs.ts", import.meta.url).href} ${process.env.NODE_OPTIONS ?? ""}`;
try {
  if (process.env.SHARDS_ONLY !== "3") await measure(["solo"], folder);
  const perSecond = process.env.SHARDS_ONLY === "1" ? 0 : await measure(["attic", "bench", "cellar"], folder);
  const theirs = process.env.SHARDS_ONLY ? undefined : dask();
  if (theirs) {
    const factor = perSecond / theirs.perSecond;
    console.log(
      `\nDask distributed ${theirs.version}, ${DASK.workers} workers: ${Math.round(theirs.perSecond)} no-op tasks/s; skein with uploads, results durable: ${factor.toFixed(1)} times (target at least ${DASK_FACTOR_MIN})${judge("the factor over Dask", factor >= DASK_FACTOR_MIN)}`,
    );
  } else console.log("\nDask distributed is not installed (Debian: python3-distributed), so skein is measured alone");
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (misses.length > 0) {
  console.log(`missed: ${misses.join(", ")}`);
  process.exitCode = 1;
}
