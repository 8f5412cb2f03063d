import type { ModelManifest } from "../../shared/model.ts";
import type { Segment } from "../../shared/pipeline/compiled.ts";
import type { SessionChoice } from "../../shared/session-choice.ts";

/** What one pipeline is: the models it runs and their digests, so that a result names exactly what made it. */
export interface PipelineInfo {
  name: string;
  version: string;
  models: { name: string; sha256: string; bytes: number }[];
  /** Its items cost about the same, so what is done tells how fast the next goes. Where not, a rate is that of the sample. */
  itemsAlike: boolean;
  /** Executors that run it at once; all of them where it is not said. */
  executors?: number;
  /** Items that one run takes, if so many wait; one where it is not said. */
  batch?: number;
}

/** A model as it lies on this disk, and how it is to be run. */
export interface ModelToLoad {
  /** `name:version`; it becomes the name of the pipeline. */
  pipeline: string;
  manifest: ModelManifest;
  /** Where its files are, under the paths of the manifest. They stay there while it is loaded: an executor that is replaced loads it again. */
  folder: string;
  choice: SessionChoice;
}

/** A model that was to be loaded and was not unloaded since. */
export interface EngineModel {
  pipeline: string;
  state: "loading" | "ready" | "failed";
  /** Of `failed`. It is not tried again until it is loaded anew. */
  reason?: string;
}

/** An input that is too large to be held in memory by the agent: it goes from the disk to the executor as it is read. */
export interface StreamedInput {
  /** Bytes. */
  length: number;
  /** All of them, in chunks. Called once. */
  read(): AsyncIterable<Uint8Array>;
}

/** One of the things that a task of a segment starts from. */
export type InputPart =
  /** The item's input, as the client gave it. */
  | { kind: "item"; bytes: Uint8Array }
  /** What another segment gave (shared/pipeline/values.ts). Lists of one key in several parts are one list, in their order. */
  | { kind: "values"; bytes: Uint8Array }
  /** Where that many elements of what `segment` gives are missing: they failed, and it says that they are skipped. */
  | { kind: "gap"; segment: string; elements: number };

export interface InferenceTask {
  pipeline: string;
  /** For messages only. */
  name: string;
  /** Of a segment that is not the whole of its pipeline: none; it has parts. */
  input: Uint8Array | StreamedInput;
  parts?: InputPart[];
  /** The executor is killed and replaced when a run takes longer. */
  deadlineMs: number;
}

export interface InferenceOutcome {
  /** The same bytes for the same input on every node of one CPU type; of a model that runs in batches, the same within the tolerance of shared/same-output.ts. */
  output: Uint8Array;
  /** Of the run itself, without the hop to the executor. */
  durationMs: number;
  /** Of a segment: the lengths of the lists that others run over, in the order of `listsToldBy`. */
  elements?: number[];
  /** Of a pipeline of stages: what each cost. */
  stages?: StageRun[];
}

/** What one stage did in one run of a segment. */
export interface StageRun {
  /** Its place in the pipeline. */
  stage: number;
  /** Elements, or 1; 0 if its condition did not hold. */
  runs: number;
  /** All of them together. */
  ms: number;
  /** Of all that it gave. */
  outputBytes: number;
}

/** Runs pipelines in child processes, one per core given to it; never on the calling thread. */
export interface InferenceEngine {
  /** Starts the executors and warms the models. Resolves when every executor is ready. @throws MODEL_INVALID */
  start(): Promise<void>;
  /** Ends the executors; running tasks reject with EXECUTOR_DIED. */
  stop(): Promise<void>;
  readonly executors: number;
  pipelines(): PipelineInfo[];
  /**
   * Runs one item on the next free executor; items wait in call order.
   * @throws UNKNOWN_PIPELINE, INPUT_EMPTY, INPUT_INVALID, IMAGE_UNREADABLE, IMAGE_TOO_LARGE, EXECUTOR_DIED, DEADLINE_EXCEEDED.
   */
  run(task: InferenceTask): Promise<InferenceOutcome>;
  /**
   * Median seconds of one item on one executor, measured now on the pipeline's own sample with all its executors busy.
   * @throws UNKNOWN_PIPELINE, MODEL_UNTIMED for a model that no made-up input runs through
   */
  calibrate(pipeline: string): Promise<{ secondsPerItem: number }>;
  /**
   * Loads a model beside what is there, one executor after the other, so that the others go on. Resolves when every executor
   * that shall run it is warm; then it is one of the pipelines. One that is loaded is exchanged where folder or choice are
   * others. If it cannot be loaded, or its load ends executors again and again, it is taken off and all else goes on.
   * @throws MODEL_INVALID with the reason
   */
  load(model: ModelToLoad): Promise<void>;
  /** Resolves when no executor holds it any more; what waits for it rejects with UNKNOWN_PIPELINE. Of one that is not loaded: nothing. */
  unload(pipeline: string): Promise<void>;
  models(): EngineModel[];
  /**
   * Makes a segment one of the pipelines as long as every model it needs is loaded; done again, it changes nothing. The least
   * used of many is forgotten: UNKNOWN_PIPELINE then says that it has to be installed again.
   */
  install(segment: Segment): void;
  /**
   * How a graph of a pipeline that comes with the agent (`ocr/det`) is run by executors that start from now on. Those that
   * run already are replaced, one after the other, each when it has nothing to do.
   */
  tune(graph: string, choice: SessionChoice): void;
}
