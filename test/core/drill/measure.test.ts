import { expect, test } from "vitest";
import { type Happened, judgeFault, measureFault, skippedFault } from "../../../agent/core/drill/index.ts";
import { drillHeld, type FaultOutcome, readDrillRecord } from "../../../shared/drill.ts";
import type { NodeId } from "../../../shared/ids.ts";

const [VICTIM, OTHER] = ["v", "o"] as [NodeId, NodeId];
const recorded = (...atMs: number[]): Happened[] => atMs.map((at) => ({ kind: "recorded", atMs: at }));

test("durations count from the fault: what was seen before it is none of its doing", () => {
  const happened: Happened[] = [
    { kind: "noticed", atMs: 900 },
    { kind: "led", leader: OTHER, atMs: 940 },
    ...recorded(990, 1_010, 1_020),
    { kind: "noticed", atMs: 1_100 },
    { kind: "led", leader: VICTIM, atMs: 1_120 },
    { kind: "led", leader: OTHER, atMs: 1_200 },
    ...recorded(1_150, 1_450, 1_500),
  ];
  const times = measureFault({ begunAtMs: 1_000, healedAtMs: 4_000, victim: VICTIM, victimLed: true, happened });
  expect(times).toEqual({
    detectedAfterMs: 100,
    leaderAfterMs: 200,
    firstResultAfterMs: 450,
    longestPauseMs: 300,
    healedAfterMs: 3_000,
  });
});

test("a leader is waited for only where the leader was lost, and without one no result counts as the first", () => {
  const happened: Happened[] = [{ kind: "noticed", atMs: 1_300 }, ...recorded(1_100, 1_400)];
  const facts = { begunAtMs: 1_000, victim: VICTIM, happened };
  expect(measureFault({ ...facts, victimLed: false })).toEqual({
    detectedAfterMs: 300,
    firstResultAfterMs: 400,
    longestPauseMs: 300,
  });
  expect(measureFault({ ...facts, victimLed: true })).toEqual({ detectedAfterMs: 300, longestPauseMs: 300 });
});

test("what is seen a little before the coordinator's word for the beginning was seen at once", () => {
  const happened: Happened[] = [
    { kind: "noticed", atMs: 996 },
    { kind: "led", leader: OTHER, atMs: 998 },
    ...recorded(999, 1_004),
  ];
  const times = measureFault({ begunAtMs: 1_000, victim: VICTIM, victimLed: true, happened });
  expect(times).toEqual({ detectedAfterMs: 0, leaderAfterMs: 0, firstResultAfterMs: 4, longestPauseMs: 4 });
});

const good: Omit<FaultOutcome, "verdict" | "because"> = {
  fault: "killLeader",
  victim: "bench",
  victimLed: true,
  leaderAfterMs: 30,
  firstResultAfterMs: 100,
  healedAfterMs: 9_000,
  items: 100,
  repeated: 3,
  lost: 0,
  recordedTwice: 0,
  wrong: 0,
  outputsChecked: 48,
};
const without = (name: keyof typeof good): typeof good => {
  const { [name]: _, ...rest } = good;
  return rest as typeof good;
};

test.each<[string, typeof good, RegExp]>([
  ["a lost result", { ...good, lost: 2 }, /2 of 100 results are lost/],
  ["a result recorded twice", { ...good, recordedTwice: 1 }, /twice/],
  ["a wrong output", { ...good, wrong: 1 }, /wrong/],
  ["a fault during which nothing ran", { ...good, items: 0 }, /nothing is proved/],
  ["no next leader", without("leaderAfterMs"), /leadership/],
  ["no result any more", without("firstResultAfterMs"), /no result/],
  ["a box that stays away", without("healedAfterMs"), /come back/],
])("%s breaks the promise, and the verdict says so", (_what, measured, because) => {
  const outcome = judgeFault(measured);
  expect(outcome.verdict).toBe("broken");
  expect(outcome.because.join()).toMatch(because);
  expect(drillHeld({ outcomes: [outcome] })).toBe(false);
});

test("a drill holds only if each fault was made and held, and it was not broken off", () => {
  const held = judgeFault(good);
  expect(held).toMatchObject({ verdict: "held", because: [] });
  expect(drillHeld({ outcomes: [held, held] })).toBe(true);
  expect(drillHeld({ outcomes: [held], aborted: "no quorum" })).toBe(false);
  expect(drillHeld({ outcomes: [held, skippedFault("freeze", "nobody is there")] })).toBe(false);
  expect(drillHeld({ outcomes: [] })).toBe(false);
});

test("a kept record is read as it was written, and anything else is no record", () => {
  const record = {
    version: 1,
    drillId: "drill-1",
    startedAtMs: 5,
    endedAtMs: 9,
    coordinator: "attic",
    boxes: 3,
    holdMs: 5_000,
    outcomes: [judgeFault(good), skippedFault("freeze", "it was gone")],
  };
  expect(readDrillRecord(JSON.stringify(record))).toEqual(record);
  for (const broken of [
    "",
    "[]",
    '{"version":2}',
    JSON.stringify({ ...record, outcomes: [{ ...record.outcomes[0], lost: -1 }] }),
    JSON.stringify({ ...record, coordinator: "a\u001b[31m" }),
    JSON.stringify({ ...record, boxes: "three" }),
  ])
    expect(readDrillRecord(broken), broken).toBeUndefined();
});
