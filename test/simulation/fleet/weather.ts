import { invariant } from "../../../shared/errors.ts";
import { Clients } from "./clients.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { storm } from "./storm.ts";
import { Traffic } from "./traffic.ts";

export interface Weather {
  /** Seed of the first storm. */
  first: number;
  /** From one seed to the next. Default: 1. */
  stride?: number;
  nodes: number;
  faults: number;
  /** No storm: so long a time without a fault, in seconds of the fleet, with as much work. */
  calmSeconds?: number;
  /** One job of so many items instead of clients that hand in ever more. */
  items?: number;
  /** Fewer than nodes: the others have no log, and seats change hands within a storm. */
  voters?: number;
  witness?: boolean;
}

/** What was gone through. Times in ms. */
export interface Sum {
  seeds: number;
  steps: number;
  jobs: number;
  items: number;
  duplicates: number;
  settings: number;
  fleetMs: number;
  realMs: number;
  /** Of all threads of the process: what collects garbage and compiles as well. */
  cpuMs: number;
}

/** How far it is. */
export interface Progress {
  seed: number;
  /** Gone through before this one. */
  storms: number;
  fleet: SimFleet;
}

export interface WeatherReport {
  sum: Sum;
  summary: string;
  /** The end of the story of the seed that broke a promise, and how to see it again. */
  broken?: string;
}

export const NO_WEATHER: Sum = {
  seeds: 0,
  steps: 0,
  jobs: 0,
  items: 0,
  duplicates: 0,
  settings: 0,
  fleetMs: 0,
  realMs: 0,
  cpuMs: 0,
};

/** After healing every job must have ended and every ledger tell the same, within this much of the fleet's time. */
const CONVERGE_MS = 180_000;
/** Of a failure, what is told: the boxes' last words, and the faults before. */
const LAST_WORDS_MS = 3_000;
const LAST_WORDS_LINES = 60;
const LAST_FAULTS = 12;
/** From this size on a box takes as long for a page as real ones do, from a PC to a Pi, or a fleet would do nothing but record. */
const LARGE_NODES = 10;
const REAL_SECONDS_PER_ITEM = [1.3, 6] as const;

/** Storm after storm, each under its own seed from `first` on, for so long; one at least. */
export async function weather(
  init: Weather & { forMs: number; onStep?: (now: Progress) => void },
): Promise<WeatherReport> {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const sum = { ...NO_WEATHER };
  do {
    const broken = await oneStorm(init, init.first + sum.seeds * (init.stride ?? 1), sum);
    sum.realMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(startCpu);
    sum.cpuMs = (user + system) / 1_000;
    if (broken) return { sum, summary: summaryOf(init, sum), broken };
    sum.seeds++;
  } while (performance.now() - startMs < init.forMs);
  return { sum, summary: `${summaryOf(init, sum)}: no promise broken` };
}

/** @returns the story if a promise was broken. */
async function oneStorm(
  init: Weather & { onStep?: (now: Progress) => void },
  seed: number,
  sum: Sum,
): Promise<string | undefined> {
  const fleet = new SimFleet(seed, init.nodes, optionsOf(init));
  fleet.onStep = () => init.onStep?.({ seed, storms: sum.seeds, fleet });
  const clients = new Clients(fleet);
  const traffic = new Traffic(fleet);
  const happened: string[] = [];
  try {
    await fleet.start();
    clients.start();
    if (init.items === undefined) traffic.start();
    else await oneJob(fleet, init.items);
    if (init.calmSeconds === undefined) await storm(fleet, init.faults, happened);
    else await fleet.run(1_000 * init.calmSeconds);
    traffic.stop();
    await fleet.until("the fleet converges after healing", () => fleet.hasConverged(), CONVERGE_MS);
    await clients.finish();
    fleet.checks.whole();
  } catch (error) {
    const cause = error instanceof Error ? error.stack : String(error);
    const words = fleet.story(LAST_WORDS_MS, LAST_WORDS_LINES);
    const faults = happened.slice(-LAST_FAULTS).join("\n");
    return `${words}\n\nfaults:\n${faults}\n\nseed ${seed}: ${cause}\nsee it again: ${replay(init, seed)}`;
  }
  sum.steps += fleet.steps;
  sum.jobs += fleet.jobs.length;
  sum.items += fleet.checks.itemsRecorded;
  sum.duplicates += fleet.duplicates;
  sum.settings += clients.answered;
  sum.fleetMs += fleet.clock.monotonicMs();
  return undefined;
}

async function oneJob(fleet: SimFleet, items: number): Promise<void> {
  await fleet.until("a leader", () => fleet.leader !== undefined, CONVERGE_MS);
  invariant(await fleet.submit(fleet.leader!, items), "the job is taken");
}

const replay = ({ nodes, faults, voters, witness, calmSeconds, items }: Weather, seed: number): string => {
  const more = `${voters === undefined ? "" : ` --voters ${voters}`}${witness ? " --witness" : ""}${items === undefined ? "" : ` --items ${items}`}`;
  const harm = calmSeconds === undefined ? `--faults ${faults}` : `--calm ${calmSeconds}`;
  return `npm run simulate:fleet -- --seed ${seed} --nodes ${nodes} ${harm}${more}`;
};

export const summaryOf = ({ nodes, calmSeconds }: Pick<Weather, "nodes" | "calmSeconds">, sum: Sum): string =>
  `${sum.seeds} ${calmSeconds === undefined ? "storms" : "calms"} over ${nodes} nodes: ${sum.steps} steps, ${sum.jobs} jobs, ${sum.items} items, ${sum.duplicates} reported twice, ` +
  `${sum.settings} settings written or read, ${(sum.fleetMs / 60_000).toFixed(1)} min of fleet time in ` +
  `${(sum.cpuMs / 1_000).toFixed(1)} s of CPU time and ${(sum.realMs / 1_000).toFixed(1)} s by the wall: ` +
  `${(sum.fleetMs / sum.cpuMs).toFixed(1)} times real time by CPU time, ${(sum.fleetMs / sum.realMs).toFixed(1)} by the wall; ` +
  `at most ${(process.resourceUsage().maxRSS / 1_000).toFixed(0)} MB of memory`;

/** Of more boxes than voters the seats change hands within a storm. */
const optionsOf = ({ voters, witness = false, nodes }: Weather): SimFleetOptions => ({
  ...(voters === undefined ? {} : { voters, settings: { votersMax: `${voters}`, voterGoneAfterSeconds: "5" } }),
  ...(nodes < LARGE_NODES ? {} : { secondsPerItem: REAL_SECONDS_PER_ITEM }),
  witness,
});
