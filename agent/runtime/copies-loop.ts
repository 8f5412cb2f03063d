import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import type { HoldersChanged } from "../../shared/ledger-entry.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Ledger, LedgerEvent } from "../core/ledger/index.ts";
import {
  type CopyOrder,
  type CopyPlace,
  type DropOrder,
  type Orders,
  ordersFor,
  survey,
} from "../core/replication/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import { likelyNext } from "./models/likely.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

const TICK_MS = 2_000;
/** Blobs looked at in one go, a few milliseconds of work, and the rest between two of them: a twentieth of a slow box. */
const SLICE = 2_000;
const SLICE_REST_MS = 50;
/** Copies and drops under way at once, in requests of at most so many blobs. */
const ORDERS_MAX = 128;
const BATCH_MAX = 32;
/** Changed blobs remembered one by one; of more, all blobs are looked at instead. */
const CHANGED_MAX = 50_000;
const COPY_DEADLINE_MS = 60_000;

type Change = HoldersChanged["changes"][number];

export interface CopiesInit {
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  events: Events;
  places: () => CopyPlace[];
  nodes: () => NodeView[];
}

/**
 * While this node leads: makes up for copies that were lost with a node, drops what is too many, and records where they
 * are now. It looks at what the ledger says has changed, and at everything only when it begins to lead, when a box came or
 * went, and once when the boxes have then stood still for a while.
 */
export class CopiesLoop {
  readonly #world: Surroundings;
  readonly #init: CopiesInit;
  #ticking: Cancel = () => {};
  #isWorking = false;
  #isLeading = false;
  readonly #changed = new Set<BlobHash>();
  /** What could not be done now. */
  readonly #later = new Set<BlobHash>();
  /** Walks over all blobs; undefined when it came to the end. */
  #walk: Iterator<BlobHash> | undefined;
  /** The places as they were seen last, since when, and whether all was looked at since they stand still. */
  #seen = "";
  #seenSinceMs = 0;
  #isTidy = false;

  constructor(world: Surroundings, init: CopiesInit) {
    this.#world = world;
    this.#init = init;
  }

  begin(): void {
    this.#isLeading = true;
    this.#seen = "";
    this.#ticking = this.#world.clock.every(TICK_MS, () => void this.#work());
  }

  end(): void {
    this.#isLeading = false;
    this.#ticking();
    this.#walk = undefined;
    this.#changed.clear();
    this.#later.clear();
  }

  ledgerMoved(event: LedgerEvent): void {
    if (!this.#isLeading) return;
    if (event.kind === "holdersChanged") for (const blob of event.blobs) this.#changed.add(blob);
    if (event.kind === "jobSubmitted") for (const { blob } of event.job.inputs) this.#changed.add(blob);
    if (event.kind === "modelAdded") for (const { blob } of event.model.manifest.files) this.#changed.add(blob);
    if (event.kind === "placementDecided")
      for (const { manifest } of this.#init.ledger.planning.models.values())
        for (const { blob } of manifest.files) this.#changed.add(blob);
    if (event.kind === "resultsRecorded") for (const { output } of event.results) if (output) this.#changed.add(output);
    if (this.#changed.size <= CHANGED_MAX) return;
    this.#changed.clear();
    this.#walkAnew();
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (const blob of this.#later) this.#changed.add(blob);
    this.#later.clear();
    try {
      while (this.#isLeading) {
        const orders = this.#look();
        if (orders.copies.length + orders.drops.length > 0) await this.#carryOut(orders);
        else if (!this.#walk && this.#changed.size === 0) break;
        else await delay(this.#world.clock, SLICE_REST_MS);
      }
    } catch (error) {
      this.#world.telemetry.log("warn", "repairDelayed", { reason: SkeinError.from(error).message });
    } finally {
      this.#isWorking = false;
    }
  }

  /** What is to be done, as far as one slice shows it. */
  #look(): Orders {
    const { ledger } = this.#init;
    const places = this.#init.places();
    const tidy = this.#lookAtPlaces(places);
    const fleet = survey(places, LIMITS.diskFreeBytesMin);
    const likely = likelyNext(ledger.planning, this.#init.nodes);
    const found: Orders = { copies: [], drops: [] };
    for (let looked = 0; looked < SLICE && found.copies.length + found.drops.length < ORDERS_MAX; looked++) {
      const blob = this.#next();
      if (blob === undefined) break;
      const holders = ledger.holders.get(blob);
      if (!holders) continue;
      const { copies, drops } = ordersFor(blob, holders, ledger.copiesOf(blob), fleet, tidy, likely.get(blob));
      found.copies.push(...copies);
      found.drops.push(...drops);
    }
    return found;
  }

  /** Whether they stand still. */
  #lookAtPlaces(places: readonly CopyPlace[]): boolean {
    const nowMs = this.#world.clock.monotonicMs();
    const seen = JSON.stringify(
      places.map(({ nodeId, live, zone, drained, leaving, diskFreeBytes }) => {
        const hasRoom = diskFreeBytes >= LIMITS.diskFreeBytesMin;
        return [nodeId, live, zone, drained, leaving, hasRoom];
      }),
    );
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#seenSinceMs = nowMs;
      this.#isTidy = false;
      this.#walkAnew();
      return false;
    }
    if (nowMs - this.#seenSinceMs < TIMING.copiesSteadyMs) return false;
    if (!this.#isTidy) this.#walkAnew();
    this.#isTidy = true;
    return true;
  }

  #walkAnew(): void {
    this.#walk = this.#init.ledger.holders.keys();
  }

  #next(): BlobHash | undefined {
    for (const blob of this.#changed) {
      this.#changed.delete(blob);
      return blob;
    }
    const { value, done } = this.#walk?.next() ?? { value: undefined, done: true };
    if (done) this.#walk = undefined;
    return value;
  }

  async #carryOut({ copies, drops }: Orders): Promise<void> {
    const batches = batchesOf(copies);
    const made = (await Promise.all(batches.map((batch) => this.#copy(batch)))).flat();
    const gone = await this.#confirmed(drops);
    const changes = changesOf(made, gone);
    for (const { blob } of copies) if (!made.some((order) => order.blob === blob)) this.#later.add(blob);
    if (changes.length === 0 || !this.#isLeading) return;
    await this.#init.proposer.propose({ kind: "holdersChanged", changes });
    if (made.length > 0) this.#init.events.emit("copiesRepaired", { copies: made.length });
    if (gone.length > 0) this.#init.events.emit("copiesDropped", { copies: gone.length });
  }

  async #copy(batch: CopyOrder[]): Promise<CopyOrder[]> {
    const { to, from } = batch[0]!;
    const question = { blobs: batch.map(({ blob }) => blob), inline: [], from };
    try {
      const answer = await this.#init.peers.ask(to, "copy", question, { deadlineMs: COPY_DEADLINE_MS });
      const held = new Set(answer.held);
      return batch.filter(({ blob }) => held.has(blob));
    } catch (error) {
      this.#world.telemetry.log("debug", "copyRefused", { to, reason: SkeinError.from(error).message });
      return [];
    }
  }

  /** Those drops after which enough copies are left: by the word of those who keep them, now, and not by the record alone. */
  async #confirmed(drops: DropOrder[]): Promise<DropOrder[]> {
    if (drops.length === 0) return [];
    const blobs = [...new Set(drops.map(({ blob }) => blob))];
    const nodes = [...new Set(drops.flatMap(({ staying }) => staying))];
    const held = new Map(
      await Promise.all(nodes.map(async (node) => [node, await this.#heldBy(node, blobs)] as const)),
    );
    return drops.filter(({ blob, staying, wanted }) => {
      const sure = staying.filter((node) => held.get(node)?.has(blob));
      if (sure.length < wanted) this.#later.add(blob);
      return sure.length >= wanted;
    });
  }

  async #heldBy(node: NodeId, blobs: BlobHash[]): Promise<Set<BlobHash>> {
    try {
      return new Set((await this.#init.peers.ask(node, "have", { blobs })).held);
    } catch (error) {
      this.#world.telemetry.log("debug", "holderSilent", { node, reason: SkeinError.from(error).message });
      return new Set();
    }
  }
}

/** By whom they go to and whom they come from. */
function batchesOf(orders: readonly CopyOrder[]): CopyOrder[][] {
  const batches: CopyOrder[][] = [];
  const open = new Map<string, CopyOrder[]>();
  for (const order of orders) {
    const key = [order.to, ...order.from].join();
    let batch = open.get(key);
    if (!batch || batch.length >= BATCH_MAX) {
      batch = [];
      open.set(key, batch);
      batches.push(batch);
    }
    batch.push(order);
  }
  return batches;
}

function changesOf(made: readonly CopyOrder[], gone: readonly DropOrder[]): Change[] {
  const changes = new Map<BlobHash, Change>();
  const changeOf = (blob: BlobHash): Change => {
    const change = changes.get(blob) ?? { blob, added: [], dropped: [] };
    changes.set(blob, change);
    return change;
  };
  for (const { blob, to } of made) changeOf(blob).added.push(to);
  for (const { blob, node } of gone) changeOf(blob).dropped.push(node);
  return [...changes.values()];
}
