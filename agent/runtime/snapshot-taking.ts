import { SkeinError } from "../../shared/errors.ts";
import type { SnapshotPiece } from "../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LogIndex, RaftEntry, RaftSnapshot } from "../../shared/raft.ts";
import { decodeManifest, encodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { SnapshotPieces } from "./snapshot-pieces.ts";
import type { Surroundings } from "./surroundings.ts";

export interface SnapshotLimits {
  pieceBytes: number;
  entriesMin: number;
  logBytesMin: number;
  entriesKept: number;
  bytesKept: number;
}

export const SNAPSHOT_LIMITS: Readonly<SnapshotLimits> = {
  pieceBytes: LIMITS.snapshotPieceBytes,
  entriesMin: LIMITS.snapshotEntriesMin,
  logBytesMin: LIMITS.snapshotLogBytesMin,
  entriesKept: LIMITS.snapshotEntriesKept,
  bytesKept: LIMITS.snapshotBytesKept,
};

/** What an entry takes in the journal beside its data. */
const ENTRY_BYTES = 64;
/** After one that failed, be it for want of room. */
const AGAIN_MS = 30_000;
const CLAIMANT = "taking";

/**
 * Decides when the log is long enough to be replaced by what it led to, and does it beside everything else: the ledger
 * holds still in what is written down while it moves on. A node that cannot goes on with its longer log.
 */
export class SnapshotTaking {
  readonly #world: Surroundings;
  readonly #driver: RaftDriver;
  readonly #ledger: Ledger;
  readonly #pieces: SnapshotPieces;
  readonly #events: Events;
  readonly #limits: SnapshotLimits;
  readonly #onTaken: (snapshot: RaftSnapshot, pieces: readonly SnapshotPiece[]) => void;
  readonly #onFatal: (error: unknown) => void;
  /** Of the log since the last snapshot. */
  #entries = 0;
  #logBytes = 0;
  #snapshotBytes = 0;
  #isTaking = false;
  #isStopped = false;
  #notBeforeMs = 0;

  constructor(
    world: Surroundings,
    parts: {
      driver: RaftDriver;
      ledger: Ledger;
      pieces: SnapshotPieces;
      events: Events;
      limits: SnapshotLimits;
      /** It is in the journal. */
      onTaken: (snapshot: RaftSnapshot, pieces: readonly SnapshotPiece[]) => void;
      onFatal: (error: unknown) => void;
    },
  ) {
    this.#world = world;
    this.#driver = parts.driver;
    this.#ledger = parts.ledger;
    this.#pieces = parts.pieces;
    this.#events = parts.events;
    this.#limits = parts.limits;
    this.#onTaken = parts.onTaken;
    this.#onFatal = parts.onFatal;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** The log begins anew behind a snapshot of this size. */
  begin(snapshotBytes: number): void {
    this.#entries = 0;
    this.#logBytes = 0;
    this.#snapshotBytes = snapshotBytes;
  }

  /** This entry is in the ledger. */
  applied({ data }: RaftEntry): void {
    this.#entries++;
    this.#logBytes += ENTRY_BYTES + data.length;
    if (this.#isDue()) this.takeNow();
  }

  /** Unless one is being taken. */
  takeNow(): void {
    if (!this.#isTaking && !this.#isStopped) void this.#take();
  }

  /** Another node's snapshot of what is applied here too becomes this node's own. */
  async adopt({ index, data }: RaftSnapshot): Promise<void> {
    try {
      await this.#compact(index, decodeManifest(data));
    } catch (error) {
      if (!this.#isStopped) this.#failed(error);
    }
  }

  #isDue(): boolean {
    if (this.#isTaking || this.#world.clock.monotonicMs() < this.#notBeforeMs) return false;
    const { entriesMin, logBytesMin } = this.#limits;
    const growth = Math.max(1, this.#snapshotBytes / logBytesMin);
    return this.#entries >= entriesMin * growth || this.#logBytes >= logBytesMin * growth;
  }

  async #take(): Promise<void> {
    this.#isTaking = true;
    const before = { entries: this.#entries, logBytes: this.#logBytes };
    this.begin(this.#snapshotBytes);
    try {
      await this.#write();
    } catch (error) {
      if (this.#isStopped) return;
      this.#entries += before.entries;
      this.#logBytes += before.logBytes;
      this.#failed(error);
    } finally {
      this.#ledger.letGo();
      this.#isTaking = false;
      this.#pieces.letGo(CLAIMANT);
      this.#pieces.sweep();
    }
  }

  async #write(): Promise<void> {
    const startedMs = this.#world.clock.monotonicMs();
    const still = this.#ledger.hold();
    const pieces: SnapshotPiece[] = [];
    let bytes = 0;
    for (const piece of still.pieces(this.#limits.pieceBytes)) {
      if (this.#isStopped) return;
      pieces.push(await this.#pieces.add(CLAIMANT, pieces, piece));
      bytes += piece.length;
    }
    if (this.#isStopped || !(await this.#compact(still.index, pieces))) return;
    this.#snapshotBytes = bytes;
    const tookMs = Math.round(this.#world.clock.monotonicMs() - startedMs);
    this.#events.emit("snapshotTaken", { index: still.index, pieces: pieces.length, bytes, tookMs });
  }

  /** False if a newer one was received meanwhile. */
  async #compact(index: LogIndex, pieces: readonly SnapshotPiece[]): Promise<boolean> {
    const snapshot = this.#driver.raft.compact(index, encodeManifest(pieces), this.#entriesKept(index));
    if (!snapshot) return false;
    // From here on the core may send it, even if the journal finds no room for it.
    void this.#pieces.claim("core", pieces);
    try {
      await this.#driver.journal(snapshot);
    } catch (error) {
      // Room may come; a journal that failed otherwise can no longer be trusted.
      if (SkeinError.from(error).code !== "DISK_FULL") this.#onFatal(error);
      throw error;
    }
    this.#onTaken(snapshot, pieces);
    return true;
  }

  /** As many as are allowed by number and by bytes. */
  #entriesKept(index: number): number {
    const { entriesKept, bytesKept } = this.#limits;
    let [count, bytes] = [0, 0];
    for (const { data } of this.#driver.raft.entries(Math.max(1, index + 1 - entriesKept), index + 1).reverse()) {
      bytes += ENTRY_BYTES + data.length;
      if (bytes > bytesKept) break;
      count++;
    }
    return count;
  }

  #failed(error: unknown): void {
    const fault = SkeinError.from(error);
    this.#notBeforeMs = this.#world.clock.monotonicMs() + AGAIN_MS;
    this.#events.emit("snapshotNotTaken", { reason: fault.message }, fault.code === "DISK_FULL" ? "warn" : "error");
  }
}
