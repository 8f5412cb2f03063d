import type { ErrorBody } from "../../../shared/errors.ts";
import type { PipelineInfo } from "../../ports/index.ts";

/** What an executor can do with one input. */
export interface Pipeline {
  info: PipelineInfo;
  /** @throws SkeinError about the input. */
  run(input: Uint8Array, name: string): Promise<Uint8Array>;
}

export interface ItemToRun {
  pipeline: string;
  name: string;
  input: Uint8Array;
}

/** How one item ended. */
export type ItemEnd = { output: Uint8Array; durationMs: number } | { error: ErrorBody };

/**
 * From the agent to an executor, which is idle then. An input of any size comes alone and in parts, each sent when the one
 * before has left, so that neither side copies a hundred megabytes in one go on the agent's thread. Several small ones
 * come together, to be run one after the other: where a run takes less than a message, messages would be most of it.
 */
export type ExecutorCommand =
  | { kind: "run"; pipeline: string; name: string; inputBytes: number }
  | { kind: "inputPart"; bytes: Uint8Array }
  | { kind: "runMany"; items: ItemToRun[] };

/** From an executor to the agent. */
export type ExecutorReport =
  | { kind: "ready"; pipelines: PipelineInfo[]; rssBytes: number }
  /** The models cannot be loaded; the executor ends. */
  | { kind: "unfit"; error: ErrorBody }
  /** The next of the items it was given, in their order. */
  | { kind: "ended"; ends: ItemEnd[]; rssBytes: number };

export const inputPartBytes = 1024 * 1024;

/** From the trial of an execution provider: how it ended. */
export interface TrialEnd {
  works: boolean;
  reason: string;
}
