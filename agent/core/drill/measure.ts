import type { FaultOutcome } from "../../../shared/drill.ts";
import type { NodeId } from "../../../shared/ids.ts";

/** What the coordinator saw, at which moment of its own clock. */
export type Happened = { atMs: number } & (
  | { kind: "noticed" }
  | { kind: "led"; leader: NodeId }
  | { kind: "recorded" }
);

export interface FaultFacts {
  begunAtMs: number;
  /** Absent: it never did. */
  healedAtMs?: number;
  victim: NodeId;
  victimLed: boolean;
  happened: readonly Happened[];
}

type Times = Pick<
  FaultOutcome,
  "detectedAfterMs" | "leaderAfterMs" | "firstResultAfterMs" | "longestPauseMs" | "healedAfterMs"
>;

/** A fault begins by the victim's clock, a network's delay before this one's word for it. */
const EARLY_MS = 50;

/** Durations from the beginning of the fault; one that has no end is absent. */
export function measureFault({ begunAtMs, healedAtMs, victim, victimLed, happened }: FaultFacts): Times {
  const since = happened.filter(({ atMs }) => atMs >= begunAtMs - EARLY_MS);
  const noticed = since.find(({ kind }) => kind === "noticed")?.atMs;
  const led = victimLed ? since.find((one) => one.kind === "led" && one.leader !== victim)?.atMs : undefined;
  const recorded = since.filter(({ kind, atMs }) => kind === "recorded" && atMs >= begunAtMs).map(({ atMs }) => atMs);
  // Before the loss is seen, results still come in that were on their way.
  const from = Math.max(begunAtMs, noticed ?? 0, led ?? 0);
  const isAnswerable = !victimLed || led !== undefined;
  const first = isAnswerable ? recorded.find((atMs) => atMs >= from) : undefined;
  const until = healedAtMs ?? Number.POSITIVE_INFINITY;
  const pauses = [begunAtMs, ...recorded.filter((atMs) => atMs <= until)];
  const longest = pauses.slice(1).reduce((most, atMs, i) => Math.max(most, atMs - pauses[i]!), 0);
  const after = (atMs: number | undefined): number | undefined =>
    atMs === undefined ? undefined : Math.max(0, Math.round(atMs - begunAtMs));
  return withoutAbsent({
    detectedAfterMs: after(noticed),
    leaderAfterMs: after(led),
    firstResultAfterMs: after(first),
    longestPauseMs: recorded.length > 0 ? Math.round(longest) : undefined,
    healedAfterMs: after(healedAtMs),
  });
}

const withoutAbsent = (times: { [K in keyof Times]: number | undefined }): Times =>
  Object.fromEntries(Object.entries(times).filter(([, ms]) => ms !== undefined)) as Times;
