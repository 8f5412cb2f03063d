/**
 * Four real agents that work without a break on jobs whose every answer is known, while one thing after another goes wrong,
 * drawn from a seed. At the end every job that was acknowledged has ended, on every box, with the right outputs, each
 * recorded once, and its receipt verifies.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyWhole } from "../../agent/cli/verify-whole.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { Lan } from "../fleet/lan.ts";
import { RealFleet, recordsOf } from "../fleet/real-fleet.ts";
import { Chance } from "../nemesis/chance.ts";
import { mountDisk, strikeAndHeal, unmountDisk } from "../nemesis/striking.ts";
import { NAMES } from "./boxes.ts";
import { type Canary, canaries, roundsPerSecond, submit } from "./work.ts";

const ITEMS: [number, number] = [10, 120];
const ITEM_SECONDS = 0.02;
const SECOND_FAULT = 0.25;
/** Between two faults: some rounds strike a fleet that has not come to itself. */
const CALM_MS: [number, number] = [0, 1_500];
const SUBMIT_AGAIN_MS = 200;
/** A client that waits this long for an acknowledgement asks another box, under the same key. */
const CLIENT_DEADLINE_MS = 10_000;
const OPEN_JOBS_MAX = 3;

export interface StormReport {
  faults: Map<string, number>;
  jobs: number;
  items: number;
  /** Reports that came late or twice and were ignored. */
  ignored: number;
  tookMs: number;
  /** What was wrong; undefined if every promise was kept. */
  broken?: string;
}

export interface StormInit {
  seed: number;
  faults: number;
  tell(line: string): void;
}

interface Job {
  jobId: JobId;
  work: readonly Canary[];
}

/** Resolves with a report whatever the fleet does; rejects only if there can be no fleet. */
export async function storm(init: StormInit): Promise<StormReport> {
  const startMs = performance.now();
  const place = await mkdtemp(join(tmpdir(), "skein-storm-"));
  const disks = new Map<string, string>();
  const lan = await Lan.create();
  try {
    for (const name of NAMES) disks.set(name, await mountDisk(join(place, name)));
    const dataDirs = Object.fromEntries([...disks].map(([name, disk]) => [name, join(disk, "data")]));
    const fleet = await RealFleet.raise(NAMES, { lan, dataDirs, executors: 1 });
    const client = new Clients(fleet, init.seed);
    const faults = new Map<string, number>();
    let broken: string | undefined;
    let ignored = 0;
    try {
      client.begin();
      await strikeAll({ fleet, lan, disks }, init, faults);
      await client.end();
      await fleet.whole();
      ignored = await expectKept(fleet, client.jobs);
    } catch (error) {
      broken = `${(error as Error).message}\n${await fleet.logs()}\nsee it again: npm run storm -- --seed ${init.seed} --faults ${init.faults}`;
    }
    const items = client.jobs.reduce((sum, { work }) => sum + work.length, 0);
    const tookMs = performance.now() - startMs;
    return { faults, jobs: client.jobs.length, items, ignored, tookMs, ...(broken ? { broken } : {}) };
  } finally {
    await RealFleet.endAll();
    for (const disk of disks.values()) await unmountDisk(disk);
    await lan.remove();
    await rm(place, { recursive: true });
  }
}

async function strikeAll(stage: Parameters<typeof strikeAndHeal>[0], init: StormInit, counted: Map<string, number>) {
  const chance = new Chance(init.seed);
  const startMs = performance.now();
  for (let struck = 0; struck < init.faults; ) {
    await sleep(chance.between(...CALM_MS));
    const count = struck + 1 < init.faults && chance.random() < SECOND_FAULT ? 2 : 1;
    await strikeAndHeal(stage, chance, count, ({ kind, said }) => {
      counted.set(kind, (counted.get(kind) ?? 0) + 1);
      init.tell(
        `${`${++struck}`.padStart(4)}  ${((performance.now() - startMs) / 1_000).toFixed(1).padStart(6)} s  ${said}`,
      );
    });
    for (const agent of stage.fleet.agents) if (!agent.isRunning) throw new Error(`${agent.name} has ended by itself`);
  }
}

/** Hands in one job after another through whichever box takes it, a few at a time. */
class Clients {
  /** Acknowledged, and so never to be lost. */
  readonly jobs: Job[] = [];
  readonly #fleet: RealFleet;
  readonly #chance: Chance;
  readonly #rounds = Math.round(roundsPerSecond() * ITEM_SECONDS);
  #isOver = false;
  #working: Promise<void>[] = [];

  constructor(fleet: RealFleet, seed: number) {
    this.#fleet = fleet;
    this.#chance = new Chance(seed + 1);
  }

  begin(): void {
    this.#working = Array.from({ length: OPEN_JOBS_MAX }, (_, n) => this.#work(n));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#working);
  }

  async #work(n: number): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const work = canaries(Math.round(this.#chance.between(...ITEMS)), this.#rounds);
      const jobId = await this.#submit(work, `client-${n}-${round}`);
      this.jobs.push({ jobId, work });
      await this.#fleet.until(`${jobId} is recorded`, () => this.#fleet.recorded(jobId) >= work.length);
    }
  }

  /** Under one key until it is acknowledged, so that an answer that was lost makes no second job. */
  async #submit(work: readonly Canary[], key: string): Promise<JobId> {
    for (let tries = 0; tries < 200; tries++) {
      const agent = this.#chance.one(this.#fleet.agents);
      try {
        return await submit(agent.clientWith(CLIENT_DEADLINE_MS), work, key);
      } catch (error) {
        const { exitCode, code } = SkeinError.from(error);
        if (exitCode === 2 || code === "INTERNAL") throw error;
        await sleep(SUBMIT_AGAIN_MS);
      }
    }
    throw new Error(`${key} was not acknowledged in 200 tries`);
  }
}

/** @throws naming the promise that was broken. Resolves with the number of reports that were ignored. */
async function expectKept(fleet: RealFleet, jobs: readonly Job[]): Promise<number> {
  let ignored = 0;
  for (const { jobId, work } of jobs) {
    const where = `${jobId} of ${work.length}`;
    for (const agent of fleet.agents) {
      const { job, results } = await agent.client.results(jobId);
      if (job.state !== "done") throw new Error(`${where} is ${job.state} on ${agent.name}`);
      const failed = results.find(({ error }) => error);
      if (failed) throw new Error(`${where}: ${failed.name} failed: ${failed.error!.message}`);
      if (results.length !== work.length) throw new Error(`${where} has ${results.length} results on ${agent.name}`);
    }
    const any = fleet.agents[jobs.length % fleet.agents.length]!;
    for (const [item, bytes] of await fleet.outputs(jobId, any)) {
      const { digest } = JSON.parse(new TextDecoder().decode(bytes)) as { digest: string };
      if (digest !== work[item]!.digest) throw new Error(`${where}: item ${item} has a wrong output`);
    }
    expectRecordedOnce(fleet, jobId);
    const [first] = fleet.agents as [RealFleet["agents"][number]];
    const { faults } = await verifyWhole((request) => first.client.jobVerify(jobId, request));
    if (faults.length > 0) throw new Error(`${where} does not verify: ${JSON.stringify(faults.slice(0, 5))}`);
    ignored += (await first.client.job(jobId)).job.duplicatesIgnored;
  }
  return ignored;
}

/** All lives of all agents speak of one record of each item. */
function expectRecordedOnce(fleet: RealFleet, jobId: JobId): void {
  const indexes = new Map<unknown, unknown>();
  for (const { facts } of fleet.agents
    .flatMap(({ lives }) => lives)
    .flatMap(({ events }) => recordsOf(events, jobId))) {
    const known = indexes.get(facts.item) ?? facts.recordedAtIndex;
    if (known !== facts.recordedAtIndex) throw new Error(`item ${facts.item} of ${jobId} was recorded twice`);
    indexes.set(facts.item, known);
  }
}

export function describeStorm({ faults, jobs, items, ignored, tookMs, broken }: StormReport): string {
  const kinds = [...faults].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  return [
    `faults    ${total}: ${kinds.join(", ")}`,
    `work      ${jobs} jobs, ${items} items; ${ignored} late or repeated reports ignored`,
    `in all    ${Math.round(tookMs / 1_000)} s`,
    broken ? `BROKEN: ${broken}` : "none lost, none recorded twice, every output right, every receipt verifies",
  ].join("\n");
}
