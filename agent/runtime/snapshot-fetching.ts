import { SkeinError } from "../../shared/errors.ts";
import type { SnapshotPiece } from "../../shared/ledger-snapshot.ts";
import type { LogIndex, RaftMessage, RaftSnapshot } from "../../shared/raft.ts";
import { decodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import type { LedgerContents } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { SnapshotPieces } from "./snapshot-pieces.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

/** Tries before the sender is told that it failed; pieces that came stay, so each goes on where the last ended. */
const TRIES = 3;
const TRY_AGAIN_MS = 500;
/** Between two words to the sender that the fetch goes on. */
const NEWS_MS = 2_000;
const CLAIMANT = "fetching";

interface Wanted {
  message: RaftMessage;
  snapshot: RaftSnapshot;
  pieces: SnapshotPiece[];
}

export interface Fetched {
  snapshot: RaftSnapshot;
  pieces: SnapshotPiece[];
  contents: LedgerContents;
}

/**
 * The receiver's side of a snapshot: its pieces are fetched and read before the core hears of it, so that what is
 * journalled can be restored. The newest message wins; the log goes on meanwhile as if none had come.
 */
export class SnapshotFetching {
  readonly #world: Surroundings;
  readonly #driver: RaftDriver;
  readonly #pieces: SnapshotPieces;
  readonly #peers: Peers;
  readonly #events: Events;
  #wanted: Wanted | undefined;
  /** Stepped into the core and not yet journalled. */
  readonly #fetched = new Map<LogIndex, Fetched>();
  #toldAtMs = 0;

  constructor(
    world: Surroundings,
    parts: { driver: RaftDriver; pieces: SnapshotPieces; peers: Peers; events: Events },
  ) {
    this.#world = world;
    this.#driver = parts.driver;
    this.#pieces = parts.pieces;
    this.#peers = parts.peers;
    this.#events = parts.events;
  }

  stop(): void {
    this.#wanted = undefined;
  }

  received(message: RaftMessage): void {
    const snapshot = message.snapshot;
    // Whatever the core answers without restoring it (an old term, entries that are here) needs no pieces.
    if (!snapshot || !this.#isNews(message, snapshot)) {
      this.#driver.step(message);
      return;
    }
    const running = this.#wanted;
    if (running && isSame(running.snapshot, snapshot)) {
      running.message = message;
      return;
    }
    if (running && isOlder(message, running.message)) return;
    try {
      const wanted = { message, snapshot, pieces: decodeManifest(snapshot.data) };
      this.#wanted = wanted;
      void this.#fetch(wanted);
    } catch (error) {
      this.#refuse(message, snapshot, error);
    }
  }

  /** What the core has journalled now. Older ones were overtaken. */
  take(snapshot: RaftSnapshot): Fetched | undefined {
    const fetched = this.#fetched.get(snapshot.index);
    for (const index of this.#fetched.keys()) if (index <= snapshot.index) this.#forget(index);
    return fetched;
  }

  #isNews(message: RaftMessage, { index, term }: RaftSnapshot): boolean {
    const status = this.#driver.status();
    if (message.term < status.term || index <= status.commit) return false;
    return this.#driver.raft.entries(index, index + 1)[0]?.term !== term;
  }

  async #fetch(wanted: Wanted): Promise<void> {
    const { snapshot, pieces } = wanted;
    const { from } = wanted.message;
    // What an earlier fetch brought stays claimed as far as it is wanted still.
    await this.#pieces.claim(CLAIMANT, pieces);
    for (let tries = 1; this.#wanted === wanted; tries++) {
      try {
        const contents = await this.#pieces.build(pieces, snapshot.index, [from], () => this.#tellProgress(wanted));
        if (this.#wanted === wanted) this.#handOver(wanted, contents);
        return;
      } catch (error) {
        if (this.#wanted !== wanted) return;
        if (tries === TRIES || SkeinError.from(error).code === "FRAME_INVALID") {
          this.#wanted = undefined;
          this.#refuse(wanted.message, snapshot, error);
          return;
        }
        await delay(this.#world.clock, TRY_AGAIN_MS);
      }
    }
  }

  #handOver({ message, snapshot, pieces }: Wanted, contents: LedgerContents): void {
    this.#wanted = undefined;
    // What came in meanwhile may have made it old; the core then only answers.
    if (!this.#isNews(message, snapshot)) {
      this.#driver.step(message);
      return;
    }
    this.#fetched.set(snapshot.index, { snapshot, pieces, contents });
    void this.#pieces.claim(`fetched ${snapshot.index}`, pieces);
    this.#pieces.letGo(CLAIMANT);
    this.#driver.step(message);
    // Refused for a reason that only the core knows: nothing will come of it.
    if (this.#driver.status().commit < snapshot.index) this.#forget(snapshot.index);
  }

  #forget(index: LogIndex): void {
    this.#fetched.delete(index);
    this.#pieces.letGo(`fetched ${index}`);
  }

  #tellProgress(wanted: Wanted): void {
    const nowMs = this.#world.clock.monotonicMs();
    if (this.#wanted !== wanted || nowMs - this.#toldAtMs < NEWS_MS) return;
    this.#toldAtMs = nowMs;
    this.#tell(wanted.message, wanted.snapshot, "");
  }

  #refuse(message: RaftMessage, { index }: RaftSnapshot, error: unknown): void {
    const reason = SkeinError.from(error).message;
    this.#events.emit("snapshotNotFetched", { index, from: message.from, reason }, "warn");
    this.#tell(message, message.snapshot!, reason);
  }

  /** Lost words cost the sender's patience and no more. */
  #tell({ from }: RaftMessage, { index }: RaftSnapshot, reason: string): void {
    const news = { index, failed: reason !== "", reason: reason.slice(0, 512) };
    this.#peers.ask(from, "snapshotNews", news).catch((error: unknown) => {
      this.#world.telemetry.log("debug", "snapshotNewsUntold", { reason: SkeinError.from(error).message });
    });
  }
}

const isSame = (a: RaftSnapshot, b: RaftSnapshot): boolean =>
  a.index === b.index && a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]);

/** A later leader knows better; of one leader's the later index. */
const isOlder = (a: RaftMessage, b: RaftMessage): boolean =>
  a.term < b.term || (a.term === b.term && a.snapshot!.index < b.snapshot!.index);
