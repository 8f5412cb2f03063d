import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LeasedItem } from "../../shared/peer-requests.ts";
import type { DispatchEffect, DispatchEvent } from "../core/dispatch/index.ts";
import { isOpenItem, type JobRecord, type Ledger, runsAs, taskOf } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Recorder } from "./recorder.ts";
import type { SmallInHand } from "./small-in-hand.ts";
import type { Surroundings } from "./surroundings.ts";

const LEASE_DEADLINE_MS = 3_000;

export interface LeaseSendingInit {
  term: number;
  ledger: Ledger;
  peers: Peers;
  events: Events;
  inHand: SmallInHand;
  /** What may be leased before it is open. */
  recorder: Pick<Recorder, "ahead" | "holdersOf">;
  /** A task has more parts than fit in a lease. */
  onTooLarge: (task: { jobId: JobId; node: NodeId; shardId: ShardId; item: number }) => void;
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
    const { ledger, term, peers, events, inHand } = this.#init;
    const job = ledger.jobs.get(effect.jobId);
    if (!job) return;
    const { shardId, jobId, node, because, isHedge, itemDeadlineMs } = effect;
    // What is not there any more is told to the table next; never is a task run with less than it starts from.
    const items = effect.items.flatMap((item) => this.#taskOf(job, item) ?? []);
    if (items.length < effect.items.length)
      return this.#refused(effect, "what it starts from is not there any more", false);
    const tooLarge = items.find(({ parts = [] }) => parts.length > LIMITS.leasedPartsMax);
    if (tooLarge) return this.#init.onTooLarge({ jobId, node, shardId, item: tooLarge.item });
    const inputHolders = this.#holdersOf(jobId, items[0]!);
    const deadline = itemDeadlineMs === undefined ? {} : { itemDeadlineMs };
    const { copies } = job;
    const lease = { term, shardId, jobId, pipeline: runsAs(job), inputHolders, copies, ...deadline };
    events.emit("shardLeased", { shardId, node, items: items.length, because, isHedge }, "debug");
    try {
      for (const some of fittingFrames(items)) {
        const asked = { ...lease, items: some, ...inHand.carry(some.flatMap(blobsOf)) };
        const answer = await peers.ask(node, "lease", asked, { deadlineMs: LEASE_DEADLINE_MS });
        if (!answer.accepted) return this.#refused(effect, answer.reason, false);
      }
    } catch (error) {
      this.#refused(effect, SkeinError.from(error).message, true);
    }
  }

  /** As it is open, or is expected to be. */
  #taskOf(job: JobRecord, item: number): LeasedItem | undefined {
    const { ledger, recorder } = this.#init;
    return isOpenItem(ledger, job, item) ? taskOf(ledger, job, item) : recorder.ahead({ jobId: job.jobId, item });
  }

  /** Of all its parts, first who holds most of them. */
  #holdersOf(jobId: JobId, { blob, parts }: LeasedItem): NodeId[] {
    const held = new Map<NodeId, number>();
    for (const part of parts ?? [{ kind: "item" as const, blob }])
      if (part.kind !== "gap")
        for (const node of this.#init.recorder.holdersOf(jobId, part.blob)) held.set(node, (held.get(node) ?? 0) + 1);
    return [...held].sort(([, a], [, b]) => b - a).map(([node]) => node);
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

/** Of stages before, that a task starts from. */
const blobsOf = ({ parts = [] }: LeasedItem): BlobHash[] =>
  parts.flatMap((part) => (part.kind === "values" ? [part.blob] : []));

/** Nearly always one: only what gathers much is told of in several, as one lease. */
function fittingFrames(items: readonly LeasedItem[]): LeasedItem[][] {
  const frames: LeasedItem[][] = [];
  let room = 0;
  for (const item of items) {
    const parts = item.parts?.length ?? 0;
    if (frames.length === 0 || parts > room) {
      frames.push([]);
      room = LIMITS.leasedPartsMax;
    }
    frames.at(-1)!.push(item);
    room -= parts;
  }
  return frames;
}
