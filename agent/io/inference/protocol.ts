import type { ErrorBody } from "../../../shared/errors.ts";
import type { PipelineInfo } from "../../ports/index.ts";

/** What an executor can do with one input. */
export interface Pipeline {
  info: PipelineInfo;
  /** @throws SkeinError about the input. */
  run(input: Uint8Array, name: string): Promise<Uint8Array>;
}

/**
 * From the agent to an executor, one item at a time. The input comes in parts, each sent when the one before has left, so
 * that neither side copies a hundred megabytes in one go on the agent's thread.
 */
export type ExecutorCommand =
  | { kind: "run"; pipeline: string; name: string; inputBytes: number }
  | { kind: "inputPart"; bytes: Uint8Array };

/** From an executor to the agent. */
export type ExecutorReport =
  | { kind: "ready"; pipelines: PipelineInfo[]; rssBytes: number }
  /** The models cannot be loaded; the executor ends. */
  | { kind: "unfit"; error: ErrorBody }
  | { kind: "finished"; output: Uint8Array; durationMs: number; rssBytes: number }
  | { kind: "failed"; error: ErrorBody; rssBytes: number };

export const inputPartBytes = 1024 * 1024;
