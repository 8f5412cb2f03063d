/** One seed from beginning to end: a stormy part in which nothing may break, and a calm one in which everything must mend. */
import { Simulation } from "./simulation.ts";
import { PATIENCE_MAX } from "./swarm.ts";

export interface Life {
  seed: number;
  steps: number;
  committed: number;
  elections: number;
  crashes: number;
  /** Absent if all went well. */
  failure?: string;
}

export const STORM_STEPS = 4_000;

/** The command that tells a seed's story. */
export const replay = (seed: number, steps: number = STORM_STEPS): string =>
  `npm run simulate -- --seed ${seed}${steps === STORM_STEPS ? "" : ` --steps ${steps}`} --story`;

export function live(seed: number, stormSteps = STORM_STEPS, tell?: (line: string) => void): Life {
  const simulation = new Simulation(seed, tell);
  let failure: string | undefined;
  try {
    simulation.run(stormSteps);
    simulation.heal();
    failure = mend(simulation);
    if (!failure && simulation.loseOneOfTwo()) failure = mend(simulation);
  } catch (error) {
    // Whatever went wrong, the seed is what matters: the caller prints it and how to replay it.
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    tell?.(error instanceof Error ? (error.stack ?? failure) : failure);
  }
  const { steps, crashes, checker } = simulation;
  return {
    seed,
    steps,
    crashes,
    committed: checker.agreed.length,
    elections: checker.elections,
    ...(failure && { failure }),
  };
}

/** Calm rounds until the fleet is one again and serves. Returns what is still missing when patience ends. */
function mend(simulation: Simulation): string | undefined {
  const patience = 60 * PATIENCE_MAX * simulation.swarm.electionTicks;
  let served = false;
  for (let round = 0; round < patience; round += 1) {
    simulation.calmRound();
    const missing = simulation.whatIsMissing();
    if (missing === undefined && served) return undefined;
    if (missing === undefined) served = simulation.serve();
  }
  return `not mended after ${patience} calm rounds: ${simulation.whatIsMissing() ?? "proposals are refused"}`;
}
