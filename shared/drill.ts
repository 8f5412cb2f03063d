import type { NodeId } from "./ids.ts";

/** A drill that runs now, as the ledger knows it. */
export interface RunningDrill {
  drillId: string;
  startedBy: NodeId;
  startedAtMs: number;
  untilMs: number;
}

/** A drill that has ended; `recordJson` is what it showed. */
export interface KeptDrill extends RunningDrill {
  recordJson: string;
}
