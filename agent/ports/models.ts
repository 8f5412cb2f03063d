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

export interface Examination {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  /** By running rows alone and together, on made-up inputs. */
  batches: boolean;
  loadMs: number;
  memoryPeakBytes: number;
}

export interface TrialLimits {
  memoryBytesMax: number;
  deadlineMs: number;
}

export interface Trial extends TrialLimits {
  graph: GraphFile;
  /** Lengths for the free dimensions other than the batch; one that is not named is 1. */
  shapes?: Record<string, number[]>;
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
  joulesPerItem?: number;
  /** Of the first item of a fixed input: the outputs, in order, to be compared between choices. */
  outputs: Float64Array[];
}

/** Tries graphs out in processes of their own, with a bound on memory and time, apart from the executors that work. */
export interface Trials {
  /** Loads a graph that nobody has vouched for, and runs it. @throws MODEL_REFUSED with the reason: no ONNX, custom operators, too much memory, a crash, a hang */
  examine(graph: GraphFile, limits: TrialLimits): Promise<Examination>;
  /** @throws MODEL_REFUSED */
  run(trial: Trial): Promise<TrialOutcome>;
}
