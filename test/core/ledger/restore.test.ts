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
import { formOf, over, segment } from "../../support/staged.ts";

const onRoster = (nodeId: typeof A) => ({ nodeId, name: nodeId.at(-1)!, addresses: [], admittedAtIndex: 1 });
const head: LedgerRecord = {
  kind: "head",
  appliedIndex: 9,
  fleetName: "geese",
  roster: [onRoster(A), onRoster(B)],
  recordingTerm: 1,
};
const kept: KeptJob = {
  jobId: job("j"),
  pipeline: "ocr",
  idempotencyKey: "k",
  submittedBy: A,
  submittedAtMs: 1,
  submittedAtIndex: 5,
  state: "running",
  duplicatesIgnored: 0,
  runsAgain: 0,
  ignoredReports: [],
  priority: "normal",
  copies: 2,
  items: 1,
};
const aJob = (more: Partial<KeptJob> = {}): LedgerRecord => ({ kind: "job", ...kept, ...more });
const item: KeptItem = { name: "page", blob: blob(1), bytes: 3 };
const result: KeptItem["result"] & object = {
  output: blob(2),
  outputBytes: 1,
  node: C,
  shardId: shard("s"),
  durationMs: 1,
  finishedAtMs: 2,
  recordedAtIndex: 6,
  holders: [A, C],
};
const items = (...list: KeptItem[]): LedgerRecord => ({ kind: "items", items: list });
const held = (input = [A], output: (typeof A)[] = []): LedgerRecord => ({
  kind: "holders",
  holders: [{ input, output }],
});

const done = aJob({ state: "done", endedAtMs: 4 });
const other = aJob({ jobId: job("i"), idempotencyKey: "i", submittedAtIndex: 6 });

const formed = aJob({ staged: true, form: formOf(segment([-1]), segment([0], over(0, 2)), segment([1])) });
const stage = (at: number, more: Partial<KeptJob> = {}): LedgerRecord =>
  aJob({
    jobId: job(`j/${at}`),
    pipeline: `reading:1/${at}`,
    idempotencyKey: "",
    submittedAtIndex: 6,
    parent: { jobId: job("j"), segment: at },
    items: 0,
    ...more,
  });
const slice = (from: number, to: number): KeptItem => ({ ...item, task: { item: 0, slice: { from, to } } });
/** With a stage job of these items over the list, and all their holders. */
const slices = (...kept: KeptItem[]): LedgerRecord[] => [
  head,
  formed,
  items(item),
  stage(0),
  stage(1, { items: kept.length }),
  items(...kept),
  held(),
  ...kept.map(() => held()),
];

function build(records: LedgerRecord[]) {
  const builder = new LedgerBuilder();
  builder.take(encodeLedgerPiece(records.map(encodeLedgerRecord)));
  return builder.finish(9);
}

test("what a ledger could say is taken", () => {
  const contents = build([head, done, items({ ...item, result }), held([B], [A])]);
  expect(contents.jobs.get(job("j"))).toMatchObject({ recordedCount: 1, failedCount: 0, endedAtMs: 4 });
  expect(contents.holders.get(blob(2))).toEqual(new Set([A]));
});

test("a job in several segments is taken with its stage jobs", () => {
  const contents = build(slices(slice(0, 2), slice(2, 3)));
  expect(contents.jobs.get(job("j/1"))?.tasks).toEqual([
    { item: 0, slice: { from: 0, to: 2 } },
    { item: 0, slice: { from: 2, to: 3 } },
  ]);
});

test.each<[string, LedgerRecord[]]>([
  ["with a stage too few", [head, formed, items(item), stage(0), held()]],
  ["with a stage of no job", [head, stage(0)]],
  ["with a stage too many", [head, formed, items(item), stage(0), stage(1), stage(2), held()]],
  ["with a stage that runs what its job does not", [head, formed, items(item), stage(0, { pipeline: "other:1" })]],
  [
    "with a stage that has ended before its job",
    [head, formed, items(item), stage(0, { state: "done", endedAtMs: 1 })],
  ],
  ["with a form of a job that is not staged", [head, { ...formed, staged: undefined } as never, items(item), held()]],
  [
    "with a way to be cut of a job that is not staged",
    [head, { ...aJob(), cut: "stages" } as never, items(item), held()],
  ],
  ["with a slice twice", slices(slice(0, 2), slice(0, 1))],
  ["with a slice of a slice", slices(slice(1, 2))],
  ["with a slice that is too long", slices(slice(0, 3))],
  ["with a slice of nothing", slices({ ...item, task: { item: 0 } })],
  ["with a task of another job's item", slices({ ...slice(0, 2), blob: blob(9) })],
  ["with a task of no item", slices({ ...item, task: { item: 7, slice: { from: 0, to: 2 } } })],
  ["with a stage's item that is no task", slices(item)],
  ["with a task in a job that is no stage", [head, aJob(), items({ ...item, task: { item: 0 } }), held()]],
  ["without a head", [aJob(), items(item), held()]],
  ["with nothing at all", []],
  ["with two heads", [head, head]],
  ["of another entry", [{ ...head, appliedIndex: 8 } as LedgerRecord]],
  ["with a node on the roster twice", [{ ...head, roster: [onRoster(A), onRoster(A)] } as LedgerRecord]],
  ["with an item that belongs to no job", [head, items(item), held()]],
  ["with an item too many", [head, aJob(), items(item, item), held(), held()]],
  ["with an item too few", [head, aJob({ items: 2 }), items(item), held()]],
  ["with a job twice", [head, aJob(), items(item), aJob({ submittedAtIndex: 6 }), items(item), held(), held()]],
  [
    "with two jobs of one key",
    [head, aJob(), items(item), { ...other, idempotencyKey: "k" } as LedgerRecord, items(item), held(), held()],
  ],
  [
    "with jobs out of order",
    [head, aJob(), items(item), { ...other, submittedAtIndex: 5 } as LedgerRecord, items(item), held(), held()],
  ],
  ["with a job of the future", [head, aJob({ submittedAtIndex: 10 }), items(item), held()]],
  ["with a job that is done and is not", [head, done, items(item), held()]],
  ["with a job that is whole and runs", [head, aJob(), items({ ...item, result }), held([A], [A])]],
  ["with a job that ended at no time", [head, aJob({ state: "cancelled" }), items(item), held()]],
  [
    "with a result of the future",
    [head, done, items({ ...item, result: { ...result, recordedAtIndex: 10 } }), held([A], [A])],
  ],
  ["with an item whose holders are missing", [head, aJob(), items(item)]],
  ["with holders too many", [head, aJob(), items(item), held(), held()]],
  ["with holders of an output that is not there", [head, aJob(), items(item), held([A], [A])]],
  ["with a job after the holders", [head, aJob(), items(item), held(), other, items(item), held()]],
  ["with a holder that is not on the roster", [head, aJob(), items(item), held([C])]],
  ["with a holder twice", [head, aJob(), items(item), held([A, A])]],
  ["with two words on one blob", [head, aJob({ items: 2 }), items(item, item), held(), held([A, B])]],
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
