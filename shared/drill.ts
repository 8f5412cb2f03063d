/** Rehearsals on the live fleet: what is asked for, what it will do, how it goes, and what is kept of it. */
import {
  checkBoolean,
  checkKeys,
  checkList,
  checkNumber,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "./checks.ts";
import { SkeinError } from "./errors.ts";
import type { NodeId } from "./ids.ts";
import { LIMITS, TIMING } from "./limits.ts";

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

/** What an agent does to itself. */
export const FAULT_DEEDS = ["kill", "freeze", "partition", "slowLink", "fillDisk"] as const;
export type FaultDeed = (typeof FAULT_DEEDS)[number];

/** A deed and whom it falls on. `unplug` is done by a person, to whichever box that person likes. */
export const DRILL_FAULTS = [
  "killLeader",
  "killWorker",
  "freeze",
  "partition",
  "slowLink",
  "fillDisk",
  "unplug",
] as const;
export type DrillFault = (typeof DRILL_FAULTS)[number];

export const deedOf = (fault: Exclude<DrillFault, "unplug">): FaultDeed =>
  fault === "killLeader" || fault === "killWorker" ? "kill" : fault;

/** A slow link: the other end of the world over a bad modem. */
export const SLOW_LINK = { delayMs: 250, bytesPerSecond: 256 * 1024 } as const;

export interface DrillRequest {
  /** One after the other, each after the fleet is whole again. */
  faults: DrillFault[];
  /** How long each is held; default drillHoldMs. */
  holdMs?: number;
  /** Tell what would be done, and do nothing. */
  onlyPlan?: boolean;
}

export interface PlannedFault {
  fault: DrillFault;
  /** Absent: nobody can be chosen, see `refusal`, or a person chooses. */
  victim?: string;
  /** To whom the leadership is handed first, so that the box that coordinates is spared. */
  leaderFirst?: string;
  /** Why it would not be made now. */
  refusal?: string;
}

export interface DrillPlan {
  coordinator: string;
  holdMs: number;
  faults: PlannedFault[];
  /** Jobs of others that are under way; they go on. */
  jobsUnderWay: number;
}

export interface DrillAnswer {
  /** Absent if only the plan was asked for. */
  drillId?: string;
  plan: DrillPlan;
}

export interface DrillLine {
  /** Since the drill began. */
  atMs: number;
  text: string;
}

/** held: nothing lost, nothing twice, all healed · broken: see `because` · skipped: it was not made. */
export const DRILL_VERDICTS = ["held", "broken", "skipped"] as const;
export type DrillVerdict = (typeof DRILL_VERDICTS)[number];

/** What one fault cost. Durations count from the moment it began, by the coordinator's clock. */
export interface FaultOutcome {
  fault: DrillFault;
  victim?: string;
  victimLed: boolean;
  /** Until the coordinator saw that something is wrong with the victim. */
  detectedAfterMs?: number;
  /** Until it knew another leader; only if the victim led. */
  leaderAfterMs?: number;
  /** Until the first result was recorded after both. */
  firstResultAfterMs?: number;
  /** The longest time in which nothing was recorded, until all was well again. */
  longestPauseMs?: number;
  /** Until the victim took part in full again. */
  healedAfterMs?: number;
  items: number;
  /** Computed or leased more than once. */
  repeated: number;
  /** Acknowledged, and not recorded as good, or on no box any more. */
  lost: number;
  recordedTwice: number;
  /** Outputs that are not what the input makes, out of those checked. */
  wrong: number;
  outputsChecked: number;
  verdict: DrillVerdict;
  because: string[];
}

export interface DrillRecord {
  version: 1;
  drillId: string;
  startedAtMs: number;
  endedAtMs: number;
  coordinator: string;
  boxes: number;
  holdMs: number;
  outcomes: FaultOutcome[];
  /** Why it ended before its time. */
  aborted?: string;
}

/** A drill as its coordinator sees it while it goes on; with `record` it has ended. */
export interface DrillView {
  drillId: string;
  startedAtMs: number;
  coordinator: string;
  lines: DrillLine[];
  outcomes: FaultOutcome[];
  record?: DrillRecord;
}

export interface DrillList {
  running?: { drillId: string; startedAtMs: number; coordinator: string };
  /** Oldest first. */
  kept: DrillRecord[];
}

/** Nothing was lost, recorded twice or wrong, every fault that was asked for was made, and all healed. */
export const drillHeld = ({ outcomes, aborted }: Pick<DrillRecord, "outcomes" | "aborted">): boolean =>
  aborted === undefined && outcomes.length > 0 && outcomes.every(({ verdict }) => verdict === "held");

/** @throws BAD_REQUEST */
export function checkDrillRequest(body: unknown): DrillRequest {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["faults", "holdMs", "onlyPlan"]);
  const faults = checkList(record.faults, "faults", LIMITS.drillFaultsMax, (value, path) =>
    checkOneOf(value, path, DRILL_FAULTS),
  );
  if (faults.length === 0) refuse("faults", "must name at least one");
  if (faults.includes("unplug") && faults.length > 1) refuse("faults", "must name unplug alone");
  const { holdMs, onlyPlan } = record;
  return {
    faults,
    ...(holdMs === undefined
      ? {}
      : { holdMs: checkWhole(holdMs, "holdMs", TIMING.drillHoldMsMin, TIMING.drillHoldMsMax) }),
    ...(onlyPlan === undefined ? {} : { onlyPlan: checkBoolean(onlyPlan, "onlyPlan") }),
  };
}

/** What the ledger keeps was written by some member; undefined if it is not a record as this version writes it. */
export function readDrillRecord(json: string): DrillRecord | undefined {
  try {
    const record = checkRecord(JSON.parse(json), "");
    if (record.version !== 1) return undefined;
    return {
      version: 1,
      drillId: checkText(record.drillId, "drillId", LIMITS.nameBytesMax),
      startedAtMs: checkMs(record.startedAtMs, "startedAtMs"),
      endedAtMs: checkMs(record.endedAtMs, "endedAtMs"),
      coordinator: checkText(record.coordinator, "coordinator", LIMITS.nameBytesMax),
      boxes: checkWhole(record.boxes, "boxes", 0),
      holdMs: checkWhole(record.holdMs, "holdMs", 0),
      outcomes: checkList(record.outcomes, "outcomes", LIMITS.drillFaultsMax, readOutcome),
      ...(record.aborted === undefined ? {} : { aborted: checkText(record.aborted, "aborted", REASON_BYTES) }),
    };
  } catch (error) {
    if (error instanceof SkeinError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const checkMs = (value: unknown, path: string): number => checkNumber(value, path, 0, Number.MAX_SAFE_INTEGER);
const REASON_BYTES = 1_024;
const REASONS_MAX = 16;
const TIMES = ["detectedAfterMs", "leaderAfterMs", "firstResultAfterMs", "longestPauseMs", "healedAfterMs"] as const;
const COUNTS = ["items", "repeated", "lost", "recordedTwice", "wrong", "outputsChecked"] as const;

function readOutcome(value: unknown, path: string): FaultOutcome {
  const outcome = checkRecord(value, path);
  const known = TIMES.filter((name) => outcome[name] !== undefined);
  const times = known.map((name) => [name, checkMs(outcome[name], `${path}.${name}`)]);
  const counts = COUNTS.map((name) => [name, checkWhole(outcome[name], `${path}.${name}`, 0)]);
  return {
    fault: checkOneOf(outcome.fault, `${path}.fault`, DRILL_FAULTS),
    victimLed: checkBoolean(outcome.victimLed, `${path}.victimLed`),
    verdict: checkOneOf(outcome.verdict, `${path}.verdict`, DRILL_VERDICTS),
    because: checkList(outcome.because, `${path}.because`, REASONS_MAX, (text, at) =>
      checkText(text, at, REASON_BYTES),
    ),
    ...(outcome.victim === undefined
      ? {}
      : { victim: checkText(outcome.victim, `${path}.victim`, LIMITS.nameBytesMax) }),
    ...(Object.fromEntries(times) as Pick<FaultOutcome, (typeof TIMES)[number]>),
    ...(Object.fromEntries(counts) as Pick<FaultOutcome, (typeof COUNTS)[number]>),
  };
}
