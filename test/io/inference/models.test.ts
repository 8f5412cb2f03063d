import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createInferenceEngine } from "../../../agent/io/inference/index.ts";
import type { InferenceEngine, ModelToLoad } from "../../../agent/ports/index.ts";
import { INPUT_FAULTS, SkeinError } from "../../../shared/errors.ts";
import { DATATYPES, type Datatype } from "../../../shared/model.ts";
import { outputDifference } from "../../../shared/same-output.ts";
import { plainChoice, type SessionChoice } from "../../../shared/session-choice.ts";
import type { TensorData } from "../../../shared/tensor-data.ts";
import { decodeResponse, encodeRequest, encodeResponse, type Tensor } from "../../../shared/tensors.ts";
import { EngineWatch } from "../../support/executors.ts";
import {
  addGraph,
  fixedNumbers,
  foreignGraph,
  type GraphDraft,
  identityGraph,
  perceptronGraph,
  writeModel,
} from "../../support/onnx.ts";

// Executors run below everything else on the machine: beside other suites they get little of it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: string;
let engine: InferenceEngine;
const watch = new EngineWatch();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-test-"));
  engine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
  await engine.start();
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Written into a folder of its own, under `name:1`. */
async function model(
  name: string,
  draft: GraphDraft,
  { batches = false, ...choice }: Partial<SessionChoice> & { batches?: boolean } = {},
): Promise<ModelToLoad> {
  const written = await writeModel(join(folder, name), draft, { name, batches });
  return { pipeline: `${name}:1`, ...written, choice: { ...plainChoice(2), ...choice } };
}
const loaded = async (...asked: Parameters<typeof model>): Promise<string> => {
  const one = await model(...asked);
  await engine.load(one);
  return one.pipeline;
};
const runBytes = async (pipeline: string, input: Uint8Array, name = "item.json"): Promise<Uint8Array> =>
  (await engine.run({ pipeline, name, input, deadlineMs: 60_000 })).output;
const run = (pipeline: string, inputs: Tensor[], binary = true): Promise<Uint8Array> =>
  runBytes(pipeline, encodeRequest({ inputs, binary }));
const errorOf = (promise: Promise<unknown>): Promise<SkeinError> =>
  promise.then(
    () => expect.fail("should have failed"),
    (error: unknown) => SkeinError.from(error),
  );
const row = (values: Float32Array | number[], name = "x"): Tensor => ({
  name,
  datatype: "FP32",
  shape: [1, values.length],
  data: Float32Array.from(values),
});
const known = (): string[] => engine.pipelines().map(({ name }) => name);

const SAMPLES: Record<Datatype, TensorData> = {
  BOOL: Uint8Array.of(1, 0),
  UINT8: Uint8Array.of(0, 255),
  UINT16: Uint16Array.of(0, 65_535),
  UINT32: Uint32Array.of(0, 2 ** 32 - 1),
  UINT64: BigUint64Array.of(0n, 2n ** 64n - 1n),
  INT8: Int8Array.of(-128, 127),
  INT16: Int16Array.of(-32_768, 32_767),
  INT32: Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
  INT64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
  FP16: Uint16Array.of(0x3c00, 0xc100),
  FP32: Float32Array.of(0.1, -0),
  FP64: Float64Array.of(0.1, Number.POSITIVE_INFINITY),
  BYTES: ["", "Grüße, 世界"],
};

describe("a loaded model", () => {
  test("gives every type of tensor back as it came, in both forms, and is gone when it is unloaded", async () => {
    for (const datatype of DATATYPES) {
      const pipeline = await loaded(`identity-${datatype.toLowerCase()}`, identityGraph(datatype), { executors: 1 });
      const x: Tensor = { name: "x", datatype, shape: [2], data: SAMPLES[datatype] };
      for (const binary of [true, false])
        expect(decodeResponse(await run(pipeline, [x], binary))).toEqual({
          model: pipeline.split(":")[0],
          version: "1",
          outputs: [{ ...x, name: "y" }],
        });
      await engine.unload(pipeline);
      expect((await errorOf(run(pipeline, [x]))).code).toBe("UNKNOWN_PIPELINE");
    }
    expect(engine.models()).toEqual([]);
  });

  test("answers in the protocol, with the same bytes each time, as JSON to JSON", async () => {
    const pipeline = await loaded("add", addGraph(2));
    const body = {
      id: "9",
      inputs: [row([1, 2], "b"), row([0.5, 0.5], "a")].map(({ data, ...rest }) => ({
        ...rest,
        data: [[...(data as Float32Array)]],
      })),
    };
    const text = new TextEncoder().encode(JSON.stringify(body));
    const expected =
      '{"model_name":"add","model_version":"1","outputs":[{"name":"sum","datatype":"FP32","shape":[1,2],"data":[1.5,2.5]}]}';
    for (let again = 0; again < 3; again++)
      expect(new TextDecoder().decode(await runBytes(pipeline, text))).toBe(expected);
    expect(engine.pipelines().find(({ name }) => name === pipeline)).toMatchObject({
      version: "1",
      models: [{ name: "model.onnx" }],
      executors: 2,
      batch: 1,
    });
    await engine.unload(pipeline);
  });

  test("refuses wrong inputs of every kind by the item's name, place and reason, and goes on", async () => {
    const pipeline = await loaded("strict", addGraph(2));
    const [a, b] = [row([1, 2], "a"), row([3, 4], "b")];
    const bad: [Tensor[], string][] = [
      [[a], 'inputs must have "b"'],
      [[a, b, { ...a, name: "c" }], "inputs[2].name must be one of a, b"],
      [[a, { ...b, datatype: "FP64", data: Float64Array.of(1, 2) }], 'inputs[1].datatype must be FP32 for "b"'],
      [[a, row([1, 2, 3], "b")], 'inputs[1].shape must be [-1,2] for "b"'],
      [[a, { ...b, shape: [2] }], 'inputs[1].shape must be [-1,2] for "b"'],
      [
        [
          { ...a, shape: [3, 2], data: new Float32Array(6) },
          { ...b, shape: [2, 2], data: new Float32Array(4) },
        ],
        "the model does not take it",
      ],
    ];
    for (const [inputs, reason] of bad) {
      const error = await errorOf(runBytes(pipeline, encodeRequest({ inputs, binary: true }), "wrong.bin"));
      expect(error).toMatchObject({ code: "INPUT_INVALID", facts: { name: "wrong.bin", pipeline } });
      expect(error.facts.reason).toContain(reason);
      expect(INPUT_FAULTS).toContain(error.code);
    }
    expect((await errorOf(runBytes(pipeline, new Uint8Array(0)))).code).toBe("INPUT_EMPTY");
    const outputs = [{ name: "product" }];
    const unknown = await errorOf(runBytes(pipeline, encodeRequest({ inputs: [a, b], outputs, binary: true })));
    expect(unknown.facts.reason).toBe('outputs must be of sum, not "product"');
    expect(decodeResponse(await run(pipeline, [a, b])).outputs[0]!.data).toEqual(Float32Array.of(4, 6));
    await engine.unload(pipeline);
  });

  test("gives in batches what it gives item by item, and only the faulty one of a batch fails", async () => {
    const draft = perceptronGraph({ inside: 64, hidden: 128, externalFile: "weights.bin" });
    const alone = await loaded("alone", draft, { batches: true });
    const together = await loaded("together", draft, { batches: true, batch: 8, executors: 1, threads: 2 });
    const items = Array.from({ length: 40 }, (_, n) => row(fixedNumbers(64, n + 3)));
    const inputs = items.map((item) => encodeRequest({ inputs: [item], binary: true }));
    inputs[13] = new TextEncoder().encode('{"inputs":[]}');
    const batched = await Promise.allSettled(inputs.map((input) => runBytes(together, input)));
    expect(batched.flatMap(({ status }, n) => (status === "rejected" ? [n] : []))).toEqual([13]);
    for (const [n, outcome] of batched.entries()) {
      if (outcome.status === "rejected") continue;
      const single = decodeResponse(await runBytes(alone, inputs[n]!));
      expect(decodeResponse(outcome.value).outputs[0]!.shape).toEqual([1, 4]);
      const expected = encodeResponse({ ...single, model: "together" }, () => true);
      expect(outputDifference(together, expected, outcome.value)).toBeUndefined();
    }
    await engine.unload(alone);
    await engine.unload(together);
  });

  test("that says that it batches and does not is run item by item", async () => {
    // Its output has one row, whatever goes in.
    const draft: GraphDraft = {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
      nodes: [{ op: "ReduceSum", inputs: ["x", "axes"], outputs: ["y"], ints: { keepdims: 1 } }],
      indexes: [{ name: "axes", values: [0] }],
    };
    const pipeline = await loaded("summed", draft, { batches: true, batch: 8, executors: 1 });
    const outputs = await Promise.all(Array.from({ length: 12 }, (_, n) => run(pipeline, [row([n, 0, 0, 1])])));
    for (const [n, output] of outputs.entries())
      expect(decodeResponse(output).outputs[0]!.data).toEqual(Float32Array.of(n, 0, 0, 1));
    await engine.unload(pipeline);
  });

  test("stands beside another; unloading one leaves the other, and the bundled pipelines", async () => {
    const [one, other] = [await loaded("one", addGraph(1)), await loaded("other", identityGraph("BYTES"))];
    expect(known()).toEqual(["ocr", "canary", one, other]);
    const x: Tensor = { name: "x", datatype: "BYTES", shape: [1], data: ["still here"] };
    const busy = Array.from({ length: 20 }, () => run(other, [x]));
    await engine.unload(one);
    await Promise.all(busy);
    expect(known()).toEqual(["ocr", "canary", other]);
    expect((await errorOf(run(one, []))).facts).toMatchObject({ known: ["ocr", "canary", other] });
    await engine.unload(other);
    await engine.unload("never:1");
  });

  test("runs on as many executors as its choice says, and is exchanged when the choice is another", async () => {
    const draft = perceptronGraph();
    const first = await model("moved", draft, { executors: 1, batches: true });
    const loads = (): unknown[] =>
      watch.lines.filter(({ event, facts }) => event === "modelLoaded" && facts.pipeline === "moved:1");
    await engine.load(first);
    await engine.load(first);
    expect(loads()).toHaveLength(1);
    await engine.load({ ...first, choice: { ...first.choice, executors: 2, batch: 4 } });
    expect(loads()).toHaveLength(3);
    expect(engine.pipelines().at(-1)).toMatchObject({ name: "moved:1", executors: 2, batch: 4 });
    expect(engine.models()).toEqual([{ pipeline: "moved:1", state: "ready" }]);
    const { secondsPerItem } = await engine.calibrate("moved:1");
    expect(secondsPerItem).toBeGreaterThan(0);
    expect(secondsPerItem).toBeLessThan(5);
    await engine.unload("moved:1");
  });

  test("is loaded again by the executor that takes the place of one that died, before it works", async () => {
    const pipeline = await loaded("again", addGraph(1), { executors: 2 });
    const inputs = [row([1], "a"), row([2], "b")];
    for (let death = 0; death < 2; death++) {
      const [back, reloaded] = [watch.next("executorStarted"), watch.next("modelLoaded")];
      const pid = watch.killOne();
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => run(pipeline, inputs)));
      const died = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
      expect([[], ["EXECUTOR_DIED"]]).toContainEqual(died);
      for (const outcome of outcomes)
        if (outcome.status === "fulfilled")
          expect(decodeResponse(outcome.value).outputs[0]!.data).toEqual(Float32Array.of(3));
      expect((await back).facts.pid).not.toBe(pid);
      expect((await reloaded).facts.pid).toBe((await back).facts.pid);
    }
    await engine.unload(pipeline);
  });

  test("of a longer, free dimension is timed with a made-up length that it takes", async () => {
    // 6 goes into no smaller piece than 8 of the lengths that are tried.
    const draft: GraphDraft = {
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 1, -1] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [1, 1, -1] }],
      nodes: [{ op: "Conv", inputs: ["x", "w"], outputs: ["y"] }],
      weights: [{ name: "w", shape: [1, 1, 6], values: fixedNumbers(6) }],
    };
    const pipeline = await loaded("wide", draft);
    expect((await engine.calibrate(pipeline)).secondsPerItem).toBeGreaterThan(0);
    await engine.unload(pipeline);
  });
});

describe("a model that cannot be loaded", () => {
  const refused = async (name: string, one: ModelToLoad, reason: RegExp): Promise<void> => {
    const error = await errorOf(engine.load(one));
    expect(error).toMatchObject({ code: "MODEL_INVALID", facts: { model: `${name}:1` } });
    expect(error.facts.reason).toMatch(reason);
    expect(engine.models()).toMatchObject([{ pipeline: `${name}:1`, state: "failed", reason: error.facts.reason }]);
    expect(known()).toEqual(["ocr", "canary"]);
    await engine.unload(`${name}:1`);
    expect(engine.models()).toEqual([]);
  };

  test("is refused with the reason: operators that are missing, no graph, other inputs, no such variant", async () => {
    const pids = [...watch.pids];
    await refused("foreign", await model("foreign", foreignGraph()), /com\.example\.magic:Conjure/);
    const noise = await model("noise", addGraph());
    await writeFile(join(noise.folder, "model.onnx"), "this is no graph");
    await refused("noise", noise, /[Pp]rotobuf|parse/);
    const missing = await model("missing", addGraph());
    await rm(join(missing.folder, "model.onnx"));
    await refused("missing", missing, /doesn't exist|No such file|does not exist/i);
    const half = await model("half", perceptronGraph({ externalFile: "weights.bin" }));
    await writeFile(join(half.folder, "weights.bin"), new Uint8Array(100));
    await refused("half", half, /weights|external|length|size/i);
    const other = await model("mistaken", addGraph());
    const inputs = [{ name: "q", datatype: "FP32" as const, shape: [-1] }];
    await refused(
      "mistaken",
      { ...other, manifest: { ...other.manifest, inputs } },
      /its graph has the inputs a, b, its manifest q/,
    );
    const variant = await model("variant", addGraph(), { variant: "int8" });
    await refused("variant", variant, /no file that is its int8/);
    expect(watch.pids).toEqual(pids);
  });

  test("is taken off when loading it ends executors again and again; all else goes on", async () => {
    const other = await loaded("sound", addGraph(1), { executors: 2 });
    // Reading it never ends, and so its load: what ends the executor here is a signal, as it is without memory.
    const endless = await model("endless", addGraph(1), { executors: 1 });
    await rm(join(endless.folder, "model.onnx"));
    await promisify(execFile)("mkfifo", [join(endless.folder, "model.onnx")]);
    const loadingOn = async (): Promise<number> => {
      for (;;) {
        const { facts } = await watch.next("modelLoading");
        if (facts.pipeline === endless.pipeline) return facts.pid as number;
      }
    };
    let loading = loadingOn();
    const outcome = errorOf(engine.load(endless));
    const inputs = [row([1], "a"), row([2], "b")];
    for (let death = 0; death < 2; death++) {
      const pid = await loading;
      loading = loadingOn();
      process.kill(pid, "SIGKILL");
      expect(decodeResponse(await run(other, inputs)).outputs[0]!.data).toEqual(Float32Array.of(3));
    }
    expect((await outcome).facts.reason).toMatch(/loading it ended 2 inference processes \(signal SIGKILL\)/);
    expect(engine.models()).toMatchObject([
      { pipeline: other, state: "ready" },
      { pipeline: "endless:1", state: "failed" },
    ]);
    expect(known()).toEqual(["ocr", "canary", other]);
    await engine.unload("endless:1");
    await engine.unload(other);
  });
});
