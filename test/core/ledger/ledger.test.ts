import { beforeEach, expect, test } from "vitest";
import { Ledger, type LedgerOutcome, lossesWithout } from "../../../agent/core/ledger/index.ts";
import type { InviteId } from "../../../shared/ids.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { A, B, blob, C, founded, job, node, recorded, result, submitted } from "../../support/nouns.ts";

let ledger: Ledger;
let index: number;
const apply = (entry: LedgerEntry): LedgerOutcome => {
  const outcome = ledger.apply(entry, ++index);
  ledger.assertSound();
  return outcome;
};
const invited = (id: string, expiresAtMs = 10_000): LedgerEntry => ({
  kind: "inviteIssued",
  inviteId: id as InviteId,
  secretHash: "h",
  expiresAtMs,
});
const admitted = (id: string, nodeId = B, name = "bench", admittedAtMs = 5_000): LedgerEntry => ({
  kind: "nodeAdmitted",
  inviteId: id as InviteId,
  nodeId,
  name,
  addresses: ["/ip4/10.0.0.2/tcp/7400"],
  admittedAtMs,
});

beforeEach(() => {
  ledger = new Ledger();
  index = 0;
  apply(founded);
  apply(invited("i1"));
  apply(admitted("i1"));
});

test("a fleet is founded once", () => {
  expect(apply({ ...founded, name: "other" } as LedgerEntry).applied).toBe(false);
  expect(ledger.fleetName).toBe("geese");
});

test("an invitation lets one node in, and the same node again when its welcome was lost", () => {
  expect(ledger.roster.get(B)?.name).toBe("bench");
  expect(apply(admitted("i1")).applied).toBe(true);
  expect(apply(admitted("i1", C))).toMatchObject({ applied: false, error: { code: "INVITE_INVALID" } });
  expect(ledger.roster.size).toBe(2);
});

test("an expired or unknown invitation lets nobody in", () => {
  apply(invited("i2", 4_000));
  expect(apply(admitted("i2", C))).toMatchObject({ applied: false, error: { facts: { reason: "it has expired" } } });
  expect(apply(admitted("i3", C)).applied).toBe(false);
});

test("two nodes never share a name", () => {
  apply(invited("i2"));
  apply(admitted("i2", C, "attic"));
  expect(ledger.roster.get(C)?.name).toBe("attic-2");
});

test("the first record of an item wins; a later one is counted and ignored", () => {
  apply(submitted("x", 2));
  apply(recorded(result("x", 0)));
  const outcome = apply(recorded(result("x", 0, { node: B, output: blob(9) })));
  expect(outcome.events).toEqual([]);
  const record = ledger.jobs.get(job("x"))!;
  expect(record.results[0]).toMatchObject({ node: A, output: blob(2_000), recordedAtIndex: 5 });
  expect(record.duplicatesIgnored).toBe(1);
});

test("a job is done with its last item, failed ones included", () => {
  apply(submitted("x", 2));
  apply(recorded(result("x", 0)));
  const { output: _, ...rest } = result("x", 1);
  const failed = {
    ...rest,
    outputBytes: 0,
    error: { code: "INPUT_EMPTY" as const, message: "m", facts: {} },
    holders: [],
  };
  const outcome = apply(recorded(failed));
  expect(outcome.events.map((event) => event.kind)).toEqual(["resultsRecorded", "jobEnded"]);
  expect(ledger.jobs.get(job("x"))).toMatchObject({
    state: "done",
    recordedCount: 2,
    failedCount: 1,
    endedAtMs: 2_001,
  });
});

test("a result for an unknown job or an item that is not there changes nothing", () => {
  apply(submitted("x", 1));
  expect(apply(recorded(result("y", 0), result("x", 7))).events).toEqual([]);
  expect(ledger.jobs.get(job("x"))?.recordedCount).toBe(0);
});

test("a second submit under one key is the first job; with other inputs it is refused", () => {
  apply(submitted("x", 2));
  const again = apply(submitted("y", 2, { idempotencyKey: "key-x" }));
  expect(again).toMatchObject({ applied: true, jobId: job("x"), existing: true });
  const other = apply(submitted("z", 3, { idempotencyKey: "key-x" }));
  expect(other).toMatchObject({ applied: false, error: { code: "IDEMPOTENCY_CONFLICT" } });
  expect(ledger.jobs.size).toBe(1);
});

test("a cancelled job records nothing more", () => {
  apply(submitted("x", 2));
  const cancel: LedgerEntry = { kind: "jobCancelled", jobId: job("x"), reason: "asked for", cancelledAtMs: 9 };
  expect(apply(cancel).events).toMatchObject([{ kind: "jobEnded" }]);
  apply(recorded(result("x", 0)));
  expect(ledger.jobs.get(job("x"))).toMatchObject({ state: "cancelled", recordedCount: 0, duplicatesIgnored: 1 });
});

test("what is offered a second time because its first answer was lost is answered as the first, and changes nothing", () => {
  apply(submitted("x", 2));
  const twice: LedgerEntry[] = [
    { kind: "jobCancelled", jobId: job("x"), reason: "", cancelledAtMs: 8 },
    invited("i2"),
    { kind: "nodeRemoved", nodeId: B },
    founded,
  ];
  for (const entry of twice) {
    apply(entry);
    const before = structuredClone([ledger.jobs, ledger.invites, ledger.roster]);
    const later = entry.kind === "jobCancelled" ? { ...entry, cancelledAtMs: 9 } : entry;
    expect(apply(later)).toMatchObject({ applied: true, events: [] });
    expect([ledger.jobs, ledger.invites, ledger.roster]).toEqual(before);
  }
});

test("holders follow copies made and nodes removed; a node that is not on the roster holds nothing", () => {
  apply(submitted("x", 1));
  apply(recorded(result("x", 0, { holders: [A, B, node("z")] })));
  expect(ledger.holdersOf(blob(2_000))).toEqual([A, B]);
  apply({ kind: "nodeRemoved", nodeId: B });
  expect(ledger.holdersOf(blob(2_000))).toEqual([A]);
  apply(invited("i2"));
  apply(admitted("i2", C, "cellar"));
  apply({ kind: "holdersChanged", changes: [{ blob: blob(2_000), added: [C], dropped: [A] }] });
  expect(ledger.holdersOf(blob(2_000))).toEqual([C]);
});

test("open jobs are bounded", () => {
  for (let i = 0; i < LIMITS.jobsOpenMax; i++) apply(submitted(`n${i}`, 1));
  expect(apply(submitted("over", 1))).toMatchObject({ applied: false, error: { code: "TOO_LARGE" } });
});

test("entries are applied in order or not at all", () => {
  expect(() => ledger.apply(founded, index)).toThrow(/in order/);
});

const set = (name: string, value: string): LedgerEntry => ({ kind: "settingChanged", name, value });

test("the last value set under a name holds, and an empty one takes it away", () => {
  apply(set("colour", "red"));
  apply(set("colour", "blue"));
  expect(ledger.settings.get("colour")).toBe("blue");
  apply(set("colour", ""));
  expect(ledger.settings.size).toBe(0);
});

test("a setting that may not be is a recorded no-op, on every node alike", () => {
  for (const [name, value] of [
    ["", "x"],
    ["1st", "x"],
    ["a b", "x"],
    ["big", "ä".repeat(LIMITS.settingBytesMax / 2 + 1)],
    ["votersMax", "10"],
    ["votersMax", "three"],
    ["voterGoneAfterSeconds", "0"],
  ] as const)
    expect(apply(set(name, value)), name).toMatchObject({ applied: false, error: { code: "BAD_REQUEST" } });
  expect(ledger.settings.size).toBe(0);
});

test("names beyond the bound are refused, and known ones can still be changed and taken away", () => {
  for (let i = 0; i < LIMITS.settingsMax; i++) apply(set(`s${i}`, "1"));
  expect(apply(set("more", "1"))).toMatchObject({ applied: false, error: { code: "TOO_LARGE" } });
  expect(apply(set("s0", "2")).applied).toBe(true);
  apply(set("s1", ""));
  expect(apply(set("more", "1")).applied).toBe(true);
});

test("a node is drained until that is taken back, and knocking again changes nothing of it", () => {
  apply({ kind: "nodeDrained", nodeId: B, drained: true, leaving: false });
  apply(admitted("i1"));
  expect(ledger.roster.get(B)).toMatchObject({ name: "bench", drained: true });
  apply({ kind: "nodeDrained", nodeId: B, drained: true, leaving: true });
  expect(ledger.roster.get(B)).toMatchObject({ drained: true, leaving: true });
  expect(apply({ kind: "nodeDrained", nodeId: B, drained: false, leaving: false }).events).toEqual([
    { kind: "rosterChanged" },
  ]);
  expect(ledger.roster.get(B)).not.toHaveProperty("drained");
  expect(ledger.roster.get(B)).not.toHaveProperty("leaving");
  expect(apply({ kind: "nodeDrained", nodeId: C, drained: true, leaving: false }).applied).toBe(false);
});

test("a recovery takes the missing off the roster with their copies, and is remembered", () => {
  apply(submitted("x", 2));
  apply(recorded(result("x", 0, { holders: [B] })));
  const outcome = apply({ kind: "fleetRecovered", recoveredBy: A, removed: [B, C], recoveredAtMs: 7 });
  expect([...ledger.roster.keys()]).toEqual([A]);
  expect(ledger.holdersOf(blob(2_000))).toEqual([]);
  expect(ledger.lastRecovery).toEqual({
    recoveredBy: A,
    recoveredAtMs: 7,
    removed: [{ nodeId: B, name: "bench" }],
    atIndex: index,
  });
  expect(outcome.events.map(({ kind }) => kind)).toEqual(["rosterChanged", "holdersChanged", "fleetRecovered"]);
});

test("what would be lost with a node is listed by job: results held there alone, and inputs still to be computed", () => {
  apply(submitted("x", 3, { holders: [B] }));
  apply(submitted("y", 1));
  apply(recorded(result("x", 0, { holders: [B] }), result("x", 1, { holders: [A, B] })));
  expect(lossesWithout(ledger, new Set([B]))).toEqual([{ jobId: job("x"), results: [0], inputs: [2] }]);
  expect(lossesWithout(ledger, new Set([C]))).toEqual([]);
});
