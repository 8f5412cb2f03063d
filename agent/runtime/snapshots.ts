import { invariant, SkeinError } from "../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import type { SnapshotPiece } from "../../shared/ledger-snapshot.ts";
import type { LogIndex, RaftEntry, RaftMessage, RaftSnapshot } from "../../shared/raft.ts";
import { decodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import type { JobRecord, Ledger, LedgerContents } from "../core/ledger/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import { SnapshotFetching } from "./snapshot-fetching.ts";
import { SnapshotPieces } from "./snapshot-pieces.ts";
import { SnapshotRecovery } from "./snapshot-recovery.ts";
import { SnapshotSending } from "./snapshot-sending.ts";
import { SNAPSHOT_LIMITS, type SnapshotLimits, SnapshotTaking } from "./snapshot-taking.ts";
import type { Surroundings } from "./surroundings.ts";

export interface SnapshotsInit {
  driver: RaftDriver;
  ledger: Ledger;
  peers: Peers;
  events: Events;
  blobAccess: BlobAccess;
  limits: Partial<SnapshotLimits>;
  reachable: () => NodeId[];
  /** An entry whose turn it is. */
  apply: (entry: RaftEntry) => void;
  /** The ledger is what a snapshot says now, up to this index; it held these jobs before. */
  onRestored: (index: number, before: ReadonlyMap<JobId, JobRecord>) => void;
  onFatal: (error: unknown) => void;
}

/**
 * Everything between the log and the snapshots that take its place. A snapshot is a list of pieces, by hash, which is all
 * that the core, the journal and the consensus lane see; the pieces are blobs, and travel as blobs do.
 */
export class Snapshots {
  readonly #init: SnapshotsInit;
  readonly #pieces: SnapshotPieces;
  readonly #taking: SnapshotTaking;
  readonly #fetching: SnapshotFetching;
  readonly #sending: SnapshotSending;
  readonly #recovery: SnapshotRecovery;
  /** The one in the journal. */
  #newest: RaftSnapshot | undefined;
  /** Committed entries that wait for the ledger they follow on; undefined when the ledger is here. */
  #waiting: RaftEntry[] | undefined;
  #isMending = false;

  constructor(world: Surroundings, init: SnapshotsInit) {
    const { driver, ledger, peers, events, blobAccess } = init;
    this.#init = init;
    const pieces = new SnapshotPieces(world, blobAccess, ledger);
    this.#pieces = pieces;
    this.#taking = new SnapshotTaking(world, {
      driver,
      ledger,
      pieces,
      events,
      limits: { ...SNAPSHOT_LIMITS, ...init.limits },
      onTaken: (snapshot, made) => this.#journalled(snapshot, made),
      onFatal: init.onFatal,
    });
    this.#fetching = new SnapshotFetching(world, { driver, pieces, peers, events });
    this.#sending = new SnapshotSending(world, { driver, pieces, peers, events, onRefused: () => void this.#mend() });
    this.#recovery = new SnapshotRecovery(world, {
      driver,
      pieces,
      peers,
      events,
      reachable: init.reachable,
      onFound: (snapshot, contents) => this.#found(snapshot, contents),
    });
    peers.answer("snapshot", async (_from, { index }) => this.#offer(index));
  }

  isClaimed(hash: BlobHash): boolean {
    return this.#pieces.isClaimed(hash);
  }

  start(): void {
    this.#sending.start();
  }

  stop(): void {
    this.#taking.stop();
    this.#fetching.stop();
    this.#sending.stop();
    this.#recovery.stop();
  }

  /**
   * Makes the ledger what the journal's snapshot says, before anything is applied. If that cannot be read, entries wait
   * until it, or a newer one, was found elsewhere: the node may vote with its log, but does not know what it means.
   */
  async load(snapshot: RaftSnapshot | undefined): Promise<void> {
    if (!snapshot) return;
    try {
      const pieces = decodeManifest(snapshot.data);
      this.#newest = snapshot;
      await this.#pieces.claim("journal", pieces);
      this.#restore(snapshot, await this.#pieces.build(pieces, snapshot.index, []));
      this.#init.events.emit("ledgerLoaded", { index: snapshot.index, pieces: pieces.length, bytes: bytesOf(pieces) });
    } catch (error) {
      this.#waiting = [];
      this.#recovery.begin(snapshot, SkeinError.from(error).message);
    }
  }

  entry(entry: RaftEntry): void {
    if (this.#waiting) {
      this.#waiting.push(entry);
      return;
    }
    const { apply, ledger } = this.#init;
    invariant(entry.index === ledger.appliedIndex + 1, `entry ${entry.index} follows ${ledger.appliedIndex}`);
    apply(entry);
    this.#taking.applied(entry);
  }

  received(message: RaftMessage): void {
    this.#fetching.received(message);
  }

  sent(to: NodeId, snapshot: RaftSnapshot): void {
    this.#sending.sent(to, snapshot);
  }

  /** The journal holds it, so the ledger becomes it. */
  install(snapshot: RaftSnapshot): void {
    const fetched = this.#fetching.take(snapshot);
    if (!fetched) throw new SkeinError("INTERNAL", { reason: `nobody fetched the snapshot up to ${snapshot.index}` });
    this.#waiting = undefined;
    this.#recovery.stop();
    this.#restore(snapshot, fetched.contents);
    this.#journalled(snapshot, fetched.pieces);
    const { pieces } = fetched;
    this.#init.events.emit("snapshotInstalled", {
      index: snapshot.index,
      pieces: pieces.length,
      bytes: bytesOf(pieces),
      jobs: fetched.contents.jobs.size,
    });
  }

  /** What a node that lost its own needs; one that is too old for it is followed by another, for the next time it asks. */
  #offer(index: LogIndex): { snapshot?: RaftSnapshot } {
    const isTooOld = (this.#newest?.index ?? 0) < index;
    if (isTooOld && this.#init.ledger.appliedIndex >= index) this.#takeNow();
    return this.#newest ? { snapshot: this.#newest } : {};
  }

  /** A receiver could not get the whole of what it was sent. If a piece is damaged here, it or another snapshot is made anew. */
  async #mend(): Promise<void> {
    if (!this.#newest || this.#isMending) return;
    this.#isMending = true;
    const areWhole = await this.#pieces.areWhole(decodeManifest(this.#newest.data));
    this.#isMending = false;
    if (!areWhole) this.#takeNow();
  }

  #takeNow(): void {
    if (!this.#waiting) this.#taking.takeNow();
  }

  #restore(snapshot: RaftSnapshot, contents: LedgerContents): void {
    const { ledger, onRestored } = this.#init;
    const before = ledger.jobs;
    ledger.restore(contents);
    this.#taking.begin(bytesOf(decodeManifest(snapshot.data)));
    onRestored(snapshot.index, before);
  }

  /** The one before may go now. */
  #journalled(snapshot: RaftSnapshot, pieces: readonly SnapshotPiece[]): void {
    this.#newest = snapshot;
    void this.#pieces.claim("journal", pieces);
    void this.#pieces.claim("core", pieces);
    this.#pieces.sweep();
  }

  /** What was lost is here again, or a newer one of which this node's log holds the rest. */
  #found(snapshot: RaftSnapshot, contents: LedgerContents): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    this.#restore(snapshot, contents);
    if (snapshot.index > (this.#newest?.index ?? 0)) void this.#taking.adopt(snapshot);
    for (const entry of waiting) if (entry.index > snapshot.index) this.entry(entry);
  }
}

const bytesOf = (pieces: readonly SnapshotPiece[]): number => pieces.reduce((sum, piece) => sum + piece.bytes, 0);
