import { beforeEach, expect, test } from "vitest";
import { Ledger, type LedgerOutcome } from "../../../agent/core/ledger/index.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { A, B, blob, founded, job, recorded, result, submitted } from "../../support/nouns.ts";

let ledger: Ledger;
const apply = (entry: LedgerEntry): LedgerOutcome => {
  const outcome = ledger.apply(entry, ledger.appliedIndex + 1);
  ledger.assertSound();
  return outcome;
};
const inTerm = (term: number, ...results: Parameters<typeof recorded>): LedgerEntry => ({
  ...(recorded(...results) as LedgerEntry & { kind: "resultsRecorded" }),
  term,
});
const forgotten = (...names: string[]): LedgerEntry => ({
  kind: "jobsForgotten",
  jobIds: names.map((name) => job(name)),
});

beforeEach(() => {
  ledger = new Ledger();
  apply(founded);
});

test("what a deposed leader proposes is refused, so that its worker hands it in again", () => {
  apply(submitted("x", 2));
  expect(apply(inTerm(7, result("x", 0))).applied).toBe(true);
  const late = apply(inTerm(6, result("x", 1)));
  expect(late).toMatchObject({ applied: false, error: { code: "PROPOSAL_DROPPED" } });
  expect(ledger.jobs.get(job("x"))?.recordedCount).toBe(1);
  expect(apply(inTerm(8, result("x", 1))).applied).toBe(true);
});

test("a report that is ignored is remembered with its place, the newest of many", () => {
  apply(submitted("x", 2));
  apply(recorded(result("x", 0)));
  for (let i = 0; i < LIMITS.ignoredReportsKept + 3; i++) apply(recorded(result("x", 0, { node: B })));
  const record = ledger.jobs.get(job("x"))!;
  expect(record.duplicatesIgnored).toBe(LIMITS.ignoredReportsKept + 3);
  expect(record.ignoredReports).toHaveLength(LIMITS.ignoredReportsKept);
  expect(record.ignoredReports.at(-1)).toEqual({
    item: 0,
    node: B,
    shardId: "x/1.1",
    because: "recorded",
    atIndex: ledger.appliedIndex,
  });
});

test("a paused job records what still comes, and ends with its last item", () => {
  apply(submitted("x", 2));
  expect(apply({ kind: "jobPaused", jobId: job("x"), paused: true }).events).toMatchObject([{ kind: "jobPaused" }]);
  apply(recorded(result("x", 0)));
  expect(ledger.jobs.get(job("x"))).toMatchObject({ state: "paused", recordedCount: 1 });
  expect(ledger.openJobs()).toHaveLength(1);
  apply(recorded(result("x", 1)));
  expect(ledger.jobs.get(job("x"))?.state).toBe("done");
  expect(apply({ kind: "jobPaused", jobId: job("x"), paused: false }).applied).toBe(false);
});

test("a job with a deadline expires once; one without never does", () => {
  apply(submitted("x", 2, { deadlineAtMs: 50 }));
  apply(submitted("y", 2));
  apply(recorded(result("x", 0)));
  apply({ kind: "jobExpired", jobId: job("x"), expiredAtMs: 60 });
  apply({ kind: "jobExpired", jobId: job("y"), expiredAtMs: 60 });
  expect(ledger.jobs.get(job("x"))).toMatchObject({ state: "expired", endedAtMs: 60, recordedCount: 1 });
  expect(ledger.jobs.get(job("y"))?.state).toBe("running");
  apply(recorded(result("x", 1)));
  expect(ledger.jobs.get(job("x"))?.ignoredReports).toMatchObject([{ item: 1, because: "ended" }]);
});

test("a forgotten job lets go the blobs that no other job stands on, and its key is free again", () => {
  apply(submitted("x", 2));
  apply(submitted("y", 1));
  apply(recorded(result("x", 0), result("x", 1)));
  const outcome = apply(forgotten("x"));
  // Page 0 is an input of the other job too.
  expect(outcome.events).toEqual([
    { kind: "jobsForgotten", jobIds: [job("x")], blobs: [blob(1_001), blob(2_000), blob(2_001)] },
  ]);
  expect(ledger.holdersOf(blob(1_000))).toEqual([A]);
  expect(ledger.holders.has(blob(2_000))).toBe(false);
  expect(apply(submitted("z", 3, { idempotencyKey: "key-x" }))).toMatchObject({ applied: true, existing: false });
});

test("an open job is not forgotten, nor one that is unknown", () => {
  apply(submitted("x", 2));
  expect(apply(forgotten("x", "y")).events).toEqual([{ kind: "jobsForgotten", jobIds: [], blobs: [] }]);
  expect(ledger.jobs.size).toBe(1);
});

test("labels take the place of what was said before, and bad ones are refused", () => {
  apply({ kind: "nodeLabelled", nodeId: A, labels: { zone: "garage" } });
  expect(ledger.roster.get(A)?.labels).toEqual({ zone: "garage" });
  expect(apply({ kind: "nodeLabelled", nodeId: A, labels: { "Zone!": "x" } })).toMatchObject({
    applied: false,
    error: { code: "BAD_REQUEST" },
  });
  apply({ kind: "nodeLabelled", nodeId: A, labels: {} });
  expect(ledger.roster.get(A)).not.toHaveProperty("labels");
  expect(apply({ kind: "nodeLabelled", nodeId: B, labels: {} }).applied).toBe(false);
});

test("one drill runs at a time; one that never said its end makes room when its time is up", () => {
  const begun = (drillId: string, startedAtMs: number): LedgerEntry => ({
    kind: "drillBegun",
    drillId,
    startedBy: A,
    startedAtMs,
    untilMs: startedAtMs + 100,
  });
  apply(begun("d1", 0));
  expect(apply(begun("d2", 99))).toMatchObject({
    applied: false,
    error: { code: "DRILL_REFUSED", facts: { reason: "drill d1 is running" } },
  });
  expect(apply(begun("d1", 0)).applied).toBe(true);
  expect(apply(begun("d2", 100)).applied).toBe(true);
  expect(apply({ kind: "drillEnded", drillId: "d1", recordJson: "{}" }).applied).toBe(false);
  apply({ kind: "drillEnded", drillId: "d2", recordJson: "{}" });
  expect(ledger.drills).toMatchObject({ running: undefined, kept: [{ drillId: "d2", recordJson: "{}" }] });
  expect(apply(begun("d2", 500)).applied).toBe(false);
  for (let i = 0; i < LIMITS.drillsKept + 2; i++) {
    apply(begun(`e${i}`, 1_000 * i));
    apply({ kind: "drillEnded", drillId: `e${i}`, recordJson: "{}" });
  }
  expect(ledger.drills.kept).toHaveLength(LIMITS.drillsKept);
});
