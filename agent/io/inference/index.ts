/**
 * Inference: runs pipelines of real models on real bytes, in child processes, so that nothing here can block, crash or
 * outgrow the agent. `engine.ts` keeps the executors and the queue before them; `executor-process.ts` is one of them seen
 * from outside, `executor.ts` from inside; `ocr/` holds the operators of the pipeline `ocr`, each a pure function of its
 * input; `operators/` those that pipelines name, `segment/` runs the stages of a pipeline that an executor was given; `canary/` a pipeline for rehearsals that costs what it is told to;
 * `trials/` loads graphs nobody has vouched for and measures choices, in processes of its own. The room decides nothing about which work comes here; it owns onnxruntime, sharp and the OCR models.
 */
export { createInferenceEngine, type InferenceInit } from "./engine.ts";
export { tryProviders } from "./providers.ts";
export { type SamplePage, samplePages } from "./samples.ts";
export { createTrials } from "./trials/trials.ts";
