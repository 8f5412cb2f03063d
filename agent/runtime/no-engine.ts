import { SkeinError } from "../../shared/errors.ts";
import type { InferenceEngine } from "../ports/index.ts";

/** What a witness has in the place of an engine: it must run where no model and no onnxruntime is. */
export const noEngine: InferenceEngine = {
  executors: 0,
  start: async () => {},
  stop: async () => {},
  pipelines: () => [],
  run: async ({ pipeline }) => {
    throw new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: [] });
  },
  calibrate: async (pipeline) => {
    throw new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: [] });
  },
  load: async ({ pipeline }) => {
    throw new SkeinError("MODEL_INVALID", { model: pipeline, reason: "this node runs no inference" });
  },
  unload: async () => {},
  models: () => [],
  install: () => {},
  tune: () => {},
};
