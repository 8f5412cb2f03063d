import type { BlobHash } from "../../shared/ids.ts";
import type { TensorSpec } from "../../shared/model.ts";
import type { SessionChoice } from "../../shared/session-choice.ts";

export interface FileToPlace {
  /** Below the folder, with "/"; checked by checkModelPath. */
  path: string;
  sha256: BlobHash;
  bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** Models as folders on this disk, as onnxruntime wants them: a graph finds its external data beside itself. */
export interface ModelFolders {
  /**
   * Puts a model's files under its digest, checked by their hashes and durable; a folder that is there whole is left as it is.
   * Answers with its path. @throws BLOB_HASH_MISMATCH, DISK_FULL, whatever a source throws; then nothing is left behind.
   */
  place(digest: BlobHash, files: FileToPlace[]): Promise<string>;
  /** The folder of a model that is there whole. */
  folderOf(digest: BlobHash): Promise<string | undefined>;
  remove(digest: BlobHash): Promise<void>;
  list(): Promise<BlobHash[]>;
}

/** A graph on this disk. */
export interface GraphFile {
  /** The model's folder and the graph's path in it. */
  folder: string;
  path: string;
}

/** Whole shapes of a graph's inputs, by name; where the first dimension is free it stands for the rows. */
export type InputShapes = Record<string, number[]>;

export interface Examination {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  /** By running rows alone and together, on made-up inputs. */
  batches: boolean;
  /** Those of one row with which it ran; absent when it ran with none of the lengths that were tried for its free dimensions. */
  shapes?: InputShapes;
  loadMs: number;
  /** Beyond what its process was before the model came. */
  memoryPeakBytes: number;
}

export interface TrialLimits {
  /** Beyond what the process was before the model came. */
  memoryBytesMax: number;
  /** From a process that is up to a model that has run. */
  deadlineMs: number;
}

export interface Trial extends TrialLimits {
  graph: GraphFile;
  /** Absent: the first lengths with which it runs are taken, as in an examination. */
  shapes?: InputShapes;
  choice: SessionChoice;
  /** How long it runs after the first run, all executors together. */
  runMs: number;
}

export interface TrialOutcome {
  itemsPerSecond: number;
  /** Median of one run of the whole batch. */
  runMs: number;
  loadMs: number;
  firstRunMs: number;
  /** Of one executor, beyond what it was before the model came. */
  memoryPeakBytes: number;
  memorySettledBytes: number;
  /** Of the whole processor package, where the kernel lets it be read. */
  joulesPerItem?: number;
  /** Of the first item of a fixed input: the outputs, in order, to be compared between choices. */
  outputs: Float64Array[];
}

/** A graph that comes with the agent. */
export interface KnownGraph {
  /** `ocr/det`: the pipeline, and which of its graphs. */
  name: string;
  digest: BlobHash;
  graph: GraphFile;
  /** As it is usually run. */
  shapes: InputShapes;
  batches: boolean;
}

/** Tries graphs out in processes of their own, one trial at a time, with a bound on memory and time, apart from the executors that work. */
export interface Trials {
  /** Loads a graph that nobody has vouched for, and runs it. @throws MODEL_REFUSED with the reason: no ONNX, custom operators, too much memory, a crash, a hang */
  examine(graph: GraphFile, limits: TrialLimits): Promise<Examination>;
  /** Undefined when `stop` said so, at once. @throws MODEL_REFUSED */
  run(trial: Trial, stop?: AbortSignal): Promise<TrialOutcome | undefined>;
  /** Those whose processes are long-lived enough to be worth a search. @throws MODEL_INVALID */
  known(): Promise<KnownGraph[]>;
  /** Of what else a figure depends on: onnxruntime's version, and the vector extensions of this processor. */
  readonly runtime: string;
  close(): Promise<void>;
}
