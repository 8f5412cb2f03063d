import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import { writeWeights } from "../../shared/fitting/wire.ts";
import type { InviteId } from "../../shared/ids.ts";
import { decodeInvite, encodeInvite } from "../../shared/invite.ts";
import type { LedgerEntry } from "../../shared/ledger-entry.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LeasedPart, PeerMethod, PeerRequests } from "../../shared/peer-requests.ts";
import type { RaftMessage } from "../../shared/raft.ts";
import { decodeCapacityReport } from "../../shared/wire/capacity.ts";
import { decodeLedgerEntry, encodeLedgerEntry } from "../../shared/wire/ledger.ts";
import { decodeLedgerPiece, decodeManifest, encodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import { PEER_WIRE } from "../../shared/wire/peer.ts";
import { decodeRaftMessage, encodeRaftMessage } from "../../shared/wire/raft.ts";
import {
  A,
  B,
  blob,
  founded,
  job,
  manifest,
  modelAdded,
  pipelineAdded,
  recorded,
  result,
  shard,
  submitted,
} from "../support/nouns.ts";
import { formOf, over, segment } from "../support/staged.ts";

const { output: _, ...withoutOutput } = result("x", 1);
const failed = {
  ...withoutOutput,
  error: { code: "INPUT_EMPTY" as const, message: "It is empty.", facts: { name: "a.png" } },
};

const ENTRIES: LedgerEntry[] = [
  founded,
  { kind: "inviteIssued", inviteId: "i" as InviteId, secretHash: "h", expiresAtMs: 1.5e12 },
  {
    kind: "nodeAdmitted",
    inviteId: "i" as InviteId,
    nodeId: B,
    name: "b",
    addresses: ["/ip4/1.2.3.4/tcp/1"],
    admittedAtMs: 3,
  },
  {
    kind: "nodeAdmitted",
    inviteId: "i" as InviteId,
    nodeId: B,
    name: "w",
    addresses: [],
    admittedAtMs: 3,
    part: "witness",
  },
  { kind: "nodeRemoved", nodeId: B },
  { kind: "nodeMoved", nodeId: B, addresses: [] },
  { kind: "nodeDrained", nodeId: B, drained: true, leaving: false },
  { kind: "fleetRecovered", recoveredBy: A, removed: [B], recoveredAtMs: 1.5e12 },
  submitted("x", 3),
  { kind: "jobCancelled", jobId: job("x"), reason: "asked for", cancelledAtMs: 9 },
  recorded(result("x", 0), failed),
  { kind: "holdersChanged", changes: [{ blob: blob(7), added: [A], dropped: [B] }] },
  { kind: "settingChanged", name: "votersMax", value: "3" },
  modelAdded(manifest("digits", 2)),
  { kind: "modelRemoved", name: "digits", version: 2 },
  pipelineAdded("reading", 3, { models: ["digits:2"], pipelines: ["other:1"] }),
  { kind: "pipelineRemoved", name: "reading", version: 3 },
  { kind: "modelAliased", name: "digits", alias: "stable", version: 0 },
  { kind: "ruleChanged", ruleId: "rule-1", rule: { kind: "quiet", on: "*", from: "22:30", to: "06:00" } },
  { kind: "ruleChanged", ruleId: "rule-1" },
  {
    kind: "placementDecided",
    term: 3,
    replicas: [
      { pipeline: "digits:2", nodes: [A, B] },
      { pipeline: "other:1", nodes: [] },
    ],
    decisionJson: '{"kind":"placement"}',
  },
  { kind: "jobPlanned", jobId: job("x"), decisionJson: '{"kind":"job"}' },
  submitted("y", 1, { staged: true, deadlineAtMs: 9 }),
  submitted("z", 1, { staged: true, cut: "whole" }),
  submitted("z", 1, { staged: true, cut: "stages" }),
  {
    kind: "jobFormed",
    jobId: job("y"),
    form: formOf(segment([-1]), segment([-1, 0], { ...over(0, 3, 1), onError: "skip", copies: 2 }), segment([0, 1])),
  },
  { kind: "resultsLost", jobId: job("y/0"), items: [0, LIMITS.jobTasksMax] },
  recorded(result("y/0", LIMITS.jobTasksMax, { elements: [0, 2 ** 32 - 1] })),
];

const MESSAGE: RaftMessage = {
  type: "appendRequest",
  from: A,
  to: B,
  term: 7,
  logTerm: 6,
  index: 41,
  entries: [
    { index: 42, term: 7, kind: "normal", data: new Uint8Array([1, 2, 3]) },
    { index: 43, term: 7, kind: "digest", data: new Uint8Array([4]) },
  ],
  commit: 40,
  reject: false,
  rejectHint: 0,
  context: new Uint8Array([9]),
  electionTicks: 12,
  snapshot: {
    index: 5,
    term: 2,
    conf: { voters: [A], votersOutgoing: [B], learners: [], learnersNext: [], autoLeave: true, witnesses: [B] },
    data: new Uint8Array([4]),
  },
};

const withEntry = (bytes: number): RaftMessage => ({
  ...MESSAGE,
  entries: [{ index: 42, term: 7, kind: "normal", data: new Uint8Array(bytes) }],
});
const withVoters = (count: number, voter = A): RaftMessage => ({
  ...MESSAGE,
  snapshot: { ...MESSAGE.snapshot!, conf: { ...MESSAGE.snapshot!.conf, voters: Array(count).fill(voter) } },
});

const lease = {
  term: 3,
  shardId: shard("job-x/3.1"),
  jobId: job("x"),
  pipeline: "ocr",
  items: [
    { item: 2, name: "page.png", blob: blob(2), bytes: 99 },
    {
      item: 3,
      name: "page.png 4-7",
      blob: blob(2),
      bytes: 99,
      basis: blob(5),
      parts: [
        { kind: "item" as const, blob: blob(2), bytes: 99 },
        { kind: "values" as const, blob: blob(3), bytes: 7, slice: { sources: ["0.crops", "1.at"], from: 4, to: 8 } },
        { kind: "values" as const, blob: blob(4), bytes: 0 },
        { kind: "gap" as const, segment: "reading:1/2", elements: 0 },
      ],
    },
  ],
  inputHolders: [A],
  copies: 2,
  itemDeadlineMs: 12_000,
};
const snapshot = {
  index: 7,
  term: 2,
  conf: { voters: [A], votersOutgoing: [], learners: [B], learnersNext: [], autoLeave: false, witnesses: [] },
  data: encodeManifest([{ hash: blob(1), bytes: 9 }]),
};
const plan = {
  jobId: job("x"),
  madeAtMs: 5,
  term: 3,
  shares: [
    {
      nodeId: A,
      name: "a",
      items: 4,
      itemsPerSecond: 1.5,
      reason: "measured",
      computeSeconds: 2,
      transferSeconds: 1,
      queueSeconds: 0.5,
      handOverSeconds: 0.25,
      derating: 0,
      endSeconds: 2.5,
    },
  ],
  expectedSeconds: 2.5,
  singleBestSeconds: 4,
  keptWhole: false,
  summary: "all of it",
  ways: [
    { way: "one" as const, seconds: 4, nodes: 1, name: "a" },
    { way: "split" as const, seconds: 2.5, nodes: 1 },
  ],
  chosen: "split" as const,
  boundSeconds: 2,
};
const REQUESTS: { [M in PeerMethod]: PeerRequests[M] } = {
  lease: {
    question: { ...lease, contents: [Uint8Array.of(1, 2), new Uint8Array(4_096)] },
    answer: { accepted: false, reason: "its disk is full" },
  },
  takeBack: { question: { term: 3, shardIds: [shard("s")], because: "gone" }, answer: {} },
  report: {
    question: { results: [result("x", 0), failed], bases: [undefined, blob(6)], contents: [Uint8Array.of(3)] },
    answer: { recordedAtIndex: 12 },
  },
  fault: {
    question: { drillId: "drill-1", deed: "partition", inMs: 200, forMs: 5_000 },
    answer: { beginsInMs: 200, how: "its own network is cut" },
  },
  holding: {
    question: { term: 3 },
    answer: {
      shards: [
        { shardId: shard("s"), jobId: job("x"), items: [0, 4] },
        { shardId: shard("t"), jobId: job("x"), items: [1, 2], bases: [blob(7), undefined] },
      ],
    },
  },
  speed: { question: { bytes: 32_768 }, answer: { payload: new Uint8Array(3) } },
  infer: {
    question: { pipeline: "ocr", name: "page 1.png", input: new Uint8Array([1, 2]), deadlineMs: 900 },
    answer: { output: new Uint8Array([3]), durationMs: 12.5 },
  },
  fitPlaces: {
    question: { dataset: "tickets" },
    answer: { datasets: [{ name: "tickets", rows: 3, dimensions: 2, labels: ["a", "b"] }] },
  },
  fitRound: {
    question: {
      request: {
        ...{
          dataset: "tickets",
          labels: ["a", "b"],
          dimensions: 2,
          round: 4,
          weights: writeWeights(new Float64Array(6)),
        },
        terms: { optimiser: "sgd", learningRate: 0.1, l2: 0, localEpochs: 2, batchRows: 16, seed: 7 },
      },
    },
    answer: {
      part: {
        values: writeWeights(Float64Array.from([1, -2, 0.5, 0, 1e-9, 3])),
        trained: { rows: 3, loss: 1.5, right: 2 },
        heldOut: { rows: 0, loss: 0, right: 0 },
      },
    },
  },
  propose: { question: { entry: new Uint8Array([1]) }, answer: { index: 4, term: 2 } },
  copy: {
    question: { blobs: [blob(1)], inline: [new Uint8Array([5])], from: [B] },
    answer: { held: [blob(1)], reason: "" },
  },
  readSmall: {
    question: { blobs: [blob(1), blob(2)] },
    answer: { contents: [new Uint8Array([1, 2]), new Uint8Array()] },
  },
  pieces: {
    question: { blob: blob(1) },
    answer: { whole: false, here: new Uint8Array([1, 0]), coming: new Uint8Array([0, 1]) },
  },
  have: { question: { blobs: [blob(1), blob(2)] }, answer: { held: [blob(2)] } },
  check: {
    question: { blobs: [blob(1), blob(2), blob(3)] },
    answer: { sound: [blob(1)], damaged: [blob(2)], missing: [blob(3)] },
  },
  recompute: {
    question: { pipeline: "ocr", name: "a.png", blob: blob(1), from: [A, B] },
    answer: { output: blob(2), inline: new Uint8Array([7]), madeWith: blob(3) },
  },
  standOn: { question: { blobs: [blob(1), blob(2)] }, answer: { needed: [blob(2)], atMs: 1_700_000_000_000 } },
  doubt: { question: { blob: blob(3) }, answer: {} },
  snapshotNews: { question: { index: 7, failed: true, reason: "its disk is full" }, answer: {} },
  snapshot: { question: { index: 7 }, answer: { snapshot } },
  handOver: { question: { to: B }, answer: { leader: B, term: 9 } },
  story: { question: { jobId: job("x") }, answer: { storyJson: '{"term":3}' } },
  workAt: { question: { nodeId: B }, answer: { items: 3 } },
  standing: {
    question: {},
    answer: { term: 5, lastTerm: 4, lastIndex: 99, commit: 98, applied: 97, leads: false, keepsLog: true },
  },
  jobNews: {
    question: { jobId: job("x") },
    answer: {
      plan,
      leased: [{ nodeId: A, items: 3 }],
      predictionErrors: [{ nodeId: A, pipeline: "ocr", median: 0.25, shards: 12 }],
    },
  },
  fleetNews: {
    question: { rosterIndex: 6 },
    answer: {
      term: 4,
      leader: A,
      appliedIndex: 9,
      rosterIndex: 8,
      roster: [
        { nodeId: A, name: "a", addresses: ["/ip4/1.2.3.4/tcp/1"], admittedAtIndex: 2 },
        { nodeId: B, name: "b", addresses: [], admittedAtIndex: 3, part: "witness" },
      ],
      conf: { voters: [A], votersOutgoing: [B], learners: [], learnersNext: [], autoLeave: true, witnesses: [B] },
    },
  },
  record: { question: { entry: new Uint8Array([1]) }, answer: { jobId: job("x"), existing: true } },
  deputy: {
    question: { call: "job", argumentsJson: '["job-x"]', ticket: "t", offset: 7 },
    answer: { ticket: "t", piece: new Uint8Array([4, 5]), bytes: 9 },
  },
};

/** Node's Buffers and plain arrays of bytes hold the same. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, v) =>
      v?.type === "Buffer" ? v.data : ArrayBuffer.isView(v) ? [...(v as Uint8Array)] : v,
    ),
  );

describe("what is written is read back the same", () => {
  test.each(ENTRIES.map((entry) => [entry.kind, entry] as const))("ledger entry %s", (_, entry) => {
    expect(decodeLedgerEntry(encodeLedgerEntry(entry))).toEqual(entry);
  });

  test("a raft message with everything in it", () => {
    expect(plain(decodeRaftMessage(encodeRaftMessage(MESSAGE)))).toEqual(plain(MESSAGE));
  });

  test.each(Object.keys(REQUESTS) as PeerMethod[])("request %s, question and answer", (method) => {
    const { question, answer } = PEER_WIRE[method];
    const sample = REQUESTS[method];
    expect(plain(question.decode(question.encode(sample.question as never)))).toEqual(plain(sample.question));
    expect(plain(answer.decode(answer.encode(sample.answer as never)))).toEqual(plain(sample.answer));
  });

  test("a form that cannot be gone by is refused where it is read", () => {
    const entry = { kind: "jobFormed" as const, jobId: job("y"), form: formOf(segment([-1]), segment([1])) };
    expect(() => decodeLedgerEntry(encodeLedgerEntry(entry))).toThrowError(
      expect.objectContaining({ code: "FRAME_INVALID" }),
    );
  });

  test("a slice that ends before it begins is refused", () => {
    const [, { parts, ...item }] = lease.items as [unknown, (typeof lease.items)[1] & { parts: LeasedPart[] }];
    const [, values] = parts as [unknown, LeasedPart & { kind: "values" }];
    const bad = { ...item, parts: [{ ...values, slice: { sources: ["0.crops"], from: 8, to: 4 } }] };
    const { question } = PEER_WIRE.lease;
    expect(() => question.decode(question.encode({ ...lease, items: [bad] }))).toThrowError(
      expect.objectContaining({ code: "FRAME_INVALID" }),
    );
  });

  test("what goes along with a lease or a report is small and not much, or refused", () => {
    const { lease: leased, report } = PEER_WIRE;
    const tooLarge = [new Uint8Array(LIMITS.smallInHandBytesMax + 1)];
    const tooMany = Array.from({ length: LIMITS.carriedMax + 1 }, () => Uint8Array.of(1));
    for (const contents of [tooLarge, tooMany]) {
      const refused = expect.objectContaining({ code: "FRAME_INVALID" });
      expect(() => leased.question.decode(leased.question.encode({ ...lease, contents }))).toThrowError(refused);
      expect(() => report.question.decode(report.question.encode({ results: [], contents }))).toThrowError(refused);
    }
  });

  test("an error that quotes pages of complaint is cut, and still read", () => {
    const error = { ...failed.error, message: "x".repeat(9_000), facts: { reason: "y".repeat(9_000) } };
    const read = decodeLedgerEntry(encodeLedgerEntry(recorded({ ...failed, error })));
    const [told] = (read as LedgerEntry & { kind: "resultsRecorded" }).results;
    expect(told?.error?.message).toHaveLength(LIMITS.errorMessageBytesMax);
    expect(told?.error?.facts).toEqual({});
  });

  test("an invitation, whatever the fleet is called", () => {
    const invite = {
      inviteId: "inv-1" as InviteId,
      secret: "s",
      fleetName: "Gänse 🪿",
      addresses: ["/ip4/1.2.3.4"],
      expiresAtMs: 5,
    };
    expect(decodeInvite(encodeInvite(invite))).toEqual(invite);
  });
});

describe("bytes from outside are refused with a code, whatever they are", () => {
  const decoders: [string, (bytes: Uint8Array) => unknown][] = [
    ["raft message", decodeRaftMessage],
    ["ledger entry", decodeLedgerEntry],
    ["capacity report", decodeCapacityReport],
    ["ledger piece", decodeLedgerPiece],
    ["snapshot manifest", decodeManifest],
    ...Object.entries(PEER_WIRE).flatMap(([method, wire]): [string, (bytes: Uint8Array) => unknown][] => [
      [`${method} question`, wire.question.decode],
      [`${method} answer`, wire.answer.decode],
    ]),
  ];
  const decodes = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void => {
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(SkeinError);
      expect(["FRAME_INVALID", "BAD_REQUEST"]).toContain((error as SkeinError).code);
    }
  };

  test.each(decoders)("%s: random bytes", (_, decode) => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodes(decode, bytes)));
  });

  test("a real message with bytes changed, cut or doubled", () => {
    const seeds = [encodeRaftMessage(MESSAGE), ...ENTRIES.map(encodeLedgerEntry)];
    const change = fc.record({ seed: fc.nat(seeds.length - 1), at: fc.nat(400), to: fc.nat(255), cut: fc.nat(400) });
    fc.assert(
      fc.property(change, ({ seed, at, to, cut }) => {
        const bytes = Uint8Array.from(seeds[seed]!);
        if (at < bytes.length) bytes[at] = to;
        const decode = seed === 0 ? decodeRaftMessage : decodeLedgerEntry;
        decodes(decode, bytes.subarray(0, Math.max(1, bytes.length - (cut % 40))));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["another version", { ...MESSAGE }, (bytes: Uint8Array) => bytes.with(1, 9)],
    ["a sender that is not a node id", { ...MESSAGE, from: "me" as never }, (bytes: Uint8Array) => bytes],
    ["a type nobody knows", { ...MESSAGE }, (bytes: Uint8Array) => bytes.with(3, 99)],
    ["a term beyond reason", { ...MESSAGE, term: 2 ** 60 }, (bytes: Uint8Array) => bytes],
    ["an index beyond reason", { ...MESSAGE, index: 2 ** 60 }, (bytes: Uint8Array) => bytes],
    ["a larger entry than anyone may propose", withEntry(LIMITS.entryBytesMax + 1), (bytes: Uint8Array) => bytes],
    ["a context of the size of a blob", { ...MESSAGE, context: new Uint8Array(300) }, (bytes: Uint8Array) => bytes],
    ["more voters than a fleet has nodes", withVoters(257), (bytes: Uint8Array) => bytes],
    ["a voter that is not a node id", withVoters(1, "me" as never), (bytes: Uint8Array) => bytes],
  ])("a raft message with %s", (_, message, change) => {
    expect(() => decodeRaftMessage(change(Uint8Array.from(encodeRaftMessage(message))))).toThrow(SkeinError);
  });

  test("a raft message with the largest entry that may be proposed is no such thing", () => {
    const message = withEntry(LIMITS.entryBytesMax);
    expect(decodeRaftMessage(encodeRaftMessage(message)).entries[0]!.data.length).toBe(LIMITS.entryBytesMax);
  });

  test("a result with both an output and an error, or neither", () => {
    const both = { ...result("x", 0), error: failed.error };
    expect(() => decodeLedgerEntry(encodeLedgerEntry(recorded(both)))).toThrow(/either/);
  });

  const file = { path: "model.onnx", blob: blob(1), bytes: 1, use: "graph" as const };
  test.each([
    ["a path that leaves its folder", { files: [{ ...file, path: "../model.onnx" }] }],
    ["an absolute path", { files: [{ ...file, path: "/etc/passwd" }] }],
    ["a drive", { files: [{ ...file, path: "c:model.onnx" }] }],
    ["the other slash", { files: [{ ...file, path: "a\\b" }] }],
    ["two files of one path", { files: [file, { ...file, use: "labels" as const }] }],
    [
      "two files that some disks take for one",
      { files: [file, { ...file, path: "Model.onnx", use: "other" as const }] },
    ],
    ["a file that is another's folder", { files: [file, { ...file, path: "model.onnx/w", use: "weights" as const }] }],
    ["no graph", { files: [{ ...file, use: "labels" as const }] }],
    ["two graphs", { files: [file, { ...file, path: "b.onnx" }] }],
    ["a hash that is none", { files: [{ ...file, blob: "abc" as never }] }],
    ["a name that comes with the agent", { name: "ocr" }],
    ["a name with a colon", { name: "a:b" }],
    ["version 0", { version: 0 }],
    ["a key nobody knows", { color: "red" }],
    ["a type of tensor nobody knows", { inputs: [{ name: "x", datatype: "FP128" as never, shape: [] }] }],
  ])("a model with %s", (_, change) => {
    const bytes = encodeLedgerEntry(modelAdded({ ...manifest("digits"), ...change }));
    expect(() => decodeLedgerEntry(bytes)).toThrow(expect.objectContaining({ code: "FRAME_INVALID" }));
  });

  test.each([
    ["no version", { version: undefined }],
    ["a name that comes with the agent", { name: "ocr" }],
    ["a key nobody knows", { color: "red" }],
    ["no stages", { stages: {} }],
    ["a stage that runs nothing", { stages: { one: {} } }],
    ["a type nobody knows", { inputs: { x: { type: "FP128" } } }],
    ["more than it may have", { says: "x".repeat(LIMITS.pipelineBytesMax) }],
  ])("a pipeline with %s", (_, change) => {
    const { definition, ...entry } = pipelineAdded("reading", 3, { models: ["digits:2"] });
    const bytes = encodeLedgerEntry({ ...entry, definition: { ...definition, ...(change as object) } });
    expect(() => decodeLedgerEntry(bytes)).toThrow(expect.objectContaining({ code: "FRAME_INVALID" }));
  });

  test("a rule that is none, and a placement of more models than a fleet has", () => {
    const rule = { kind: "quiet", on: "*", from: "25:00", to: "06:00" } as const;
    const replicas = Array.from({ length: LIMITS.modelsMax + 1 }, (_, i) => ({ pipeline: `m${i}:1`, nodes: [] }));
    for (const entry of [
      { kind: "ruleChanged", ruleId: "rule-1", rule },
      { kind: "placementDecided", term: 1, replicas, decisionJson: "{}" },
    ] as const)
      expect(() => decodeLedgerEntry(encodeLedgerEntry(entry))).toThrow(
        expect.objectContaining({ code: "FRAME_INVALID" }),
      );
  });

  test.each(["", "skein1-", "skein1-%%%", "skein1-e30", "hello"])("an invitation that reads %j", (token) => {
    expect(() => decodeInvite(token)).toThrow(SkeinError);
  });
});
