/** A search for how a model is best run on a box, as it is told while it goes on and when it is done. */
import { checkKeys, checkNumber, checkRecord, checkWhole } from "./checks.ts";
import { TIMING } from "./limits.ts";
import type { SessionChoice } from "./session-choice.ts";

export interface TuneRequest {
  /** Of trials, in all. */
  seconds?: number;
  /** How far outputs may be from the reference's, as a part of the largest value. */
  tolerance?: number;
}

/** Kernels that sum in another order differ by some millionths; weights of eight bits by some hundredths. */
export const TUNED_ALIKE = 1e-3;

/** @throws BAD_REQUEST */
export function checkTuneRequest(body: unknown): TuneRequest {
  const request = checkRecord(body ?? {}, "");
  checkKeys(request, "", ["seconds", "tolerance"]);
  const { seconds, tolerance } = request;
  return {
    ...(seconds !== undefined && {
      seconds: checkWhole(seconds, "seconds", TIMING.tuneSecondsMin, TIMING.tuneSecondsMax),
    }),
    ...(tolerance !== undefined && { tolerance: checkNumber(tolerance, "tolerance", 0, 1) }),
  };
}

/** One choice, tried once. */
export interface TuningTrial {
  choice: SessionChoice;
  itemsPerSecond?: number;
  /** Median of one run of the whole batch. */
  runMs?: number;
  /** Of one executor. */
  memoryPeakBytes?: number;
  memorySettledBytes?: number;
  /** How far its outputs are from the reference's: a part of the largest value. */
  difference?: number;
  /** Why it is out: refused, or other outputs, or not worth a trial. */
  out?: string;
}

export const TUNING_STAGES = ["reference", "shape", "batch", "fine", "final"] as const;

export interface TuningRung {
  /** What was sifted; `shape`: executors, threads and variant; `fine`: graph level and memory pattern. */
  stage: (typeof TUNING_STAGES)[number];
  /** Milliseconds that each was run. */
  runMs: number;
  trials: TuningTrial[];
  /** How many of them went on; 0 while it goes on. */
  kept: number;
  /** Choices that the time did not allow to try. */
  untried: number;
}

export interface TuningResult {
  choice: SessionChoice;
  itemsPerSecond: number;
  found: TuningTrial;
  /** Beside it in the same last rung: a session as onnxruntime makes it by default, and what was in use before. */
  defaults: TuningTrial;
  before: TuningTrial;
  /** What it takes the place of is worse by enough; else `before` stays in use. */
  adopted: boolean;
}

export const TUNING_STATES = ["running", "waiting", "ended", "failed"] as const;

export interface TuningView {
  model: string;
  /** `waiting`: real work goes first. */
  state: (typeof TUNING_STATES)[number];
  seconds: number;
  /** Of the largest value of an output. */
  tolerance: number;
  /** Milliseconds since 1970. */
  startedAtMs: number;
  rungs: TuningRung[];
  result?: TuningResult;
  /** Of `failed`. */
  reason?: string;
}

/** How many times what is measured against it; undefined where that could not be run. */
export const gainOver = (result: TuningResult, against: "defaults" | "before"): number | undefined => {
  const { itemsPerSecond } = result[against];
  return itemsPerSecond === undefined ? undefined : result.itemsPerSecond / itemsPerSecond;
};
