import { createInferenceEngine } from "../../agent/io/inference/index.ts";
import type { InferenceEngine } from "../../agent/ports/index.ts";
import { EngineWatch, samplePiece } from "../support/executors.ts";
import { PretendEngine, UNREADABLE_INPUT } from "../support/pretend-engine.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { type EngineWorld, inferenceContract } from "./inference.ts";

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
    deadlineTooShortMs: 5,
    killOne: (engine) => (engine as PretendEngine).killOne(),
  };
});
