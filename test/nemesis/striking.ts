/** Drawing a fault, doing it, and undoing it. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Chance } from "./chance.ts";
import { DARTBOARD, type Heal, type Stage } from "./faults.ts";

const run = promisify(execFile);
/** The journal's own reserve is 16 MiB; the log of a long run takes some tens. */
const DISK_MIB = 256;
/** How long a round's faults last. */
const FAULT_MS: [number, number] = [200, 2_000];

/** A disk of its own for a box, so that it can be filled. */
export async function mountDisk(path: string): Promise<string> {
  await mkdir(path);
  await run("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "skein-test", path]);
  return path;
}

export async function unmountDisk(path: string): Promise<void> {
  await run("umount", ["--lazy", path]);
}

/** One fault, or one on top of another, and the end of both. */
export async function strikeAndHeal(
  stage: Stage,
  chance: Chance,
  count: number,
  tell: (struck: { kind: string; said: string }) => void,
): Promise<void> {
  const struck: { kind: string; said: string; heal: Heal }[] = [];
  try {
    while (struck.length < count) {
      struck.push(await strike(stage, chance));
      tell(struck.at(-1)!);
      await sleep(chance.between(...FAULT_MS) / count);
    }
  } finally {
    // An agent starts last: it does not on a full disk, and says so.
    const isDeath = ({ kind }: { kind: string }): number => (kind.startsWith("kill") ? 1 : 0);
    for (const { heal } of struck.sort((a, b) => isDeath(a) - isDeath(b))) await heal();
  }
}

async function strike(stage: Stage, chance: Chance): Promise<{ said: string; kind: string; heal: Heal }> {
  const { fleet } = stage;
  const fault = chance.one(DARTBOARD);
  const atLeader = chance.random() < 0.5;
  const drawn = chance.one(fleet.agents);
  const up = fleet.agents.filter((agent) => agent.isRunning);
  // What the newest events tell; a box that is down or frozen tells nothing new, and any box will do then.
  const leader = up.map((agent) => fleet.leaderIn(agent)).find((one) => one !== undefined && up.includes(one));
  const agent = (atLeader && leader) || (drawn.isRunning ? drawn : (up[0] ?? drawn));
  const { said, heal } = await fault.strike(stage, agent, chance);
  const who = `${agent.name}${agent === leader ? " (leader)" : ""}`;
  return { said: [fault.kind, who, said].filter(Boolean).join(" "), kind: fault.kind, heal };
}
