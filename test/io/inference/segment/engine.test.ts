import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createInferenceEngine } from "../../../../agent/io/inference/index.ts";
import type { InferenceEngine, InferenceTask, ModelToLoad } from "../../../../agent/ports/index.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { compilePipeline } from "../../../../shared/pipeline/compile.ts";
import type { Segment } from "../../../../shared/pipeline/compiled.ts";
import type { StageDefinition } from "../../../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../../../shared/pipeline/operators/index.ts";
import { segmentNamed } from "../../../../shared/pipeline/segment.ts";
import { encodeValues, type Value } from "../../../../shared/pipeline/values.ts";
import { plainChoice } from "../../../../shared/session-choice.ts";
import { EngineWatch } from "../../../support/executors.ts";
import { addGraph, perceptronGraph, writeModel } from "../../../support/onnx.ts";

// Executors run below everything else on the machine: beside other suites they get little of it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: string;
let engine: InferenceEngine;
const models = new Map<string, ModelToLoad>();
const watch = new EngineWatch();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-test-"));
  engine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
  await engine.start();
  for (const [name, draft] of [
    ["adding", addGraph(4)],
    ["scoring", perceptronGraph({ inside: 4 })],
  ] as const) {
    const written = await writeModel(join(folder, name), draft, { name, batches: true });
    models.set(`${name}:1`, { pipeline: `${name}:1`, ...written, choice: { ...plainChoice(1), batch: 8 } });
  }
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true, force: true });
});

function whole(
  name: string,
  inputs: Record<string, string>,
  stages: Record<string, StageDefinition>,
  outputs: Record<string, string>,
): Segment {
  const ports = Object.fromEntries(Object.entries(inputs).map(([port, type]) => [port, { type }]));
  const compiled = compilePipeline(
    { name, version: 1, inputs: ports, stages, outputs },
    {
      operator: (one) => OPERATORS.get(one),
      model: (reference) => models.get(reference)?.manifest,
      pipeline: () => undefined,
    },
  );
  return segmentNamed(compiled, compiled.reference);
}
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const outJson = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const run = (pipeline: string, input: Uint8Array, more: Partial<InferenceTask> = {}) =>
  engine.run({ pipeline, name: "item", input, deadlineMs: 60_000, ...more });
const failureOf = (promise: Promise<unknown>): Promise<SkeinError> =>
  promise.then(
    () => expect.fail("should have failed"),
    (error: unknown) => SkeinError.from(error),
  );

const row = (...numbers: number[]): Uint8Array =>
  encodeValues(
    new Map<string, Value>([
      [
        "-1.row",
        { kind: "tensor", datatype: "FP32", shape: [1, 4], bytes: new Uint8Array(Float32Array.from(numbers).buffer) },
      ],
    ]),
  );
const chain = (): Segment =>
  whole(
    "chain",
    { row: "FP32[1,4]" },
    {
      twice: { model: "adding:1", in: { a: "row", b: "row" } },
      scores: { model: "scoring:1", in: { x: "twice.sum" } },
    },
    { twice: "twice.sum", scores: "scores.scores" },
  );

test("models of one segment are brought to one executor, wherever they stood, and leave none behind", async () => {
  for (const model of models.values()) await engine.load(model);
  const segment = chain();
  engine.install(segment);
  const { output } = await run("chain:1", row(1, 2, 3, 4));
  expect(outJson(output).twice).toEqual({ datatype: "FP32", shape: [1, 4], data: [2, 4, 6, 8] });
  const info = engine.pipelines().find(({ name }) => name === "chain:1");
  expect(info).toMatchObject({ executors: 1, batch: 8 });
  expect(info?.models.map(({ name }) => name)).toEqual(["model.onnx", "model.onnx", "chain:1"]);
  expect(engine.models().map(({ state }) => state)).toEqual(["ready", "ready"]);
});

test("items of different jobs that wait are run together, and one that fails takes none with it", async () => {
  const bad = encodeValues(new Map<string, Value>([["-1.row", { kind: "bytes", bytes: text("row") }]]));
  const items = Array.from({ length: 16 }, (_, n) => (n === 5 ? bad : row(n, 0, 0, 0)));
  const ends = await Promise.allSettled(items.map((item, n) => run("chain:1", item, { name: `item ${n}` })));
  for (const [n, end] of ends.entries())
    if (n === 5)
      expect(end).toMatchObject({ reason: { code: "INPUT_INVALID", facts: { name: "item 5", pipeline: "chain:1" } } });
    else expect(end.status === "fulfilled" && outJson(end.value.output).twice.data[0]).toBe(2 * n);
  // Of those that ran at once each has its share of the time.
  const times = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value.durationMs] : []));
  expect(new Set(times).size).toBeLessThan(times.length / 2);
});

test("an item that never ends is ended by its deadline, with the stage that it was in, and the engine goes on", async () => {
  const turning = whole(
    "turning",
    { words: "json" },
    {
      each: { operator: "core/split@1", in: { list: "words" } },
      turn: {
        operator: "core/pass@1",
        in: { value: "each.elements" },
        map: ["value"],
        loop: { times: LIMITS.stageRoundsMax, carry: { value: "value" } },
      },
    },
    { last: "turn.value" },
  );
  engine.install(turning);
  const words = text(JSON.stringify(new Array(20_000).fill("a")));
  const error = await failureOf(run("turning:1", words, { name: "spin.json", deadlineMs: 2_000 }));
  expect(error).toMatchObject({
    code: "DEADLINE_EXCEEDED",
    facts: { name: "spin.json", stage: "turn", deadlineMs: 2_000 },
  });
  expect(error.message).toBe("Work on spin.json, in its stage turn, did not finish within 2000 ms.");
  expect(outJson((await run("chain:1", row(1, 1, 1, 1))).output).twice.data).toEqual([2, 2, 2, 2]);
});

const pass = (n: number): Segment =>
  whole(
    `pass${n}`,
    { it: "text" },
    { it: { operator: "core/pass@1", in: { value: "it" } } },
    { [`out${n}`]: "it.value" },
  );

test("of more segments than are kept the least used is forgotten, until it is installed again", async () => {
  const count = LIMITS.segmentsInstalledMax + 1;
  const first = pass(0);
  engine.install(first);
  for (let n = 1; n < count - 1; n++) engine.install(pass(n));
  expect(outJson((await run("pass0:1", text("a"))).output)).toEqual({ out0: "a" });
  engine.install(pass(count - 1));
  expect(outJson((await run("pass0:1", text("b"))).output)).toEqual({ out0: "b" });
  // Those before are gone, and of these the second.
  const error = await failureOf(run("pass1:1", text("a")));
  expect(error).toMatchObject({ code: "UNKNOWN_PIPELINE", facts: { pipeline: "pass1:1" } });
  engine.install(pass(1));
  for (let n = 3; n < count; n++)
    expect(outJson((await run(`pass${n}:1`, text("c"))).output)).toEqual({ [`out${n}`]: "c" });
  expect(outJson((await run("pass1:1", text("d"))).output)).toEqual({ out1: "d" });
});

test("what waits for a segment that is forgotten meanwhile is told so", async () => {
  engine.install(pass(0));
  const busy = Array.from({ length: 200 }, () => failureOrOutcome(run("pass0:1", text("a"))));
  for (let n = 1; n <= LIMITS.segmentsInstalledMax; n++) engine.install(pass(n));
  const ends = await Promise.all(busy);
  expect(ends.at(-1)).toMatchObject({ code: "UNKNOWN_PIPELINE", facts: { pipeline: "pass0:1" } });
});

test("an input in parts larger than a message arrives as it was, and one that is too large is refused", async () => {
  const long = "x".repeat(3_000_000);
  engine.install(pass(0));
  const parts = [{ kind: "item" as const, bytes: text(long) }];
  expect(outJson((await run("pass0:1", new Uint8Array(0), { parts })).output).out0).toBe(long);
  const bytes = new Uint8Array(LIMITS.valuesBytesMax / 2 + 1);
  const tooLarge = [
    { kind: "values" as const, bytes },
    { kind: "values" as const, bytes },
  ];
  expect(await failureOf(run("pass0:1", new Uint8Array(0), { parts: tooLarge }))).toMatchObject({ code: "TOO_LARGE" });
});

test("what waits for a segment whose model goes is told so", async () => {
  engine.install(chain());
  const waiting = Array.from({ length: 40 }, () => failureOrOutcome(run("chain:1", row(1, 2, 3, 4))));
  await engine.unload("adding:1");
  const ends = await Promise.all(waiting);
  expect(ends.at(-1)).toMatchObject({ code: "UNKNOWN_PIPELINE", facts: { pipeline: "chain:1" } });
  expect(await failureOf(run("chain:1", row(1, 2, 3, 4)))).toMatchObject({ code: "UNKNOWN_PIPELINE" });
});

const failureOrOutcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => SkeinError.from(error));
