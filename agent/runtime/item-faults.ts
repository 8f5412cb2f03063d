import { type ErrorBody, type ErrorCode, SkeinError, type VerdictCode } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import type { Dispatch, DispatchEvent } from "../core/dispatch/index.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import { withLostAttempts } from "./lost-attempts.ts";
import type { Recorder } from "./recorder.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a worker could not begin for want of something that may come back; tried again until it does. */
const NOT_NOW: readonly ErrorCode[] = ["BLOB_MISSING", "BLOB_HASH_MISMATCH", "DISK_FULL", "EXECUTORS_BUSY"];
/** The executor died of the item, or had to be killed over it. */
const KILLS: readonly ErrorCode[] = ["EXECUTOR_DIED", "DEADLINE_EXCEEDED"];
/** Before a failure that could not be recorded is offered again. */
const GIVE_UP_RETRY_MS = 1_000;

export interface ItemFaultsInit {
  ledger: Ledger;
  events: Events;
  dispatch: Dispatch;
  recorder: Recorder;
  step: (event: DispatchEvent) => void;
  /** Whether this node leads no more. */
  isEnded: () => boolean;
}

/** Why an item is not tried again, where that is more than its last error says. */
export interface Verdict {
  code: VerdictCode;
  facts: Readonly<Record<string, unknown>>;
}

/** Why an item failed last on a node, until it is given up or done; and how one is given up. */
export class ItemFaults {
  readonly #world: Surroundings;
  readonly #init: ItemFaultsInit;
  readonly #faults = new Map<string, { result: ReportedResult; error: ErrorBody }>();

  constructor(world: Surroundings, init: ItemFaultsInit) {
    this.#world = world;
    this.#init = init;
  }

  /** The item goes to another node, or waits for what was missing. */
  blame(result: ReportedResult, error: ErrorBody): void {
    const { jobId, item, node } = result;
    this.#faults.set(keyOf(jobId, item), { result, error });
    const kind = NOT_NOW.includes(error.code) ? "itemDelayed" : "itemFailed";
    this.#init.events.emit(kind, { jobId, item, node, code: error.code, reason: error.message }, "warn");
    this.#init.step({ kind, jobId, item, node, because: error.message, killed: KILLS.includes(error.code) });
  }

  /** Records that an item failed: with its own error, or with this leader's word over it. */
  async giveUp(jobId: JobId, item: number, verdict?: Verdict): Promise<void> {
    const { ledger, dispatch, recorder, isEnded } = this.#init;
    const fault = this.#faults.get(keyOf(jobId, item));
    if (!fault || isEnded()) return;
    const name = ledger.jobs.get(jobId)?.inputs[item]?.name;
    const facts = { name, ...verdict?.facts, reported: fault.error.code };
    const error = verdict ? new SkeinError(verdict.code, facts).toJSON() : fault.error;
    const { clock, telemetry } = this.#world;
    try {
      await recorder.record([withLostAttempts(dispatch, clock, { ...fault.result, error })]);
    } catch (failure) {
      const { message: reason } = SkeinError.from(failure);
      telemetry.log("warn", "failureUnrecorded", { jobId, item, reason });
      // Still this node's to settle, if it still leads; without a quorum the next try would fail at once, so it waits.
      clock.after(GIVE_UP_RETRY_MS, () => void this.giveUp(jobId, item, verdict));
    }
  }

  /** The item is recorded. */
  forget(jobId: JobId, item: number): void {
    this.#faults.delete(keyOf(jobId, item));
  }

  forgetJob(jobId: JobId): void {
    for (const key of this.#faults.keys()) if (key.startsWith(`${jobId} `)) this.#faults.delete(key);
  }
}

const keyOf = (jobId: JobId, item: number): string => `${jobId} ${item}`;
