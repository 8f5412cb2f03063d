import { beforeEach, describe, expect, test } from "vitest";
import { findModel, findPipeline, Ledger, type LedgerOutcome } from "../../../agent/core/ledger/index.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
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
  submitted,
} from "../../support/nouns.ts";

let ledger: Ledger;
const apply = (entry: LedgerEntry): LedgerOutcome => {
  const outcome = ledger.apply(entry, ledger.appliedIndex + 1);
  ledger.assertSound();
  return outcome;
};
const removed = (name: string, version: number): LedgerEntry => ({ kind: "modelRemoved", name, version });
const aliased = (alias: string, version: number, name = "digits"): LedgerEntry => ({
  kind: "modelAliased",
  name,
  alias,
  version,
});
const placed = (term: number, ...pipelines: string[]): LedgerEntry => ({
  kind: "placementDecided",
  term,
  replicas: pipelines.map((pipeline) => ({ pipeline, nodes: [A] })),
  decisionJson: `{"term":${term}}`,
});
const planned = (name: string, n: number): LedgerEntry => ({
  kind: "jobPlanned",
  jobId: job(name),
  decisionJson: `{"n":${n}}`,
});
const codeOf = (outcome: LedgerOutcome): string | undefined => (outcome.applied ? undefined : outcome.error.code);
const models = (): string[] => [...ledger.planning.models.keys()];
const found = (text: string): number | undefined => findModel(ledger.planning, text)?.manifest.version;

beforeEach(() => {
  ledger = new Ledger();
  apply(founded);
});

describe("models", () => {
  test("a model's files are held, and wanted, like a job's", () => {
    const { kind, ...model } = modelAdded(manifest("digits"), { copies: 3 });
    expect(apply({ kind, ...model }).events).toEqual([{ kind, model }]);
    expect(ledger.holdersOf(blob(3_001))).toEqual([A]);
    expect(ledger.copiesOf(blob(3_001))).toBe(3);
  });

  test("the same again is a no-op, whoever offers it and when; another under that version is refused", () => {
    apply(modelAdded(manifest("digits")));
    const again = apply(modelAdded(manifest("digits"), { addedBy: B, addedAtMs: 9, holders: [B] }));
    expect(again).toEqual({ applied: true, events: [] });
    expect(ledger.holdersOf(blob(3_001))).toEqual([A]);
    expect(codeOf(apply(modelAdded({ ...manifest("digits"), batches: false })))).toBe("MODEL_EXISTS");
    expect(models()).toEqual(["digits:1"]);
  });

  test("there are so many and no more, until one goes", () => {
    for (let version = 1; version <= LIMITS.modelsMax; version++) apply(modelAdded(manifest("digits", version)));
    expect(codeOf(apply(modelAdded(manifest("letters"))))).toBe("TOO_LARGE");
    expect(ledger.holders.size).toBe(LIMITS.modelsMax);
    apply(removed("digits", 1));
    expect(apply(modelAdded(manifest("letters"))).applied).toBe(true);
  });

  test("a removed one lets go of the files that nothing else stands on", () => {
    const shared = { path: "labels.txt", blob: blob(1_000), bytes: 10, use: "labels" as const };
    const [graph] = manifest("digits").files;
    const { kind, ...first } = modelAdded(manifest("digits", 1, [graph!, shared]));
    apply({ kind, ...first });
    apply(submitted("x", 1));
    expect(apply(removed("digits", 1)).events).toEqual([{ kind: "modelRemoved", model: first, blobs: [graph!.blob] }]);
    expect(ledger.holdersOf(shared.blob)).toEqual([A]);
    expect(ledger.copiesOf(shared.blob)).toBe(2);
    expect(apply(removed("digits", 1))).toEqual({ applied: true, events: [] });
  });

  test("with it go its aliases and its places, and no others", () => {
    for (const version of [1, 2]) apply(modelAdded(manifest("digits", version)));
    apply(modelAdded(manifest("letters", 1, [{ ...manifest("l").files[0]!, blob: blob(4_000) }])));
    for (const [alias, version, name] of [
      ["old", 1, "digits"],
      ["new", 2, "digits"],
      ["old", 1, "letters"],
    ] as const)
      apply(aliased(alias, version, name));
    apply(placed(1, "digits:1", "digits:2", "letters:1"));
    apply(removed("digits", 1));
    expect([...ledger.planning.aliases.keys()]).toEqual(["digits:new", "letters:old"]);
    expect(ledger.planning.placements[0]?.replicas.map(({ pipeline }) => pipeline)).toEqual(["digits:2", "letters:1"]);
  });

  test("a forgotten job does not take a model's files with it", () => {
    const graph = { path: "model.onnx", blob: blob(1_000), bytes: 10, use: "graph" as const };
    apply(modelAdded(manifest("digits", 1, [graph])));
    apply(submitted("x", 1));
    apply(recorded(result("x", 0)));
    const [forgotten] = apply({ kind: "jobsForgotten", jobIds: [job("x")] }).events;
    expect(forgotten).toMatchObject({ blobs: [blob(2_000)] });
    expect(ledger.copiesOf(graph.blob)).toBe(2);
  });
});

describe("what a name means", () => {
  beforeEach(() => {
    for (const version of [1, 2, 10]) apply(modelAdded(manifest("digits", version)));
  });

  test("a bare name is its alias stable, or the newest version; a version is that one; an alias is what it was said to be", () => {
    expect(found("digits")).toBe(10);
    apply(aliased("stable", 1));
    apply(aliased("canary", 2));
    expect([found("digits"), found("digits:stable"), found("digits:canary"), found("digits:10")]).toEqual([
      1, 1, 2, 10,
    ]);
    apply(aliased("stable", 2));
    expect(found("digits")).toBe(2);
    apply(aliased("stable", 0));
    expect(found("digits")).toBe(10);
  });

  test("what nobody knows is not found, and an alias cannot mean it", () => {
    expect([found("letters"), found("digits:3"), found("digits:stable")]).toEqual([undefined, undefined, undefined]);
    expect(codeOf(apply(aliased("stable", 3)))).toBe("MODEL_UNKNOWN");
    expect(ledger.planning.aliases.size).toBe(0);
  });

  test("there are so many aliases and no more; one that is there may still be moved", () => {
    for (let i = 0; i < LIMITS.modelAliasesMax; i++) apply(aliased(`alias-${i}`, 1));
    expect(codeOf(apply(aliased("one-more", 1)))).toBe("TOO_LARGE");
    expect(apply(aliased("alias-0", 2)).applied).toBe(true);
    expect(ledger.planning.aliases.size).toBe(LIMITS.modelAliasesMax);
  });
});

describe("rules", () => {
  const rule = (ruleId: string, percent?: number): LedgerEntry => ({
    kind: "ruleChanged",
    ruleId,
    ...(percent !== undefined && { rule: { kind: "battery", on: "*", percent } }),
  });

  test("a rule holds until it is taken back, and its id is not given twice", () => {
    expect(apply(rule("rule-1", 40)).events).toEqual([{ kind: "rulesChanged" }]);
    expect(apply(rule("rule-1", 40)).applied).toBe(true);
    expect(codeOf(apply(rule("rule-1", 50)))).toBe("BAD_REQUEST");
    expect([...ledger.planning.rules.values()]).toEqual([{ kind: "battery", on: "*", percent: 40 }]);
    apply(rule("rule-1"));
    expect(ledger.planning.rules.size).toBe(0);
    expect(apply(rule("rule-1")).applied).toBe(true);
  });

  test("there are so many and no more", () => {
    for (let i = 0; i < LIMITS.rulesMax; i++) apply(rule(`rule-${i}`, 40));
    expect(codeOf(apply(rule("one-more", 40)))).toBe("TOO_LARGE");
  });
});

describe("decisions", () => {
  test("the last placement holds, the one before is kept for comparing, a deposed leader's is refused", () => {
    apply(modelAdded(manifest("digits")));
    for (let term = 1; term <= LIMITS.placementsKept + 2; term++) apply(placed(term, "digits:1"));
    const terms = (): number[] => ledger.planning.placements.map(({ term }) => term);
    expect(terms()).toEqual([3, 4, 5, 6]);
    expect(codeOf(apply(placed(5, "digits:1")))).toBe("BAD_REQUEST");
    expect(apply(placed(6, "digits:1")).events).toEqual([{ kind: "placementDecided" }]);
    expect(terms()).toEqual([4, 5, 6, 6]);
  });

  test("a model that went while its placement was decided has no place", () => {
    apply(modelAdded(manifest("digits")));
    apply(placed(1, "gone:1", "digits:1"));
    expect(ledger.planning.placements[0]?.replicas.map(({ pipeline }) => pipeline)).toEqual(["digits:1"]);
  });

  test("of a job the newest are kept, of the jobs those that were decided last; they go with their job", () => {
    for (const name of ["a", "b"]) apply(submitted(name, 1));
    for (let n = 0; n < LIMITS.decisionsPerJob + 3; n++) apply(planned("a", n));
    expect(ledger.planning.decisions.get(job("a"))).toEqual(['{"n":3}', '{"n":4}', '{"n":5}', '{"n":6}']);
    apply(planned("b", 1));
    apply(planned("a", 9));
    expect([...ledger.planning.decisions.keys()]).toEqual([job("b"), job("a")]);
    apply(recorded(result("a", 0)));
    apply({ kind: "jobsForgotten", jobIds: [job("a")] });
    expect([...ledger.planning.decisions.keys()]).toEqual([job("b")]);
    expect(codeOf(apply(planned("a", 10)))).toBe("JOB_UNKNOWN");
  });

  test("decisions of so many jobs are kept, the oldest go first", () => {
    for (let i = 0; i <= LIMITS.decisionsKept; i++) {
      apply(submitted(`j${i}`, 1));
      apply(recorded(result(`j${i}`, 0)));
      apply(planned(`j${i}`, i));
    }
    expect(ledger.planning.decisions.size).toBe(LIMITS.decisionsKept);
    expect(ledger.planning.decisions.has(job("j0"))).toBe(false);
  });
});

describe("pipelines", () => {
  const gone = (name: string, version: number): LedgerEntry => ({ kind: "pipelineRemoved", name, version });
  const pipelines = (): string[] => [...ledger.planning.pipelines.keys()];
  const reading = pipelineAdded("reading", 1, { models: ["digits:1"] });
  beforeEach(() => {
    apply(modelAdded(manifest("digits")));
    apply(reading);
  });

  test("the same again is a no-op, whoever offers it; another under that version is refused", () => {
    expect(apply({ ...reading, addedBy: B, addedAtMs: 9 })).toEqual({ applied: true, events: [] });
    expect(codeOf(apply(pipelineAdded("reading", 1, { models: ["digits:1"] }, "more")))).toBe("PIPELINE_EXISTS");
    expect(apply(pipelineAdded("reading", 2, { models: ["digits:1"] }, "more")).events).toEqual([
      { kind: "pipelinesChanged" },
    ]);
    expect(pipelines()).toEqual(["reading:1", "reading:2"]);
  });

  test("models and pipelines share one space of names", () => {
    const outcome = apply(pipelineAdded("digits", 7, { models: ["digits:1"] }));
    expect(!outcome.applied && outcome.error.toJSON()).toMatchObject({ code: "NAME_TAKEN", facts: { of: "model" } });
    expect(codeOf(apply(modelAdded(manifest("reading", 9))))).toBe("NAME_TAKEN");
    expect(models()).toEqual(["digits:1"]);
  });

  test("what it is made of must be there", () => {
    expect(codeOf(apply(pipelineAdded("other", 1, { models: ["digits:1", "letters:1"] })))).toBe("MODEL_UNKNOWN");
    expect(codeOf(apply(pipelineAdded("other", 1, { pipelines: ["other:1"] })))).toBe("UNKNOWN_PIPELINE");
    const { definition, ...entry } = pipelineAdded("other", 1, { models: ["digits:1"] });
    const stages = {
      ...definition.stages,
      words: { operator: "text/ngrams@1", files: { vocabulary: "letters:2/v.txt" } },
    };
    expect(codeOf(apply({ ...entry, definition: { ...definition, stages } }))).toBe("MODEL_UNKNOWN");
    expect(pipelines()).toEqual(["reading:1"]);
  });

  test("and stays while it is there", () => {
    apply(pipelineAdded("outer", 1, { pipelines: ["reading:1"] }));
    const outcome = apply(removed("digits", 1));
    expect(!outcome.applied && outcome.error.message).toBe(
      "digits:1 is not removed: pipelines are made of it (reading:1). Remove those first.",
    );
    expect(codeOf(apply(gone("reading", 1)))).toBe("PART_WANTED");
    expect(apply(gone("outer", 1)).events).toEqual([{ kind: "pipelinesChanged" }]);
    expect(apply(gone("reading", 1)).applied).toBe(true);
    expect(apply(gone("reading", 1))).toEqual({ applied: true, events: [] });
    expect(apply(removed("digits", 1)).applied).toBe(true);
    expect([pipelines(), models()]).toEqual([[], []]);
  });

  test("a bare name is the newest version, by number", () => {
    for (const version of [10, 9]) apply(pipelineAdded("reading", version, { models: ["digits:1"] }));
    const meant = (text: string) => findPipeline(ledger.planning, text)?.definition.version;
    expect([meant("reading"), meant("reading:9"), meant("reading:2"), meant("digits")]).toEqual([
      10,
      9,
      undefined,
      undefined,
    ]);
  });

  test("there are so many and no more", () => {
    for (let version = 2; version <= LIMITS.pipelinesMax; version++)
      apply(pipelineAdded("reading", version, { models: ["digits:1"] }));
    expect(codeOf(apply(pipelineAdded("one-more", 1, { models: ["digits:1"] })))).toBe("TOO_LARGE");
  });
});
