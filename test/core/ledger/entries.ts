/** Entries as a fleet might agree on them, and as no fleet would: the ledger takes them all. */
import fc from "fast-check";
import type { BlobHash, InviteId } from "../../../shared/ids.ts";
import { JOB_PRIORITIES, type LostAttempt } from "../../../shared/job.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { FormSegment } from "../../../shared/pipeline/compiled.ts";
import type { Rule } from "../../../shared/rules.ts";
import {
  blob,
  founded,
  job,
  manifest,
  modelAdded,
  node,
  pipelineAdded,
  recorded,
  result,
  shard,
  submitted,
} from "../../support/nouns.ts";
import { formOf, over, segment } from "../../support/staged.ts";

const nodes = ["a", "b", "c", "d"].map(node);
const aNode = fc.constantFrom(...nodes);
const someNodes = fc.subarray(nodes);
const aJob = fc.constantFrom("j0", "j1", "j2", "j3");
/** Jobs, and stage jobs that they may have; "j1" is staged in what is agreed first. */
const aTaskOf = fc.oneof(aJob, fc.constantFrom("j0/0", "j1/0", "j1/1", "j1/2"));
const ITEMS = 70;
const anItem = fc.nat(ITEMS - 1);
/** Inputs and outputs of all jobs are among these, so that jobs stand on one another's blobs. */
const aBlob: fc.Arbitrary<BlobHash> = fc.nat(6).map((n) => blob(1_000 + n));
const aDrill = fc.constantFrom("d0", "d1", "d2");
const anInvite = fc.constantFrom("i0", "i1", "i2").map((id) => id as InviteId);

const SIGNATURE = Buffer.alloc(64, 5).toString("base64");
const LOST: LostAttempt = {
  node: nodes[1]!,
  shardId: shard("j0/1.1"),
  leasedAtMs: 1,
  endedAtMs: 2,
  because: "it was taken back because b is gone",
  isHedge: false,
};

const aResult = fc
  .record({
    name: aTaskOf,
    item: fc.oneof(anItem, fc.nat(4)),
    elements: fc.array(fc.nat(5), { minLength: 1, maxLength: 2 }),
    output: fc.oneof(aBlob, fc.nat(500).map(blob)),
    node: aNode,
    holders: someNodes,
  })
  .chain(({ name, ...more }) =>
    fc.boolean().map((fails) => {
      if (!fails) return result(name, more.item, more);
      const { output: _output, elements: _elements, ...rest } = result(name, more.item, more);
      return {
        ...rest,
        outputBytes: 0,
        madeWith: blob(7),
        signature: SIGNATURE,
        lostAttempts: [LOST],
        error: { code: "INPUT_EMPTY" as const, message: "empty", facts: { name } },
      };
    }),
  );

const aModelName = fc.constantFrom("m0", "m1", "ocr2.v-3");
const aVersion = fc.integer({ min: 1, max: 3 });
/** Models stand on one another's files, and on those of jobs. */
const aManifest = fc
  .record({ name: aModelName, version: aVersion, files: fc.uniqueArray(aBlob, { minLength: 1, maxLength: 3 }) })
  .map(({ name, version, files }) => {
    const use = (i: number) => (i === 0 ? ("graph" as const) : ("weights" as const));
    return manifest(
      name,
      version,
      files.map((file, i) => ({ path: `f${i}`, blob: file, bytes: 10, use: use(i) })),
    );
  });
const aRule: fc.Arbitrary<Rule> = fc.constantFrom<Rule>(
  { kind: "pin", model: "m0", on: "zone=garage" },
  { kind: "replicas", model: "*", min: 1, max: 3 },
  { kind: "replicas", model: "m1:2", min: 2 },
  { kind: "quiet", on: "*", from: "22:30", to: "06:00" },
  { kind: "reserve", on: "a", bytes: 1e9 },
);
const aPlacement = fc
  .record({ term: fc.nat(4), name: aModelName, version: aVersion, nodes: someNodes })
  .map(({ term, name, version, nodes: placed }): LedgerEntry => {
    const replicas = [{ pipeline: `${name}:${version}`, nodes: placed }];
    return { kind: "placementDecided", term, replicas, decisionJson: `{"term":${term}}` };
  });

/** Pipelines stand on models and on one another; now and then one wants a model's name. */
const aPipelineName = fc.constantFrom("p0", "p1", "m1");
const aPipeline = fc
  .record({ name: aPipelineName, version: aVersion, says: fc.constantFrom("", "more"), on: fc.nat(2), part: aVersion })
  .map(
    ({ name, version, says, on, part }): LedgerEntry =>
      pipelineAdded(name, version, on < 2 ? { models: [`m${on}:${part}`] } : { pipelines: [`p0:${part}`] }, says),
  );

/** What people and leaders say of models and of where work goes. */
const aPlanningEntry: fc.Arbitrary<LedgerEntry> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({ model: aManifest, holders: someNodes, copies: fc.integer({ min: 1, max: 3 }), addedAtMs: fc.nat(9) })
      .map(({ model, ...more }): LedgerEntry => modelAdded(model, more)),
  },
  fc.record({ name: aModelName, version: aVersion }).map((which): LedgerEntry => ({ kind: "modelRemoved", ...which })),
  fc
    .record({ name: aModelName, alias: fc.constantFrom("stable", "next"), version: fc.nat(3) })
    .map((alias): LedgerEntry => ({ kind: "modelAliased", ...alias })),
  fc
    .record({ ruleId: fc.constantFrom("rule-1", "rule-2"), rule: fc.option(aRule, { nil: undefined }) })
    .map(({ ruleId, rule }): LedgerEntry => ({ kind: "ruleChanged", ruleId, ...(rule && { rule }) })),
  aPlacement,
  aPipeline,
  fc
    .record({ name: aPipelineName, version: aVersion })
    .map((which): LedgerEntry => ({ kind: "pipelineRemoved", ...which })),
  fc
    .record({ name: aJob, made: fc.nat(99) })
    .map(({ name, made }): LedgerEntry => ({ kind: "jobPlanned", jobId: job(name), decisionJson: `{"n":${made}}` })),
);

const aForm = fc
  .array(fc.constantFrom<Partial<FormSegment>>({}, { onError: "skip" }, over(0), over(0, 2, 1)), { maxLength: 4 })
  .map((drawn) => {
    const stages = drawn.map((more, at) => segment([at - 1], at > 0 ? more : {}));
    return formOf(...stages, segment([stages.length - 1]));
  });

/** How jobs are cut, and what is lost of them. */
const aStageEntry: fc.Arbitrary<LedgerEntry> = fc.oneof(
  fc
    .record({ name: aJob, form: aForm })
    .map(({ name, form }): LedgerEntry => ({ kind: "jobFormed", jobId: job(name), form })),
  fc
    .record({ name: aTaskOf, items: fc.uniqueArray(fc.nat(6), { maxLength: 5 }) })
    .map(({ name, items }): LedgerEntry => ({ kind: "resultsLost", jobId: job(name), items })),
);

export const anEntry: fc.Arbitrary<LedgerEntry> = fc.oneof(
  fc.constant(founded),
  anInvite.map((inviteId): LedgerEntry => ({ kind: "inviteIssued", inviteId, secretHash: "h", expiresAtMs: 10 })),
  fc.record({ inviteId: anInvite, nodeId: aNode, part: fc.constantFrom("full", "witness") }).map(
    ({ inviteId, nodeId, part }): LedgerEntry => ({
      kind: "nodeAdmitted",
      inviteId,
      nodeId,
      ...(part === "witness" ? { part } : {}),
      name: "box",
      addresses: ["/ip4/10.0.0.2/tcp/7400"],
      admittedAtMs: 5,
    }),
  ),
  { weight: 1, arbitrary: aNode.map((nodeId): LedgerEntry => ({ kind: "nodeRemoved", nodeId })) },
  fc
    .record({ nodeId: aNode, drained: fc.boolean(), leaving: fc.boolean() })
    .map((drain): LedgerEntry => ({ kind: "nodeDrained", ...drain })),
  fc
    .record({ recoveredBy: aNode, removed: fc.subarray(nodes, { maxLength: 1 }) })
    .map((recovery): LedgerEntry => ({ kind: "fleetRecovered", ...recovery, recoveredAtMs: 9 })),
  aNode.map((nodeId): LedgerEntry => ({ kind: "nodeMoved", nodeId, addresses: ["/ip4/10.0.0.9/tcp/7400"] })),
  fc
    .record({ name: fc.constantFrom("a", "b", "votersMax"), value: fc.constantFrom("", "3", "words") })
    .map((setting): LedgerEntry => ({ kind: "settingChanged", ...setting })),
  {
    weight: 3,
    arbitrary: fc
      .record({
        name: aJob,
        items: fc.constantFrom(0, 1, 3, ITEMS),
        holders: someNodes,
        priority: fc.constantFrom(...JOB_PRIORITIES),
        copies: fc.integer({ min: 1, max: 3 }),
        staged: fc.boolean(),
        cut: fc.constantFrom(undefined, "whole" as const, "stages" as const),
      })
      .map(({ name, items, staged, cut, ...more }): LedgerEntry => {
        const wishes = { ...more, ...(staged && { staged, ...(cut && { cut }) }), deadlineAtMs: 1_000 };
        return submitted(name, items, wishes);
      }),
  },
  fc
    .record({ name: aJob, paused: fc.boolean() })
    .map(({ name, paused }): LedgerEntry => ({ kind: "jobPaused", jobId: job(name), paused })),
  aJob.map((name): LedgerEntry => ({ kind: "jobExpired", jobId: job(name), expiredAtMs: 88 })),
  fc
    .array(aJob, { maxLength: 2 })
    .map((names): LedgerEntry => ({ kind: "jobsForgotten", jobIds: names.map((name) => job(name)) })),
  fc
    .record({ nodeId: aNode, labels: fc.constantFrom({}, { zone: "garage" }, { zone: "attic", power: "battery" }) })
    .map((said): LedgerEntry => ({ kind: "nodeLabelled", ...said })),
  fc
    .record({ drillId: aDrill, startedAtMs: fc.nat(30) })
    .map(
      (drill): LedgerEntry => ({ kind: "drillBegun", ...drill, startedBy: nodes[0]!, untilMs: drill.startedAtMs + 10 }),
    ),
  aDrill.map((drillId): LedgerEntry => ({ kind: "drillEnded", drillId, recordJson: "{}" })),
  { weight: 6, arbitrary: aPlanningEntry },
  { weight: 4, arbitrary: aStageEntry },
  aJob.map((name): LedgerEntry => ({ kind: "jobCancelled", jobId: job(name), reason: "why not", cancelledAtMs: 77 })),
  {
    weight: 6,
    arbitrary: fc.array(aResult, { minLength: 1, maxLength: 8 }).map((results): LedgerEntry => recorded(...results)),
  },
  {
    weight: 2,
    arbitrary: fc.record({ blob: aBlob, added: someNodes, dropped: someNodes }).map(
      (change): LedgerEntry => ({
        kind: "holdersChanged",
        changes: [change],
      }),
    ),
  },
);

/** A fleet of two with a job and a model, so that most of what follows means something. */
export const firstEntries: LedgerEntry[] = [
  founded,
  { kind: "inviteIssued", inviteId: "i9" as InviteId, secretHash: "h", expiresAtMs: 10 },
  { kind: "nodeAdmitted", inviteId: "i9" as InviteId, nodeId: nodes[1]!, name: "b", addresses: [], admittedAtMs: 5 },
  submitted("j0", 3),
  submitted("j1", 3, { staged: true }),
  {
    kind: "jobFormed",
    jobId: job("j1"),
    form: formOf(
      segment([-1]),
      segment([0], over(0, 2)),
      segment([1], { ...over(0, 2), onError: "skip" }),
      segment([2]),
    ),
  },
  recorded(result("j1/0", 1, { elements: [3] })),
  { kind: "settingChanged", name: "a", value: "1" },
  modelAdded(manifest("m0", 1, [{ path: "f0", blob: blob(1_001), bytes: 10, use: "graph" }]), { holders: [nodes[1]!] }),
  { kind: "modelAliased", name: "m0", alias: "stable", version: 1 },
  pipelineAdded("p0", 1, { models: ["m0:1"] }),
  { kind: "ruleChanged", ruleId: "rule-1", rule: { kind: "pin", model: "m0", on: "zone=garage" } },
  {
    kind: "placementDecided",
    term: 1,
    replicas: [{ pipeline: "m0:1", nodes: [nodes[0]!] }],
    decisionJson: '{"term":1}',
  },
  { kind: "jobPlanned", jobId: job("j0"), decisionJson: '{"n":0}' },
];
