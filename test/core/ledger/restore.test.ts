import { expect, test } from "vitest";
import { LedgerBuilder } from "../../../agent/core/ledger/index.ts";
import type { KeptItem, KeptJob, LedgerRecord } from "../../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../../shared/limits.ts";
import {
  decodeManifest,
  encodeLedgerPiece,
  encodeLedgerRecord,
  encodeManifest,
  looksLikeLedgerPiece,
} from "../../../shared/wire/ledger-snapshot.ts";
import { A, B, blob, C, job, shard } from "../../support/nouns.ts";

const onRoster = (nodeId: typeof A) => ({ nodeId, name: nodeId.at(-1)!, addresses: [], admittedAtIndex: 1 });
const head: LedgerRecord = { kind: "head", appliedIndex: 9, fleetName: "geese", roster: [onRoster(A), onRoster(B)] };
const kept: KeptJob = {
  jobId: job("j"),
  pipeline: "ocr",
  idempotencyKey: "k",
  submittedBy: A,
  submittedAtMs: 1,
  submittedAtIndex: 5,
  state: "running",
  duplicatesIgnored: 0,
  items: 1,
};
const aJob = (more: Partial<KeptJob> = {}): LedgerRecord => ({ kind: "job", ...kept, ...more });
const item: KeptItem = { name: "page", blob: blob(1), bytes: 3, holders: [A] };
const result: KeptItem["result"] & object = {
  output: blob(2),
  outputBytes: 1,
  node: C,
  shardId: shard("s"),
  durationMs: 1,
  finishedAtMs: 2,
  recordedAtIndex: 6,
  holders: [A, C],
  holdersNow: [A],
};
const items = (...list: KeptItem[]): LedgerRecord => ({ kind: "items", items: list });

function build(records: LedgerRecord[]) {
  const builder = new LedgerBuilder();
  builder.take(encodeLedgerPiece(records.map(encodeLedgerRecord)));
  return builder.finish(9);
}

test("what a ledger could say is taken", () => {
  const done = aJob({ state: "done", endedAtMs: 4 });
  const contents = build([head, done, items({ ...item, result })]);
  expect(contents.jobs.get(job("j"))).toMatchObject({ recordedCount: 1, failedCount: 0, endedAtMs: 4 });
  expect(contents.holders.get(blob(2))).toEqual(new Set([A]));
});

test.each<[string, LedgerRecord[]]>([
  ["without a head", [aJob(), items(item)]],
  ["with nothing at all", []],
  ["with two heads", [head, head]],
  ["of another entry", [{ ...head, appliedIndex: 8 } as LedgerRecord]],
  ["with a node on the roster twice", [{ ...head, roster: [onRoster(A), onRoster(A)] } as LedgerRecord]],
  ["with an item that belongs to no job", [head, items(item)]],
  ["with an item too many", [head, aJob(), items(item, item)]],
  ["with an item too few", [head, aJob({ items: 2 }), items(item)]],
  ["with a job twice", [head, aJob(), items(item), aJob({ submittedAtIndex: 6 }), items(item)]],
  [
    "with two jobs of one key",
    [head, aJob(), items(item), aJob({ jobId: job("i"), submittedAtIndex: 6 }), items(item)],
  ],
  ["with jobs out of order", [head, aJob(), items(item), aJob({ jobId: job("i"), idempotencyKey: "i" }), items(item)]],
  ["with a job of the future", [head, aJob({ submittedAtIndex: 10 }), items(item)]],
  ["with a job that is done and is not", [head, aJob({ state: "done", endedAtMs: 4 }), items(item)]],
  ["with a job that is whole and runs", [head, aJob(), items({ ...item, result })]],
  ["with a job that ended at no time", [head, aJob({ state: "cancelled" }), items(item)]],
  [
    "with a result of the future",
    [head, aJob({ state: "done", endedAtMs: 4 }), items({ ...item, result: { ...result, recordedAtIndex: 10 } })],
  ],
  ["with a holder that is not on the roster", [head, aJob(), items({ ...item, holders: [C] })]],
  ["with a holder twice", [head, aJob(), items({ ...item, holders: [A, A] })]],
  ["with two words on one blob", [head, aJob({ items: 2 }), items(item, { ...item, holders: [A, B] })]],
])("a ledger %s is refused", (_what, records) => {
  expect(() => build(records)).toThrowError(expect.objectContaining({ code: "FRAME_INVALID" }));
});

test("a manifest comes back as it was, and one of another shape is refused", () => {
  const pieces = [
    { hash: blob(1), bytes: 5 },
    { hash: blob(2), bytes: LIMITS.snapshotPieceBytesMax },
  ];
  expect(decodeManifest(encodeManifest(pieces))).toEqual(pieces);
  const refused = expect.objectContaining({ code: "FRAME_INVALID" });
  expect(() => decodeManifest(encodeManifest([]))).toThrowError(refused);
  expect(() => decodeManifest(new Uint8Array([1, 2, 3]))).toThrowError(refused);
  expect(() => decodeManifest(encodeManifest([{ hash: blob(1), bytes: 2 ** 31 }]))).toThrowError(refused);
  const tooMany = new Array(LIMITS.snapshotPiecesMax + 1).fill({ hash: blob(1), bytes: 1 });
  expect(() => decodeManifest(encodeManifest(tooMany))).toThrowError(refused);
});

test("the names of the most pieces fit in a frame of the consensus lane", () => {
  const most = new Array(LIMITS.snapshotPiecesMax).fill({ hash: blob(1), bytes: LIMITS.snapshotPieceBytesMax });
  expect(encodeManifest(most).length).toBeLessThan(LIMITS.frameBytesMax / 2);
});

test("a piece is told from other blobs by its first bytes", () => {
  expect(looksLikeLedgerPiece(encodeLedgerPiece([encodeLedgerRecord(head)]))).toBe(true);
  expect(looksLikeLedgerPiece(new TextEncoder().encode("skein ledger piece"))).toBe(false);
  expect(looksLikeLedgerPiece(new Uint8Array())).toBe(false);
});
