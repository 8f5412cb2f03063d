import { expect, test } from "vitest";
import { Ledger } from "../../agent/core/ledger/index.ts";
import { modelMeant, modelsIn, pipelineMeant } from "../../agent/runtime/model-names.ts";
import type { LedgerEntry } from "../../shared/ledger-entry.ts";
import type { ModelManifest } from "../../shared/model.ts";
import { A, blob, job, pipelineAdded } from "../support/nouns.ts";

const manifest = (name: string, version: number): ModelManifest => ({
  name,
  version,
  files: [{ path: "model.onnx", blob: blob(version), bytes: 10, use: "graph" }],
  inputs: [{ name: "x", datatype: "FP32", shape: [-1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
  batches: false,
});

/** `tiny` 1 to 3 with `stable` on 2, `other` 1, and a job of `tiny:1` under the key "k". */
function ledgerWithModels(): Ledger {
  const ledger = new Ledger();
  let index = 0;
  const apply = (entry: LedgerEntry): void => {
    expect(ledger.apply(entry, ++index)).toMatchObject({ applied: true });
  };
  const added = { holders: [A], copies: 1, addedAtMs: 1, addedBy: A };
  for (const [name, version] of [
    ["tiny", 1],
    ["tiny", 2],
    ["tiny", 3],
    ["other", 1],
  ] as const)
    apply({ kind: "modelAdded", manifest: manifest(name, version), ...added });
  apply({ kind: "modelAliased", name: "tiny", alias: "stable", version: 2 });
  apply({
    kind: "jobSubmitted",
    jobId: job("x"),
    pipeline: "tiny:1",
    idempotencyKey: "k",
    inputs: [{ name: "a.json", blob: blob(9), bytes: 1 }],
    holders: [A],
    submittedBy: A,
    submittedAtMs: 1,
    priority: "normal",
    copies: 1,
  });
  return ledger;
}

test("a name may be that of a pipeline of stages: its newest version, with the models that it is made of", () => {
  const ledger = ledgerWithModels();
  for (const [version, part] of [
    [1, "tiny:3"],
    [2, "other:1"],
  ] as const)
    ledger.apply(pipelineAdded("reading", version, { models: [part] }), ledger.appliedIndex + 1);
  ledger.apply(pipelineAdded("outer", 1, { pipelines: ["reading:1"] }), ledger.appliedIndex + 1);
  const meant = (text: string, key: string | null = null) => modelMeant(modelsIn(ledger), text, key);
  expect(meant("reading")).toMatchObject({ pipeline: "reading:2", models: ["other:1"] });
  expect(meant("reading:1")).toMatchObject({ pipeline: "reading:1", models: ["tiny:3"] });
  expect(meant("outer")).toMatchObject({ pipeline: "outer:1", models: ["tiny:3"] });
  expect(meant("reading:3").pipeline).toBeNull();
  expect(meant("tiny")).not.toHaveProperty("models");
  expect(meant("nobody").known).toContain("outer:1");
  expect(pipelineMeant("reading", new Set(["tiny:1"]), ledger.planning)).toBe("reading:2");
});

test("a job names one version: by number, by alias, by name; and the one it had if it is handed in again", () => {
  const models = modelsIn(ledgerWithModels());
  const meant = (text: string, key: string | null = null) => modelMeant(models, text, key).pipeline;
  expect([meant("tiny:3"), meant("tiny:stable"), meant("tiny"), meant("other")]).toEqual([
    "tiny:3",
    "tiny:2",
    "tiny:2",
    "other:1",
  ]);
  expect([meant("tiny", "k"), meant("other", "k")]).toEqual(["tiny:1", "other:1"]);
  expect([meant("tiny:4"), meant("tiny:canary"), meant("Not a name"), meant("nobody")]).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(modelMeant(models, "nobody", null).known).toEqual(["tiny:1", "tiny:2", "tiny:3", "other:1", "tiny:stable"]);
});

test("who asks now gets what runs; without a ledger the newest version of the name that does", () => {
  const { planning } = ledgerWithModels();
  const running = new Set(["ocr", "canary", "tiny:9", "tiny:10", "other:1"]);
  expect(pipelineMeant("ocr", running, planning)).toBe("ocr");
  expect(pipelineMeant("tiny", running, planning)).toBe("tiny:2");
  expect(pipelineMeant("tiny", running)).toBe("tiny:10");
  expect(pipelineMeant("tiny:9", running)).toBe("tiny:9");
  expect(pipelineMeant("tiny:stable", running)).toBe("tiny:stable");
  expect(pipelineMeant("Not a name", running, planning)).toBe("Not a name");
});
