/** What can be done to a box, and undone again. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Lan } from "../fleet/lan.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import type { RealFleet } from "../fleet/real-fleet.ts";
import { fillDisk, freeDisk } from "../support/small-disk.ts";
import type { Chance } from "./chance.ts";

const run = promisify(execFile);

export interface Stage {
  fleet: RealFleet;
  lan: Lan;
  /** The disk under each agent, by name. */
  disks: ReadonlyMap<string, string>;
}

/** Undoes it; whatever else happened meanwhile. */
export type Heal = () => Promise<void>;

export interface Fault {
  kind: string;
  weight: number;
  /** Does it, and resolves with what was done, for the story, and how to undo it. */
  strike(stage: Stage, agent: RealAgent, chance: Chance): Promise<{ said: string; heal: Heal }>;
}

const kill: Fault["strike"] = async ({ fleet }, agent) => {
  await agent.kill();
  return { said: "", heal: () => (agent.isRunning ? Promise.resolve() : fleet.start(agent)) };
};

const killAll: Fault["strike"] = async ({ fleet }) => {
  await Promise.all(fleet.agents.map((agent) => agent.kill()));
  const heal = async (): Promise<void> => {
    await Promise.all(fleet.agents.filter((agent) => !agent.isRunning).map((agent) => fleet.start(agent)));
  };
  return { said: "and the others", heal };
};

const freeze: Fault["strike"] = async (_, agent) => {
  await agent.freeze();
  return { said: "", heal: () => agent.thaw() };
};

const unplug: Fault["strike"] = async ({ lan }, agent) => {
  await lan.unplug(agent.name);
  return { said: "", heal: () => lan.plug(agent.name) };
};

const fill: Fault["strike"] = async ({ disks }, agent) => {
  const disk = disks.get(agent.name)!;
  await fillDisk(disk, 0).catch((error: NodeJS.ErrnoException) => {
    // The agent took the last bytes itself in the meantime: full is full.
    if (error.code !== "ENOSPC") throw error;
  });
  return { said: "", heal: () => freeDisk(disk) };
};

/** Rules in the box's own firewall, on its cable to the LAN. */
async function drop(agent: RealAgent, rules: readonly string[][]): Promise<Heal> {
  const iptables = async (change: "-A" | "-D"): Promise<void> => {
    for (const [chain, ...rule] of rules) {
      const command = [...agent.prefix, "iptables", "-w", change, chain!, ...rule, "-j", "DROP"];
      await run(command[0]!, command.slice(1));
    }
  };
  await iptables("-A");
  return () => iptables("-D");
}

const comes = (...rule: string[]): string[] => ["INPUT", "-i", "lan", ...rule];
const goes = (...rule: string[]): string[] => ["OUTPUT", "-o", "lan", ...rule];

const cutOff: Fault["strike"] = async (_, agent) => ({
  said: "from all",
  heal: await drop(agent, [comes(), goes()]),
});

const cutFromOne: Fault["strike"] = async ({ fleet, lan }, agent, chance) => {
  const other = chance.one(fleet.others(agent));
  const host = lan.hostOf(other.name);
  return { said: `from ${other.name}`, heal: await drop(agent, [comes("-s", host), goes("-d", host)]) };
};

const cutOneWay: Fault["strike"] = async (_, agent, chance) => {
  const isDeaf = chance.random() < 0.5;
  return {
    said: isDeaf ? "it hears nothing" : "it is not heard",
    heal: await drop(agent, [isDeaf ? comes() : goes()]),
  };
};

const losePackets: Fault["strike"] = async (_, agent, chance) => {
  const share = chance.between(0.05, 0.4).toFixed(2);
  const rule = ["-m", "statistic", "--mode", "random", "--probability", share];
  return {
    said: `${Math.round(Number(share) * 100)} % each way`,
    heal: await drop(agent, [comes(...rule), goes(...rule)]),
  };
};

export const FAULTS: readonly Fault[] = [
  { kind: "kill", weight: 4, strike: kill },
  { kind: "kill all", weight: 1, strike: killAll },
  { kind: "freeze", weight: 4, strike: freeze },
  { kind: "unplug", weight: 3, strike: unplug },
  { kind: "cut off", weight: 3, strike: cutOff },
  { kind: "cut from one", weight: 3, strike: cutFromOne },
  { kind: "cut one way", weight: 3, strike: cutOneWay },
  { kind: "lose packets", weight: 2, strike: losePackets },
  { kind: "fill the disk", weight: 2, strike: fill },
];

/** Each as often as it weighs. */
export const DARTBOARD: readonly Fault[] = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
