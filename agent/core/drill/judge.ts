import type { DrillFault, FaultOutcome } from "../../../shared/drill.ts";

/** What was found when the canaries were counted. */
export type Checked = Pick<FaultOutcome, "items" | "repeated" | "lost" | "recordedTwice" | "wrong" | "outputsChecked">;

type Measured = Omit<FaultOutcome, "verdict" | "because">;

/** What was promised of a fault against what was measured. */
export function judgeFault(measured: Measured): FaultOutcome {
  const { lost, recordedTwice, wrong, items, victimLed } = measured;
  const promises: [boolean, string][] = [
    [lost === 0, `${lost} of ${items} results are lost`],
    [recordedTwice === 0, `${recordedTwice} results were recorded twice`],
    [wrong === 0, `${wrong} outputs are wrong`],
    [items > 0, "no work was under way, so nothing is proved"],
    [!victimLed || measured.leaderAfterMs !== undefined, "nobody took the leadership over"],
    [measured.firstResultAfterMs !== undefined, "no result was recorded after it"],
    [measured.healedAfterMs !== undefined, "the box did not come back in time"],
  ];
  const because = promises.filter(([holds]) => !holds).map(([, reason]) => reason);
  return { ...measured, verdict: because.length === 0 ? "held" : "broken", because };
}

/** One that was not made. */
export const skippedFault = (fault: DrillFault, because: string, victim?: string): FaultOutcome => ({
  fault,
  ...(victim === undefined ? {} : { victim }),
  victimLed: false,
  items: 0,
  repeated: 0,
  lost: 0,
  recordedTwice: 0,
  wrong: 0,
  outputsChecked: 0,
  verdict: "skipped",
  because: [because],
});
