import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createInferenceEngine } from "../../agent/io/inference/index.ts";
import type { InferenceEngine } from "../../agent/ports/index.ts";
import { plainChoice } from "../../shared/session-choice.ts";
import { encodeRequest } from "../../shared/tensors.ts";
import { EngineWatch, samplePiece } from "../support/executors.ts";
import { addGraph, writeModel } from "../support/onnx.ts";
import { PretendEngine, UNREADABLE_INPUT } from "../support/pretend-engine.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { type EngineWorld, inferenceContract } from "./inference.ts";

/** Adds two numbers. */
const adding = async () => {
  const folder = await mkdtemp(join(tmpdir(), "skein-test-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const written = await writeModel(folder, addGraph(1), { batches: true });
  const inputs = ["a", "b"].map((name) => ({
    name,
    datatype: "FP32" as const,
    shape: [1, 1],
    data: Float32Array.of(1),
  }));
  return {
    model: { pipeline: "tiny:1", ...written, choice: { ...plainChoice(2), batch: 4 } },
    modelInput: encodeRequest({ inputs, binary: false }),
  };
};

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

inferenceContract("the engine on onnxruntime", async (): Promise<EngineWorld> => {
  const watches = new Map<InferenceEngine, EngineWatch>();
  return {
    start: async () => {
      const watch = new EngineWatch();
      const engine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
      watches.set(engine, watch);
      await engine.start();
      return engine;
    },
    settle: (promise) => promise,
    inputs: [await samplePiece("invoice.png"), await samplePiece("timetable.png")],
    unreadable: text("this is no image at all"),
    ...(await adding()),
    deadlineTooShortMs: 5,
    killOne: (engine) => watches.get(engine)!.killOne(),
  };
});

inferenceContract("the pretend engine", async (): Promise<EngineWorld> => {
  const clock = new VirtualClock();
  return {
    start: async () => {
      const engine = new PretendEngine({ clock, executors: 2, secondsPerItem: 1.5 });
      await engine.start();
      return engine;
    },
    settle: async (promise) => {
      let settled = false;
      const watch = (): void => {
        settled = true;
      };
      promise.then(watch, watch);
      while (!settled && (await clock.runNext()));
      return promise;
    },
    inputs: [text("one"), text("two")],
    unreadable: UNREADABLE_INPUT,
    ...(await adding()),
    deadlineTooShortMs: 5,
    killOne: (engine) => (engine as PretendEngine).killOne(),
  };
});
