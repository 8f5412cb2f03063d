import { beforeEach, expect, test } from "vitest";
import { Ledger } from "../../agent/core/ledger/index.ts";
import { PipelineCatalogue } from "../../agent/runtime/pipelines/catalogue.ts";
import { PipelineRegistry } from "../../agent/runtime/pipelines/registry.ts";
import type { Proposer } from "../../agent/runtime/proposer.ts";
import type { Surroundings } from "../../agent/runtime/surroundings.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { LedgerEntry } from "../../shared/ledger-entry.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import type { PipelineParts, PipelineSource } from "../../shared/pipeline-registry.ts";
import { decodeLedgerEntry, encodeLedgerEntry } from "../../shared/wire/ledger.ts";
import { A, founded, modelAdded, submitted } from "../support/nouns.ts";
import { CUSTOMER_SERVICE, READ_ONE, SOME_MODELS, SOME_OPERATORS } from "../support/pipeline-parts.ts";

let nowMs: number;
let ledger: Ledger;
let logged: string[];
let registry: PipelineRegistry;
let pipelines: PipelineCatalogue;
/** Runs before an entry is applied: what somebody else did meanwhile. */
let meanwhile: (() => void) | undefined;

const operators = new Map(SOME_OPERATORS.map((spec) => [spec.name, spec]));
const text = (more = ""): PipelineSource => ({
  text: CUSTOMER_SERVICE.replace("version: 1\n", "").replace("the reply to it.", `the reply to it.${more}`),
});

function apply(entry: LedgerEntry): void {
  const outcome = ledger.apply(decodeLedgerEntry(encodeLedgerEntry(entry)), ledger.appliedIndex + 1);
  if (!outcome.applied) throw outcome.error;
}
const proposer = {
  async propose(entry: LedgerEntry) {
    meanwhile?.();
    meanwhile = undefined;
    apply(entry);
  },
} as unknown as Proposer;
const world = {
  clock: { nowMs: () => nowMs },
  network: { self: A },
  telemetry: { log: (_level: string, event: string) => void logged.push(event) },
} as unknown as Surroundings;

const catalogueOf = (
  holdsLedger: boolean,
  askParts: (reference: string) => Promise<PipelineParts>,
): PipelineCatalogue => new PipelineCatalogue(world, { ledger, holdsLedger: () => holdsLedger, operators, askParts });

beforeEach(() => {
  [nowMs, logged, meanwhile] = [1_000, [], undefined];
  ledger = new Ledger();
  apply(founded);
  for (const model of SOME_MODELS) apply(modelAdded(model));
  pipelines = catalogueOf(true, () => Promise.reject(new Error("a node with the ledger asks nobody")));
  registry = new PipelineRegistry(world, { ledger, proposer, pipelines, nodes: () => [] });
});

test("versions count up; the same again is no new one", async () => {
  expect(await registry.add(text())).toEqual({ pipeline: "customer-service:1", existing: false });
  expect(await registry.add(text(" And more."))).toEqual({ pipeline: "customer-service:2", existing: false });
  expect(await registry.add(text())).toEqual({ pipeline: "customer-service:1", existing: true });
  expect(registry.check(text(" Most."))).toMatchObject({ pipeline: "customer-service:3", existing: false });
  expect(registry.list().map(({ pipeline, stages, models }) => ({ pipeline, stages, models }))).toEqual(
    [1, 2].map((n) => ({ pipeline: `customer-service:${n}`, stages: 6, models: ["intent:1", "intent-large:1"] })),
  );
  expect(registry.show("customer-service")).toMatchObject({
    version: 2,
    outputs: { intent: "text" },
    compiled: { reference: "customer-service:2" },
  });
});

test("a version that was asked for is given once", async () => {
  await registry.add({ definition: { ...READ_ONE, version: 7 } });
  const other = { ...READ_ONE, version: 7, says: "another" };
  await expect(registry.add({ definition: other })).rejects.toMatchObject({ code: "PIPELINE_EXISTS" });
  expect(await registry.add({ definition: { ...READ_ONE, version: 7 } })).toMatchObject({ existing: true });
});

test("one that somebody else takes meanwhile is the next", async () => {
  meanwhile = () =>
    apply({ kind: "pipelineAdded", definition: { ...READ_ONE, version: 1, says: "theirs" }, addedBy: A, addedAtMs: 1 });
  const { version: _, ...mine } = READ_ONE;
  expect(await registry.add({ definition: mine })).toEqual({ pipeline: "read-one:2", existing: false });
});

test("a fault, a model's name and a model that goes meanwhile are refused", async () => {
  const wrong = { text: CUSTOMER_SERVICE.replace("intent:1", "intend:1") };
  await expect(registry.add(wrong)).rejects.toMatchObject({ code: "PIPELINE_INVALID" });
  await expect(registry.add({ definition: { ...READ_ONE, name: "voice" } })).rejects.toMatchObject({
    code: "NAME_TAKEN",
  });
  await expect(registry.add({ definition: [] as unknown as PipelineDefinition })).rejects.toMatchObject({
    code: "PIPELINE_INVALID",
  });
  meanwhile = () => apply({ kind: "modelRemoved", name: "recognise", version: 1 });
  await expect(registry.add({ definition: READ_ONE })).rejects.toMatchObject({ code: "MODEL_UNKNOWN" });
  expect(registry.list()).toEqual([]);
});

test("what goes is what was named, and open jobs want it until they are cancelled", async () => {
  await registry.add(text());
  await registry.add(text(" And more."));
  await expect(registry.remove("customer-service", false)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  apply({ ...submitted("x", 1), pipeline: "customer-service:1" } as LedgerEntry);
  await expect(registry.remove("customer-service:1", false)).rejects.toMatchObject({ code: "PIPELINE_WANTED" });
  expect(registry.show("customer-service:1").jobs).toHaveLength(1);
  expect(await registry.remove("customer-service:1", true)).toMatchObject({ removed: "customer-service:1" });
  expect(ledger.openJobs()).toEqual([]);
  expect(await registry.remove("customer-service", false)).toEqual({ removed: "customer-service:2", cancelled: [] });
  await expect(registry.remove("customer-service", false)).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
});

test("what is compiled is compiled once, and anew when a name is given anew", async () => {
  await registry.add({ definition: READ_ONE });
  const first = pipelines.compiled("read-one:1");
  expect(first?.stages).toHaveLength(4);
  expect(pipelines.compiled("read-one:1")).toBe(first);
  expect(await pipelines.fetched("read-one:1")).toBe(first);
  await registry.remove("read-one:1", false);
  expect(pipelines.compiled("read-one:1")).toBeUndefined();
  await registry.add({ definition: { ...READ_ONE, says: "another" } });
  expect(pipelines.compiled("read-one:1")?.says).toBe("another");
});

test("a node without the ledger compiles what a member tells, and asks again after a while", async () => {
  await registry.add({ definition: READ_ONE });
  const outer: PipelineDefinition = {
    name: "outer",
    inputs: { crops: { type: "list<UINT8[-1,-1,3]>" } },
    stages: { read: { pipeline: "read-one:1", in: { crop: "crops" }, map: ["crop"] } },
    outputs: { texts: "read.text" },
  };
  await registry.add({ definition: outer });
  const asked: string[] = [];
  const far = catalogueOf(false, async (reference) => {
    asked.push(reference);
    return JSON.parse(JSON.stringify(registry.parts(reference))) as PipelineParts;
  });
  expect(far.compiled("outer:1")).toBeUndefined();
  expect(await far.fetched("outer:1")).toEqual(pipelines.compiled("outer:1"));
  expect(far.compiled("outer:1")).toEqual(pipelines.compiled("outer:1"));
  await far.fetched("outer:1");
  expect(asked).toEqual(["outer:1"]);
  nowMs += 61_000;
  await far.fetched("outer:1");
  expect(asked).toEqual(["outer:1", "outer:1"]);
  await expect(far.fetched("nobody:1")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
});

test("a member's answer is checked like anything else from a peer", async () => {
  const answers: unknown[] = [
    { pipelines: [READ_ONE], models: [] },
    { pipelines: [{ ...READ_ONE, name: "other" }], models: SOME_MODELS },
    { pipelines: [{ ...READ_ONE, stages: 3 }], models: SOME_MODELS },
    { pipelines: [READ_ONE], models: [{ name: "recognise" }] },
    { pipelines: "x" },
  ];
  for (const answer of answers) {
    const far = catalogueOf(false, async () => answer as PipelineParts);
    await expect(far.fetched("read-one:1")).rejects.toBeInstanceOf(SkeinError);
    expect(far.compiled("read-one:1")).toBeUndefined();
  }
});

test("one with an operator that this box does not have is listed, and told once", () => {
  const { stages } = READ_ONE;
  const definition = {
    ...READ_ONE,
    version: 1,
    stages: { ...stages, best: { ...stages.best!, operator: "own/best@1" } },
  };
  apply({ kind: "pipelineAdded", definition, addedBy: A, addedAtMs: 1 });
  expect(registry.show("read-one")).toMatchObject({ stages: 4, outputs: { text: "any", score: "any" } });
  expect(registry.show("read-one")).not.toHaveProperty("compiled");
  expect(logged).toEqual(["pipelineUnreadable"]);
  // The box's own operators are known once its executors have started.
  operators.set("own/best@1", { ...operators.get("tensor/top-k@1")!, name: "own/best@1" });
  expect(registry.show("read-one")).toMatchObject({ outputs: { text: "text" }, compiled: { reference: "read-one:1" } });
  expect(pipelines.compiled("read-one:1")?.stages).toHaveLength(4);
  operators.delete("own/best@1");
});
