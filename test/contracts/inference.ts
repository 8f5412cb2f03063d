/** What agent/ports/inference.ts promises, held against the real engine and the simulator's. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { InferenceEngine, InferenceTask, InputPart, ModelToLoad } from "../../agent/ports/index.ts";
import { readCanaryOutput, writeCanaryInput } from "../../shared/canary.ts";
import { INPUT_FAULTS, SkeinError } from "../../shared/errors.ts";
import { readPageText } from "../../shared/page-text.ts";
import { compilePipeline } from "../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../shared/pipeline/compiled.ts";
import type { Json } from "../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../shared/pipeline/operators/index.ts";
import { segmentNamed } from "../../shared/pipeline/segment.ts";
import { encodeValues, sliceValues, type Value } from "../../shared/pipeline/values.ts";
import { decodeResponse } from "../../shared/tensors.ts";

// Executors run below everything else on the machine: beside other suites they get little of it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

export interface EngineWorld {
  /** With two executors, started. */
  start(): Promise<InferenceEngine>;
  /** Lets time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Different inputs that can be read. */
  inputs: Uint8Array[];
  unreadable: Uint8Array;
  /** With an input of it. */
  model: ModelToLoad;
  modelInput: Uint8Array;
  /** Shorter than any run takes. */
  deadlineTooShortMs: number;
  /** Kills an executor; all are at work then. */
  killOne(engine: InferenceEngine): void;
}

export function inferenceContract(name: string, prepare: () => Promise<EngineWorld>): void {
  describe(name, () => {
    let world: EngineWorld;
    let engine: InferenceEngine;

    beforeAll(async () => {
      world = await prepare();
      engine = await world.start();
    });
    afterAll(() => engine.stop());

    const taskOf = (input: Uint8Array, more: Partial<InferenceTask> = {}): InferenceTask => ({
      pipeline: "ocr",
      name: "page",
      input,
      deadlineMs: 60_000,
      ...more,
    });
    const run = (input: Uint8Array, more: Partial<InferenceTask> = {}) => world.settle(engine.run(taskOf(input, more)));
    const failureOf = (promise: Promise<unknown>): Promise<SkeinError> =>
      promise.then(
        () => expect.fail("should have been refused"),
        (error: SkeinError) => error,
      );

    test("a started engine names its pipelines with the digests of their models", () => {
      const [ocr] = engine.pipelines();
      expect(ocr).toMatchObject({ name: "ocr", version: "1" });
      expect(ocr?.models.length).toBeGreaterThan(0);
      for (const model of ocr?.models ?? []) {
        expect(model.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(model.bytes).toBeGreaterThan(0);
      }
    });

    test("the output is a page's text, and the time is of the run itself", async () => {
      const { output, durationMs } = await run(world.inputs[0]!);
      expect(readPageText(output).text).not.toBe("");
      expect(durationMs).toBeGreaterThan(0);
    });

    test("a canary costs what its input says; one that asks for something absurd fails by its input", async () => {
      const canary = (input: Uint8Array) => run(input, { pipeline: "canary", name: "canary.json" });
      const [none, some] = [
        await canary(writeCanaryInput({ rounds: 0, seed: "a" })),
        await canary(writeCanaryInput({ rounds: 50_000, seed: "a" })),
      ];
      expect(readCanaryOutput(some.output).rounds).toBe(50_000);
      expect(readCanaryOutput(none.output).digest).not.toBe(readCanaryOutput(some.output).digest);
      expect(none.durationMs).toBeLessThan(some.durationMs);
      for (const absurd of ['{"rounds":1e12,"seed":""}', '{"rounds":-1,"seed":""}', '{"rounds":1}', "[]", "\xff"]) {
        const error = await failureOf(canary(Buffer.from(absurd, "latin1")));
        expect(error).toMatchObject({ code: "INPUT_INVALID", facts: { name: "canary.json" } });
        expect(INPUT_FAULTS).toContain(error.code);
      }
    });

    test("the same input gives the same bytes, whatever runs before it or beside it", async () => {
      const alone: Uint8Array[] = [];
      for (const input of world.inputs) alone.push((await run(input)).output);
      const backwards = [...world.inputs].reverse();
      const together = await world.settle(Promise.all(backwards.map((input) => engine.run(taskOf(input)))));
      expect(together.map(({ output }) => Buffer.from(output)).reverse()).toEqual(
        alone.map((bytes) => Buffer.from(bytes)),
      );
      expect(new Set(alone.map((bytes) => Buffer.from(bytes).toString())).size).toBe(world.inputs.length);
    });

    test("an input that is streamed gives what the same bytes give at once, and one that breaks off fails alone", async () => {
      const input = world.inputs[0]!;
      const streamed = (bytes: Uint8Array, broken?: Error) => ({
        length: input.length,
        async *read() {
          for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
          if (broken) throw broken;
        },
      });
      const { output } = await world.settle(engine.run({ ...taskOf(input), input: streamed(input) }));
      expect(Buffer.from(output)).toEqual(Buffer.from((await run(input)).output));
      const half = streamed(input.subarray(0, input.length / 2), new SkeinError("BLOB_MISSING", { hash: "ab" }));
      const error = await failureOf(world.settle(engine.run({ ...taskOf(input), input: half })));
      expect(error).toMatchObject({ code: "BLOB_MISSING" });
      expect((await run(input)).output.length).toBeGreaterThan(0);
    });

    test("items beyond the executors wait and all end", async () => {
      const many = Array.from({ length: 7 }, (_, index) => engine.run(taskOf(world.inputs[index % 2]!)));
      expect(await world.settle(Promise.all(many))).toHaveLength(7);
    });

    test("inputs that cannot be read fail by their code and with their name, and the engine goes on", async () => {
      const empty = await failureOf(run(new Uint8Array(0), { name: "empty.png" }));
      expect(empty).toMatchObject({ code: "INPUT_EMPTY", facts: { name: "empty.png" } });
      const noise = await failureOf(run(world.unreadable, { name: "noise.png" }));
      expect(noise).toMatchObject({ code: "IMAGE_UNREADABLE", facts: { name: "noise.png" } });
      expect((await run(world.inputs[0]!)).output.length).toBeGreaterThan(0);
    });

    test("an unknown pipeline is refused with those that are known", async () => {
      const error = await failureOf(run(world.inputs[0]!, { pipeline: "translate" }));
      expect(error).toMatchObject({
        code: "UNKNOWN_PIPELINE",
        facts: { pipeline: "translate", known: ["ocr", "canary"] },
      });
    });

    test("a run past its deadline is ended, and its executor's place is filled again", async () => {
      const deadlineMs = world.deadlineTooShortMs;
      const late = [1, 2, 3].map(() =>
        failureOf(engine.run(taskOf(world.inputs[0]!, { deadlineMs, name: "slow.png" }))),
      );
      for (const error of await world.settle(Promise.all(late)))
        expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", facts: { deadlineMs } });
      expect((await run(world.inputs[0]!)).output.length).toBeGreaterThan(0);
    });

    test("an executor that dies fails its own item only, and its place is filled again", async () => {
      const before = (await run(world.inputs[0]!)).output;
      const four = [1, 2, 3, 4].map(() => engine.run(taskOf(world.inputs[0]!)));
      world.killOne(engine);
      const outcomes = await world.settle(Promise.allSettled(four));
      const died = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
      expect(died).toMatchObject([{ code: "EXECUTOR_DIED", facts: { name: "page" } }]);
      for (const outcome of outcomes)
        if (outcome.status === "fulfilled") expect(Buffer.from(outcome.value.output)).toEqual(Buffer.from(before));
    });

    test("calibration answers with the seconds one executor takes for an item", async () => {
      const { secondsPerItem } = await world.settle(engine.calibrate("ocr"));
      const { durationMs } = await run(world.inputs[0]!);
      expect(secondsPerItem).toBeGreaterThan(0);
      expect(secondsPerItem / (durationMs / 1000)).toBeGreaterThan(0.02);
      expect(secondsPerItem / (durationMs / 1000)).toBeLessThan(50);
    });

    test("a model is a pipeline from its load to its unload, and the others are not touched", async () => {
      const { model, modelInput } = world;
      const { pipeline } = model;
      const item = () => run(modelInput, { pipeline, name: "item.json" });
      expect((await failureOf(item())).code).toBe("UNKNOWN_PIPELINE");
      await world.settle(engine.load(model));
      expect(engine.models()).toEqual([{ pipeline, state: "ready" }]);
      const [info] = engine.pipelines().filter(({ name }) => name === pipeline);
      expect(info).toMatchObject({ version: "1", executors: 2, batch: model.choice.batch });
      expect(info?.models).toEqual(
        model.manifest.files.map(({ path, blob, bytes }) => ({ name: path, sha256: blob, bytes })),
      );
      expect(decodeResponse((await item()).output)).toMatchObject({ model: "tiny", version: "1" });
      expect((await world.settle(engine.calibrate(pipeline))).secondsPerItem).toBeGreaterThan(0);
      expect((await run(world.inputs[0]!)).output.length).toBeGreaterThan(0);
      await world.settle(engine.unload(pipeline));
      expect(engine.models()).toEqual([]);
      expect(engine.pipelines().map(({ name }) => name)).toEqual(["ocr", "canary"]);
      expect((await failureOf(item())).code).toBe("UNKNOWN_PIPELINE");
      await world.settle(engine.unload(pipeline));
    });

    /** The model is needed, and never run: what it makes of anything is the engine's own. */
    const staged = (reference: string): CompiledPipeline =>
      compilePipeline(
        {
          name: reference.split(":")[0],
          version: 1,
          inputs: { names: { type: "json" }, wants: { type: "text" }, row: { type: "FP32[-1,1]" } },
          stages: {
            each: { operator: "core/split@1", in: { list: "names" } },
            pick: {
              operator: "json/pick@1",
              in: { json: "each.elements" },
              map: ["json"],
              with: { pointer: "/a" },
              onError: "skip",
            },
            all: { operator: "core/join@1", in: { elements: "pick.value" } },
            sum: { model: "tiny:1", in: { a: "row", b: "row" }, when: { value: "wants", is: "sum" } },
          },
          outputs: { all: "all.list", sum: "sum.sum" },
        },
        {
          operator: (name) => OPERATORS.get(name),
          model: () => world.model.manifest,
          pipeline: () => undefined,
        },
      );
    const itemOf = (names: Json) =>
      encodeValues(
        new Map<string, Value>([
          ["-1.names", { kind: "json", json: names }],
          ["-1.wants", { kind: "json", json: "none" }],
          ["-1.row", { kind: "tensor", datatype: "FP32", shape: [1, 1], bytes: new Uint8Array(4) }],
        ]),
      );

    test("a segment is a pipeline while it is installed and its models are loaded", async () => {
      const pipeline = staged("whole:1");
      const whole = segmentNamed(pipeline, "whole:1");
      const first = segmentNamed(pipeline, "whole:1/0-2");
      const names = () => engine.pipelines().map(({ name }) => name);
      engine.install(whole);
      engine.install(first);
      expect(names()).toEqual(["ocr", "canary", "whole:1/0-2"]);
      await world.settle(engine.load(world.model));
      engine.install(whole);
      expect(new Set(names())).toEqual(new Set(["ocr", "canary", "tiny:1", "whole:1/0-2", "whole:1"]));
      expect(engine.pipelines().find(({ name }) => name === "whole:1")).toMatchObject({
        version: "1",
        itemsAlike: false,
      });
      const { output, stages } = await run(itemOf([{ a: 1 }, { a: 2 }]), { pipeline: "whole:1" });
      expect(JSON.parse(new TextDecoder().decode(output))).toEqual({ all: [1, 2], sum: null });
      expect(stages?.map(({ stage, runs }) => [stage, runs])).toEqual([
        [0, 1],
        [1, 2],
        [2, 1],
        [3, 0],
      ]);
      await world.settle(engine.unload("tiny:1"));
      expect(names()).toEqual(["ocr", "canary", "whole:1/0-2"]);
      const error = await failureOf(run(itemOf([]), { pipeline: "whole:1" }));
      expect(error).toMatchObject({ code: "UNKNOWN_PIPELINE", facts: { pipeline: "whole:1" } });
    });

    test("segments of a pipeline, one after the other, give what the whole gives", async () => {
      const pipeline = staged("cut:1");
      await world.settle(engine.load(world.model));
      const segmentRun = async (name: string, parts: InputPart[]) => {
        engine.install(segmentNamed(pipeline, name));
        return run(new Uint8Array(0), { pipeline: name, name: "page", parts });
      };
      const item: InputPart = { kind: "item", bytes: itemOf([{ a: 1 }, { b: 2 }, { a: 3 }]) };
      engine.install(segmentNamed(pipeline, "cut:1"));
      const whole = await run((item as { bytes: Uint8Array }).bytes, { pipeline: "cut:1" });
      expect(JSON.parse(new TextDecoder().decode(whole.output))).toMatchObject({
        all: [1, 3],
        skipped: [{ stage: "pick", element: 1 }],
      });
      const split = await segmentRun("cut:1/0", [item]);
      expect(split.elements).toEqual([3]);
      const slices = [
        [0, 1],
        [1, 3],
      ].map(([from, to]) => sliceValues(split.output, "0.elements", from!, to!));
      const picked: InputPart[] = [];
      for (const bytes of slices) {
        const { output } = await segmentRun("cut:1/1", [{ kind: "values", bytes }]);
        picked.push({ kind: "values", bytes: output });
      }
      const last = await segmentRun("cut:1/2-3!", [item, ...picked]);
      expect(Buffer.from(last.output)).toEqual(Buffer.from(whole.output));
      const gap: InputPart = { kind: "gap", segment: "cut:1/1", elements: 2 };
      const gapped = await segmentRun("cut:1/2-3!", [item, picked[0]!, gap]);
      expect(JSON.parse(new TextDecoder().decode(gapped.output))).toMatchObject({
        all: [1],
        skipped: [{ stage: "pick", element: 1 }],
      });
      await world.settle(engine.unload("tiny:1"));
    });

    test("parts that cannot be read fail by the input, with their place, and nothing else does", async () => {
      const pipeline = staged("bad:1");
      for (const name of ["bad:1/0-1", "bad:1/2"]) engine.install(segmentNamed(pipeline, name));
      const [good, ...bad] = await Promise.all(
        [
          { pipeline: "bad:1/0-1", parts: [{ kind: "item" as const, bytes: itemOf([{ a: 1 }]) }] },
          { pipeline: "bad:1/0-1", parts: [{ kind: "item" as const, bytes: new Uint8Array([1, 2]) }] },
          { pipeline: "bad:1/0-1", parts: [{ kind: "item" as const, bytes: itemOf("no list") }] },
          { pipeline: "bad:1/2", parts: [{ kind: "values" as const, bytes: new Uint8Array([1, 2]) }] },
        ].map((task) => run(new Uint8Array(0), task).catch((error: SkeinError) => error)),
      );
      expect(good).not.toBeInstanceOf(SkeinError);
      for (const error of bad) expect(error).toMatchObject({ code: "INPUT_INVALID", facts: { name: "page" } });
      expect((bad[1] as SkeinError).facts).toMatchObject({ stage: "each" });
    });

    test("stopping ends what runs and what waits, and nothing is taken afterwards", async () => {
      const short = await world.start();
      const items = Array.from({ length: 4 }, () => failureOf(short.run(taskOf(world.inputs[0]!))));
      await short.stop();
      for (const error of await world.settle(Promise.all(items))) expect(error.code).toBe("EXECUTOR_DIED");
      expect((await failureOf(short.run(taskOf(world.inputs[0]!)))).code).toBe("EXECUTOR_DIED");
    });
  });
}
