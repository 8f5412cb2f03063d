import { LIMITS, TIMING } from "../../../shared/limits.ts";

/** Milliseconds as a leader measured them. */
export interface Measured {
  /** For each other voter that is heard: from an append's leaving to its acknowledgement, so a round trip and an fsync there. */
  acknowledgeMs: readonly (readonly number[])[];
  /** The leader's own journal. */
  writeMs: readonly number[];
}

export interface PacedTiming {
  heartbeatTicks: number;
  electionTicks: number;
}

/** High enough to cover a bad day, low enough not to follow a single stall. */
const QUANTILE = 0.9;
/** What is taken beyond what is needed; and the share of the present patience below which it is cut. Between the two nothing changes, or noise would. */
const HEADROOM = 1.2;
const EASE_BELOW = 0.6;

/** What follows from the measurements, or undefined if the present patience is still right. */
export function paceFor({ acknowledgeMs, writeMs }: Measured, presentTicks: number): PacedTiming | undefined {
  const known = acknowledgeMs.filter((samples) => samples.length >= LIMITS.paceSamplesMin);
  if (known.length === 0) return undefined;
  // An election costs a round trip for the pre-votes, a write here, another round trip and a write there.
  const electionMs = Math.max(...known.map(highOf)) + highOf(writeMs);
  const neededTicks = (TIMING.electionPaceFactor * electionMs) / TIMING.tickMs;
  const takenTicks = within(Math.ceil(HEADROOM * neededTicks));
  const isTight = neededTicks > presentTicks && takenTicks > presentTicks;
  // Not while somebody is not measured yet: it may be the slowest.
  const isLoose =
    neededTicks < EASE_BELOW * presentTicks && takenTicks < presentTicks && known.length === acknowledgeMs.length;
  return isTight || isLoose ? { electionTicks: takenTicks, heartbeatTicks: heartbeatFor(takenTicks) } : undefined;
}

function highOf(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(QUANTILE * (sorted.length - 1))] ?? 0;
}

const within = (ticks: number): number => Math.min(Math.max(ticks, TIMING.electionTicks), TIMING.electionTicksMax);

/** As many heartbeats fit in the patience as at the start. */
const heartbeatFor = (electionTicks: number): number =>
  Math.floor((electionTicks * TIMING.heartbeatTicks) / TIMING.electionTicks);
