import type { KeptDrill, RunningDrill } from "../../../shared/drill.ts";
import type { DrillBegun, DrillEnded } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";

/** The rehearsals of a fleet: at most one at a time, and what the last ones showed. */
export interface Drills {
  running: RunningDrill | undefined;
  /** Oldest first. */
  kept: readonly KeptDrill[];
}

export const noDrills: Drills = { running: undefined, kept: [] };

/** Why it may not begin, as a sentence; else what is then. One that never said its end is over by its own word. */
export function beginDrill(drills: Drills, entry: DrillBegun): Drills | string {
  const { drillId, startedBy, startedAtMs, untilMs } = entry;
  const { running } = drills;
  // Offered twice: whoever proposed it could not see that the first was agreed.
  if (running?.drillId === drillId) return drills;
  if (running && startedAtMs < running.untilMs) return `drill ${running.drillId} is running`;
  if (drills.kept.some((kept) => kept.drillId === drillId)) return `drill ${drillId} has ended already`;
  return { ...drills, running: { drillId, startedBy, startedAtMs, untilMs } };
}

export function endDrill(drills: Drills, { drillId, recordJson }: DrillEnded): Drills | string {
  const { running, kept } = drills;
  if (kept.some((one) => one.drillId === drillId)) return drills;
  if (running?.drillId !== drillId) return `drill ${drillId} is not running`;
  return { running: undefined, kept: [...kept, { ...running, recordJson }].slice(-LIMITS.drillsKept) };
}
