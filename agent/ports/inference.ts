/** What one pipeline is: the models it runs and their digests, so that a result names exactly what made it. */
export interface PipelineInfo {
  name: string;
  version: string;
  models: { name: string; sha256: string; bytes: number }[];
  /** Its items cost about the same, so what is done tells how fast the next goes. Where not, a rate is that of the sample. */
  itemsAlike: boolean;
}

/** An input that is too large to be held in memory by the agent: it goes from the disk to the executor as it is read. */
export interface StreamedInput {
  /** Bytes. */
  length: number;
  /** All of them, in chunks. Called once. */
  read(): AsyncIterable<Uint8Array>;
}

export interface InferenceTask {
  pipeline: string;
  /** For messages only. */
  name: string;
  input: Uint8Array | StreamedInput;
  /** The executor is killed and replaced when a run takes longer. */
  deadlineMs: number;
}

export interface InferenceOutcome {
  /** The same bytes for the same input on every node of one CPU type. */
  output: Uint8Array;
  /** Of the run itself, without the hop to the executor. */
  durationMs: number;
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
  /** Median seconds of one item on one executor, measured now on the pipeline's own sample with all executors busy. */
  calibrate(pipeline: string): Promise<{ secondsPerItem: number }>;
}
