import type { NodeId } from "../../shared/ids.ts";
import type { LogIndex, RaftSnapshot } from "../../shared/raft.ts";
import { decodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { SnapshotPieces } from "./snapshot-pieces.ts";
import type { Surroundings } from "./surroundings.ts";

/** A receiver that says nothing for so long is sent the newest snapshot anew: several times as long as between two words of it. */
const SILENT_MS = 10_000;
/** After a receiver's failure: what stopped it is rarely gone at once. */
const AGAIN_MS = 1_000;
const LOOK_MS = 500;

interface Sending {
  index: LogIndex;
  /** When it is taken for failed, unless the receiver says that it is at work. */
  endsAtMs: number;
}

/**
 * The leader's side of a snapshot on its way: the core sends its receiver nothing more until it acknowledges, or until it
 * is told here that the snapshot did not arrive. Its pieces are kept meanwhile.
 */
export class SnapshotSending {
  readonly #world: Surroundings;
  readonly #driver: RaftDriver;
  readonly #pieces: SnapshotPieces;
  readonly #events: Events;
  readonly #onRefused: () => void;
  readonly #to = new Map<NodeId, Sending>();
  #looking: Cancel = () => {};

  constructor(
    world: Surroundings,
    parts: { driver: RaftDriver; pieces: SnapshotPieces; events: Events; peers: Peers; onRefused: () => void },
  ) {
    this.#world = world;
    this.#driver = parts.driver;
    this.#pieces = parts.pieces;
    this.#events = parts.events;
    this.#onRefused = parts.onRefused;
    parts.peers.answer("snapshotNews", async (from, news) => this.#hear(from, news));
  }

  start(): void {
    this.#world.network.onLink((link) => {
      if (link.state === "down" && this.#to.has(link.nodeId)) this.#failed(link.nodeId);
    });
    this.#looking = this.#world.clock.every(LOOK_MS, () => this.#look());
  }

  stop(): void {
    this.#looking();
  }

  /** The core's message is on its way. */
  sent(to: NodeId, { index, data }: RaftSnapshot): void {
    this.#to.set(to, { index, endsAtMs: this.#world.clock.monotonicMs() + SILENT_MS });
    // A witness is sent a place in the log and no pieces.
    if (data.length > 0) void this.#pieces.claim(claimant(to), decodeManifest(data));
    this.#events.emit("snapshotSent", { to, index }, "debug");
  }

  #hear(
    from: NodeId,
    { index, failed, reason }: { index: LogIndex; failed: boolean; reason: string },
  ): Record<string, never> {
    const sending = this.#to.get(from);
    if (sending?.index !== index) return {};
    sending.endsAtMs = this.#world.clock.monotonicMs() + (failed ? AGAIN_MS : SILENT_MS);
    if (!failed) return {};
    this.#events.emit("snapshotRefused", { to: from, index, reason }, "warn");
    this.#onRefused();
    return {};
  }

  #look(): void {
    if (this.#to.size === 0) return;
    const { progress } = this.#driver.status();
    for (const [to, { endsAtMs }] of this.#to) {
      if (progress.get(to)?.state !== "snapshot") this.#end(to);
      else if (endsAtMs <= this.#world.clock.monotonicMs()) this.#failed(to);
    }
  }

  #failed(to: NodeId): void {
    this.#end(to);
    this.#driver.raft.reportSnapshot(to, false);
    this.#driver.after();
  }

  #end(to: NodeId): void {
    this.#to.delete(to);
    this.#pieces.letGo(claimant(to));
    this.#pieces.sweep();
  }
}

const claimant = (to: NodeId): string => `to ${to}`;
