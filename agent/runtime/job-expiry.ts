import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

/** Before a job's end by its deadline that could not be recorded is offered again. */
const EXPIRE_RETRY_MS = 2_000;

/** While this node leads: ends the jobs whose deadline has passed. */
export class JobExpiry {
  readonly #world: Surroundings;
  readonly #ledger: Ledger;
  readonly #proposer: Proposer;
  /** Jobs whose deadline has passed, and when that was last offered to the ledger. */
  readonly #offeredAtMs = new Map<JobId, number>();

  constructor(world: Surroundings, { ledger, proposer }: { ledger: Ledger; proposer: Proposer }) {
    this.#world = world;
    this.#ledger = ledger;
    this.#proposer = proposer;
  }

  /** By the wall clock, which a job's deadline is told in. */
  look(): void {
    const nowMs = this.#world.clock.nowMs();
    for (const { jobId, deadlineAtMs } of this.#ledger.openJobs()) {
      if (deadlineAtMs === undefined || deadlineAtMs > nowMs) continue;
      if (nowMs - (this.#offeredAtMs.get(jobId) ?? Number.NEGATIVE_INFINITY) < EXPIRE_RETRY_MS) continue;
      this.#offeredAtMs.set(jobId, nowMs);
      this.#proposer.propose({ kind: "jobExpired", jobId, expiredAtMs: nowMs }).catch((error: unknown) => {
        const { message: reason } = SkeinError.from(error);
        this.#world.telemetry.log("warn", "expiryUnrecorded", { jobId, reason });
      });
    }
  }

  /** It has ended. */
  forget(jobId: JobId): void {
    this.#offeredAtMs.delete(jobId);
  }
}
