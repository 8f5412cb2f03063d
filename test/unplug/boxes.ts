/** Four boxes of one speed: each in a network namespace with a cable of its own and in a control group with its share of the cores. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lan } from "../fleet/lan.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { RealFleet } from "../fleet/real-fleet.ts";
import { Cage, removeCages } from "../support/cage.ts";

export const NAMES = ["attic", "bench", "cellar", "den"] as const;

export interface Boxes {
  fleet: RealFleet;
  lan: Lan;
  cage(agent: RealAgent): Cage;
  /** Ends everything and clears up. */
  end(): Promise<void>;
}

/** Why there can be none here; undefined if there can. */
export const whyNoBoxes = async (): Promise<string | undefined> => (await Lan.whyNot()) ?? (await Cage.whyNot());

/** @param cores of each box */
export async function raiseBoxes(cores: number, names: readonly string[] = NAMES): Promise<Boxes> {
  await removeCages();
  const place = await mkdtemp(join(tmpdir(), "skein-boxes-"));
  const lan = await Lan.create();
  const cages = new Map<string, Cage>();
  const end = async (): Promise<void> => {
    for (const cage of cages.values()) await cage.thaw();
    await RealFleet.endAll();
    for (const cage of cages.values()) await cage.remove();
    await lan.remove();
    await rm(place, { recursive: true });
  };
  try {
    for (const name of names) cages.set(name, await Cage.make(name));
    const prefixes = Object.fromEntries([...cages].map(([name, { prefix }]) => [name, prefix]));
    const fleet = await RealFleet.raise(names, { lan, prefixes, executors: 1 });
    // Only now: starting and warming up at a fraction of a core would take minutes.
    for (const cage of cages.values()) await cage.limit(cores);
    return { fleet, lan, cage: (agent) => cages.get(agent.name)!, end };
  } catch (error) {
    await end();
    throw error;
  }
}
