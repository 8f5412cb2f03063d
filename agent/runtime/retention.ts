import { SkeinError } from "../../shared/errors.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { isOpen } from "../../shared/job.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { jobsToForget } from "../core/replication/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RetentionInit {
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  events: Events;
  reachable: () => NodeId[];
}

/** While this node leads: has the jobs forgotten that the fleet's settings say are to be kept no longer. */
export class Retention {
  readonly #world: Surroundings;
  readonly #init: RetentionInit;
  #ticking: Cancel = () => {};
  #isBusy = false;

  constructor(world: Surroundings, init: RetentionInit) {
    this.#world = world;
    this.#init = init;
  }

  begin(): void {
    this.#ticking = this.#world.clock.every(TIMING.retentionMs, () => void this.#tick());
  }

  end(): void {
    this.#ticking();
  }

  async #tick(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      await this.#forget();
    } catch (error) {
      this.#world.telemetry.log("warn", "forgettingDelayed", { reason: SkeinError.from(error).message });
    } finally {
      this.#isBusy = false;
    }
  }

  async #forget(): Promise<void> {
    const { proposer, events } = this.#init;
    if (this.#due(this.#world.clock.nowMs()).length === 0) return;
    const jobIds = this.#due(await this.#earliestMs());
    if (jobIds.length === 0) return;
    await proposer.propose({ kind: "jobsForgotten", jobIds });
    events.emit("jobsForgotten", { jobs: jobIds.length });
  }

  #due(nowMs: number) {
    const { ledger } = this.#init;
    const { keepJobsDays, keepJobsMax } = fleetSettings(ledger.settings);
    // With its stage jobs, whose places are forgotten by the same entry.
    const tasks = new Map<JobId, number>();
    for (const { parent, inputs } of ledger.jobs.values())
      if (parent) tasks.set(parent.jobId, (tasks.get(parent.jobId) ?? 0) + inputs.length);
    const jobs = [...ledger.jobs.values()]
      .filter(({ parent }) => !parent)
      .map(({ jobId, inputs, state, endedAtMs }) => ({
        jobId,
        items: inputs.length + (tasks.get(jobId) ?? 0),
        endedAtMs: isOpen(state) ? undefined : endedAtMs,
      }));
    const { jobsForgottenPerEntryMax: jobsMax, itemsForgottenPerEntryMax: itemsMax } = LIMITS;
    return jobsToForget(jobs, { nowMs, keepDays: keepJobsDays, keepMax: keepJobsMax, jobsMax, itemsMax });
  }

  /** The time by whichever reachable box is behind the others: one whose clock is years ahead must not forget for all. */
  async #earliestMs(): Promise<number> {
    const { peers, reachable } = this.#init;
    const told = await Promise.all(
      reachable().map((node) =>
        peers.ask(node, "standOn", { blobs: [] }).then(
          ({ atMs }) => atMs,
          // A worker has no ledger to answer from, and whoever is silent has no say.
          () => Number.POSITIVE_INFINITY,
        ),
      ),
    );
    return Math.min(this.#world.clock.nowMs(), ...told);
  }
}
