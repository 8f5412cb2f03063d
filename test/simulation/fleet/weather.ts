import { Clients } from "./clients.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { storm } from "./storm.ts";

export interface WeatherReport {
  seeds: number;
  jobsAcknowledged: number;
  summary: string;
  /** The story of the seed that broke a promise, and how to see it again. */
  broken?: string;
}

/** After healing every job must have ended and every ledger tell the same, within this much of the fleet's time. */
const CONVERGE_MS = 120_000;

/** Storm after storm, each under its own seed from `first` on, for so long; one at least. */
export async function weather(init: {
  first: number;
  forMs: number;
  nodes: number;
  faults: number;
  /** Fewer than nodes: the others have no log, and seats change hands within a storm. */
  voters?: number;
  witness?: boolean;
}): Promise<WeatherReport> {
  const startMs = performance.now();
  const options = optionsOf(init.voters, init.witness);
  let [seeds, jobsAcknowledged, settingsAnswered, fleetMs] = [0, 0, 0, 0];
  do {
    const fleet = new SimFleet(init.first + seeds, init.nodes, options);
    const clients = new Clients(fleet);
    const happened: string[] = [];
    try {
      await fleet.start();
      clients.start();
      await storm(fleet, init.faults, happened);
      await fleet.until("the fleet converges after healing", () => fleet.hasConverged(), CONVERGE_MS);
      await clients.finish();
    } catch (error) {
      const more = `${init.voters ? ` --voters ${init.voters}` : ""}${init.witness ? " --witness" : ""}`;
      const again = `npm run simulate:fleet -- --seed ${fleet.seed} --nodes ${init.nodes} --faults ${init.faults}${more}`;
      const cause = error instanceof Error ? error.stack : String(error);
      const broken = `${fleet.story()}\n\n${happened.join("\n")}\n\nseed ${fleet.seed}: ${cause}\nsee it again: ${again}`;
      return { seeds, jobsAcknowledged, summary: "", broken };
    }
    seeds++;
    fleetMs += fleet.clock.monotonicMs();
    jobsAcknowledged += fleet.jobs.length;
    settingsAnswered += clients.answered;
  } while (performance.now() - startMs < init.forMs);
  const realMs = performance.now() - startMs;
  const summary =
    `${seeds} storms over ${init.nodes} nodes, ${jobsAcknowledged} acknowledged jobs, ${settingsAnswered} settings written or read, ${Math.round(fleetMs / 60_000)} minutes of fleet time ` +
    `in ${Math.round(realMs / 1_000)} s (${Math.round(fleetMs / realMs)} times real time): no promise broken`;
  return { seeds, jobsAcknowledged, summary };
}

/** Of more boxes than voters the seats change hands within a storm. */
const optionsOf = (voters: number | undefined, witness = false): SimFleetOptions => ({
  ...(voters === undefined ? {} : { voters, settings: { votersMax: `${voters}`, voterGoneAfterSeconds: "5" } }),
  witness,
});
