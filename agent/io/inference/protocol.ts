import type { ErrorBody } from "../../../shared/errors.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import type { OperatorSpec } from "../../../shared/pipeline/operators.ts";
import type { InferenceOutcome, InputPart, ModelToLoad, PipelineInfo } from "../../ports/index.ts";
import type { ModelRun, ModelRunEnd } from "./model/together.ts";

/** What an executor can do with one input. */
export interface Pipeline {
  info: PipelineInfo;
  /** @throws SkeinError about the input. */
  run(input: Uint8Array, name: string): Promise<Uint8Array>;
}

/** What an executor can do with a model that was loaded while it ran. */
export interface ModelPipeline {
  /** Length of free dimensions in made-up inputs that it takes; absent if it took none. */
  sampleLength?: number;
  /** As far as they fit together in batches; how each ended, in their order. */
  runTogether(items: readonly { name: string; input: Uint8Array }[]): Promise<ItemEnd[]>;
  readonly model: ModelToLoad;
  /** The same of tensors that were checked against its manifest. @param rowsMax in one batch; absent: as it is run best */
  runTensors(runs: readonly ModelRun[], rowsMax?: number): Promise<ModelRunEnd[]>;
  release(): Promise<void>;
}

export interface ItemToRun {
  pipeline: string;
  name: string;
  input: Uint8Array;
  /** Of a segment: what it starts from, instead. */
  parts?: InputPart[];
}

/** A part whose bytes come behind it, after those of the parts before. */
export type ComingPart = { kind: "item" | "values"; bytes: number } | (InputPart & { kind: "gap" });

/** What came of the folder of operators of this box's owner. */
export interface LocalOperatorsRead {
  specs: OperatorSpec[];
  /** Files that could not be used. */
  faults: { file: string; reason: string }[];
}

/** How one item ended. */
export type ItemEnd = InferenceOutcome | { error: ErrorBody };

/**
 * From the agent to an executor, which is idle then. A large input comes alone and in parts, each sent when the one
 * before has left, so that neither side copies a hundred megabytes in one go on the agent's thread. One of at most a part
 * comes in one message, and several small ones come together: where a run takes less than a message, messages would be
 * most of it. Of one model they may be run at once.
 */
export type ExecutorCommand =
  | { kind: "run"; pipeline: string; name: string; inputBytes: number; parts?: ComingPart[] }
  | { kind: "inputPart"; bytes: Uint8Array }
  /** One or more. */
  | { kind: "runMany"; items: ItemToRun[] }
  /** Answered by nothing: the next run needs it. */
  | { kind: "install"; segment: Segment; forgotten?: string }
  | { kind: "load"; model: ModelToLoad }
  | { kind: "unload"; pipeline: string };

/** From an executor to the agent. */
export type ExecutorReport =
  | { kind: "ready"; pipelines: PipelineInfo[]; local: LocalOperatorsRead; rssBytes: number }
  /** The models cannot be loaded; the executor ends. */
  | { kind: "unfit"; error: ErrorBody }
  /** The next of the items it was given, in their order. */
  | { kind: "ended"; ends: ItemEnd[]; rssBytes: number }
  | { kind: "loaded"; sampleLength?: number; rssBytes: number }
  /** It goes on without it. */
  | { kind: "loadFailed"; error: ErrorBody; rssBytes: number }
  | { kind: "unloaded"; rssBytes: number };

/** Of an executor's environment: how graphs that come with the agent are run, as JSON by their names. */
export const choicesVariable = "GRAPH_CHOICES";
/** The folder of operators of this box's owner. */
export const operatorsVariable = "OPERATORS_FOLDER";

export const inputPartBytes = 1024 * 1024;

/** From the trial of an execution provider: how it ended. */
export interface TrialEnd {
  works: boolean;
  reason: string;
}
