import type { JobId } from "../../../shared/ids.ts";
import type { JobRecord, Ledger } from "../../core/ledger/index.ts";
import type { Clock } from "../../ports/index.ts";

/** Weight of the newest job. */
const WEIGHT = 0.5;
/** What is believed of one job: else a stall would rule a form out for long. */
const SLOWNESS_MIN = 0.25;
const SLOWNESS_MAX = 8;

interface Running {
  isStaged: boolean;
  /** As foretold, corrected by what was known then. */
  seconds: number;
  beganAtMs: number;
  slowness: number;
  /** Other jobs had a part of the fleet, or it was paused: how long it takes tells nothing then. */
  isDisturbed: boolean;
}

/** How many times longer than foretold jobs take, whole and stage by stage, by pipeline; of this leader's time. */
export class FormSlowness {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #ledger: Pick<Ledger, "openJobs">;
  readonly #running = new Map<JobId, Running>();
  /** Two for each pipeline, of which there are LIMITS.pipelinesMax. */
  readonly #slowness = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonicMs">, ledger: Pick<Ledger, "openJobs">) {
    this.#clock = clock;
    this.#ledger = ledger;
  }

  of(pipeline: string): { whole: number; stages: number } {
    const known = (isStaged: boolean): number => this.#slowness.get(keyOf(pipeline, isStaged)) ?? 1;
    return { whole: known(false), stages: known(true) };
  }

  began({ jobId, pipeline }: JobRecord, told: { isStaged: boolean; seconds: number }): void {
    if (!(told.seconds > 0) || !Number.isFinite(told.seconds)) return;
    const slowness = this.#slowness.get(keyOf(pipeline, told.isStaged)) ?? 1;
    this.#running.set(jobId, { ...told, slowness, beganAtMs: this.#clock.monotonicMs(), isDisturbed: false });
    this.look();
  }

  look(): void {
    const open = [...this.#ledger.openJobs()];
    const isQuiet = open.length <= 1 && open.every(({ state }) => state === "running");
    if (!isQuiet) for (const job of this.#running.values()) job.isDisturbed = true;
  }

  ended({ jobId, pipeline, state, failedCount }: JobRecord): void {
    const job = this.#running.get(jobId);
    this.#running.delete(jobId);
    if (!job || job.isDisturbed || state !== "done" || failedCount > 0) return;
    const seconds = (this.#clock.monotonicMs() - job.beganAtMs) / 1_000;
    const seen = Math.min(SLOWNESS_MAX, Math.max(SLOWNESS_MIN, (job.slowness * seconds) / job.seconds));
    const key = keyOf(pipeline, job.isStaged);
    const before = this.#slowness.get(key);
    this.#slowness.set(key, before === undefined ? seen : before + WEIGHT * (seen - before));
  }
}

const keyOf = (pipeline: string, isStaged: boolean): string => `${pipeline} ${isStaged ? "stages" : "whole"}`;
