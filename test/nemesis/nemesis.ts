/**
 * A fleet of three real agents, each in a network namespace and on a disk of its own, under load, while one thing after
 * another goes wrong, all of it drawn from a seed. After each round everything is healed and the fleet must serve through
 * every box again; at the end everything that was answered must have one order that explains it.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Lan } from "../fleet/lan.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { RealFleet } from "../fleet/real-fleet.ts";
import { checkHistory } from "../linearizability/check.ts";
import { explain } from "../linearizability/explain.ts";
import { Chance } from "./chance.ts";
import type { Stage } from "./faults.ts";
import { type Counts, Load } from "./load.ts";
import { mountDisk, strikeAndHeal, unmountDisk } from "./striking.ts";

const run = promisify(execFile);
const NAMES = ["attic", "bench", "cellar"] as const;
/** How often a second fault comes on top of the first. */
const SECOND_FAULT = 0.3;
/** After healing the fleet must serve through every box within this time: generous, for a busy machine. */
const RECOVERY_MS = 30_000;
const RECOVERY_POLL_MS = 50;
const RECOVERY_CALL_MS = 2_000;
/** Rounds after which the clients go on with other keys. */
const ROUNDS_PER_KEYS = 4;

export interface NemesisReport {
  faults: Map<string, number>;
  counts: Counts;
  tookMs: number;
  /** What was wrong, with where to look; undefined if every promise was kept. */
  broken?: string;
}

export interface NemesisInit {
  seed: number;
  faults: number;
  tell(line: string): void;
  signal?: AbortSignal;
}

export { Lan };

/** Resolves with a report whatever the fleet does; rejects only if there can be no fleet. */
export async function nemesis(init: NemesisInit): Promise<NemesisReport> {
  const startMs = performance.now();
  const place = await mkdtemp(join(tmpdir(), "skein-nemesis-"));
  const disks = new Map<string, string>();
  const lan = await Lan.create();
  let keep = false;
  try {
    for (const name of NAMES) disks.set(name, await mountDisk(join(place, name)));
    const dataDirs = Object.fromEntries([...disks].map(([name, disk]) => [name, join(disk, "data")]));
    const fleet = await RealFleet.raise(NAMES, { lan, dataDirs, executors: 0 });
    const load = new Load(fleet.agents, init.seed);
    const faults = new Map<string, number>();
    let broken: string | undefined;
    try {
      load.start();
      await rounds({ fleet, lan, disks }, load, init, faults);
      await load.stop();
      await readEverything(fleet, load);
      broken = judge(load);
    } catch (error) {
      broken = `${(error as Error).message}\n${await fleet.logs()}`;
      await load.stop();
      const unexplained = judge(load);
      if (unexplained) broken += `\n${unexplained}`;
    }
    if (broken) {
      keep = true;
      await writeFile(join(place, "history.txt"), load.recorder.lines.join("\n"));
      for (const agent of fleet.agents) await run("cp", [agent.logPath, place]);
      broken += `\nthe history and the agents' logs are in ${place}; see it again: npm run nemesis -- --seed ${init.seed} --faults ${init.faults}`;
    }
    await fleet.end();
    return { faults, counts: load.counts, tookMs: performance.now() - startMs, ...(broken ? { broken } : {}) };
  } finally {
    await RealFleet.endAll();
    for (const disk of disks.values()) await unmountDisk(disk);
    await lan.remove();
    if (!keep) await rm(place, { recursive: true });
  }
}

async function rounds(stage: Stage, load: Load, init: NemesisInit, counted: Map<string, number>): Promise<void> {
  const chance = new Chance(init.seed);
  const startMs = performance.now();
  for (let round = 1, struck = 0; struck < init.faults; round++) {
    init.signal?.throwIfAborted();
    if (round % ROUNDS_PER_KEYS === 0) load.nextKeys();
    const count = struck + 1 < init.faults && chance.random() < SECOND_FAULT ? 2 : 1;
    const lines: string[] = [];
    try {
      await strikeAndHeal(stage, chance, count, ({ kind, said }) => {
        counted.set(kind, (counted.get(kind) ?? 0) + 1);
        const atSeconds = ((performance.now() - startMs) / 1000).toFixed(1);
        lines.push(`${`${++struck}`.padStart(4)}  ${atSeconds.padStart(6)} s  ${said}`);
      });
      const seconds = ((await recovered(stage.fleet, load, round)) / 1000).toFixed(2);
      const last = lines.length - 1;
      for (const [i, line] of lines.entries())
        init.tell(i < last ? `${line}, and on top of it` : `${line.padEnd(64)} whole ${seconds} s later`);
    } catch (error) {
      for (const line of lines) init.tell(line);
      throw error;
    }
  }
}

/** Resolves with the time it took until all agree on a leader and each box writes and reads. */
async function recovered(fleet: RealFleet, load: Load, round: number): Promise<number> {
  const startMs = performance.now();
  let last = "";
  while (performance.now() - startMs < RECOVERY_MS) {
    for (const agent of fleet.agents) if (!agent.isRunning) throw new Error(`${agent.name} has ended by itself`);
    last = (await Promise.all(fleet.agents.map((agent) => fault(agent, load, round)))).find(Boolean) ?? "";
    if (last === "" && (await agreesOnLeader(fleet))) return performance.now() - startMs;
    await sleep(RECOVERY_POLL_MS);
  }
  throw new Error(
    `round ${round}: not whole ${RECOVERY_MS} ms after all was healed: ${last || "no leader is agreed on"}`,
  );
}

/** Why this box does not serve; empty if it does. */
async function fault(agent: RealAgent, load: Load, round: number): Promise<string> {
  const client = agent.clientWith(RECOVERY_CALL_MS);
  const key = `round${round % 50}`;
  const process = `r${agent.name}`;
  if (!(await load.once(client, process, key, "put"))) return `${agent.name} does not write`;
  if (!(await load.once(client, process, key, "get"))) return `${agent.name} does not read`;
  return "";
}

async function agreesOnLeader(fleet: RealFleet): Promise<boolean> {
  const asked = fleet.agents.map(async (agent) => {
    const { leader, votersMissing } = await agent.clientWith(RECOVERY_CALL_MS).fleet();
    return votersMissing.length === 0 ? leader : undefined;
  });
  const leaders = new Set(await Promise.all(asked).catch(() => [undefined]));
  return leaders.size === 1 && !leaders.has(undefined);
}

/** The last word on every key, from every box: what was acknowledged must be there, everywhere. */
async function readEverything(fleet: RealFleet, load: Load): Promise<void> {
  for (const agent of fleet.agents) {
    const client = agent.clientWith(RECOVERY_MS);
    for (const key of load.keys)
      if (!(await load.once(client, `end-${agent.name}`, key, "get")))
        throw new Error(`${agent.name} does not read ${key} at the end`);
  }
  const all = await Promise.all(fleet.agents.map(async ({ client }) => JSON.stringify(await client.settings())));
  if (new Set(all).size > 1) throw new Error("the boxes do not hold the same settings at the end");
}

function judge(load: Load): string | undefined {
  const verdicts = checkHistory(load.recorder.operations);
  if (verdicts.some(({ verdict }) => verdict === "not linearizable")) return explain(verdicts);
  const undecided = verdicts.filter(({ verdict }) => verdict === "undecided").map(({ key }) => key);
  return undecided.length > 0 ? `the search was given up for ${undecided.join(", ")}` : undefined;
}

export function describe({ faults, counts, tookMs, broken }: NemesisReport): string {
  const kinds = [...faults].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  return [
    `faults       ${total}: ${kinds.join(", ")}`,
    `operations   ${counts.ok} ok (${counts.writesOk} writes), ${counts.failed} failed, ${counts.unknown} unknown`,
    `longest time without an acknowledged write   ${(counts.longestSilenceMs / 1000).toFixed(1)} s`,
    `in all       ${Math.round(tookMs / 1000)} s`,
    broken ? `BROKEN: ${broken}` : "linearizable, and every acknowledged write is readable on every box",
  ].join("\n");
}
