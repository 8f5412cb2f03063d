import { SkeinError } from "../../shared/errors.ts";
import type { DispatchEffect, DispatchEvent } from "../core/dispatch/index.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

const LEASE_DEADLINE_MS = 3_000;

interface LeaseSendingInit {
  term: number;
  ledger: Ledger;
  peers: Peers;
  events: Events;
}

/** Carries leases to their nodes and takes them back; a lease that did not get there comes home as an event. */
export class LeaseSending {
  readonly #world: Surroundings;
  readonly #init: LeaseSendingInit;
  readonly #onEvent: (event: DispatchEvent) => void;

  constructor(world: Surroundings, init: LeaseSendingInit, onEvent: (event: DispatchEvent) => void) {
    this.#world = world;
    this.#init = init;
    this.#onEvent = onEvent;
  }

  async lease(effect: DispatchEffect & { kind: "leaseShard" }): Promise<void> {
    const { ledger, term, peers, events } = this.#init;
    const job = ledger.jobs.get(effect.jobId);
    if (!job) return;
    const { shardId, jobId, node, because, isHedge, itemDeadlineMs } = effect;
    const items = effect.items.flatMap((item) => {
      const input = job.inputs[item];
      return input ? [{ item, ...input }] : [];
    });
    const inputHolders = ledger.holdersOf(items[0]!.blob);
    const { pipeline, copies } = job;
    const deadline = itemDeadlineMs === undefined ? {} : { itemDeadlineMs };
    const lease = { term, shardId, jobId, pipeline, items, inputHolders, copies, ...deadline };
    events.emit("shardLeased", { shardId, node, items: items.length, because, isHedge }, "debug");
    try {
      const answer = await peers.ask(node, "lease", lease, { deadlineMs: LEASE_DEADLINE_MS });
      if (!answer.accepted) this.#refused(effect, answer.reason, false);
    } catch (error) {
      this.#refused(effect, SkeinError.from(error).message, true);
    }
  }

  #refused({ shardId, node }: DispatchEffect & { kind: "leaseShard" }, reason: string, unsure: boolean): void {
    this.#init.events.emit("leaseRefused", { shardId, node, reason }, "warn");
    this.#onEvent({ kind: "leaseRefused", shardId, because: reason, unsure });
  }

  async takeBack(effect: DispatchEffect & { kind: "takeBackShard" }): Promise<void> {
    const { shardId, jobId, node, items, because } = effect;
    if (items > 0) this.#init.events.emit("shardTakenBack", { shardId, jobId, node, items, because });
    const question = { term: this.#init.term, shardIds: [shardId], because };
    // A node that cannot be told is gone or will learn from a recorded no-op; its work is not waited for.
    await this.#init.peers.ask(node, "takeBack", question).catch((error: unknown) => {
      this.#world.telemetry.log("debug", "takeBackUntold", { shardId, node, reason: SkeinError.from(error).message });
    });
  }
}
