import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { RaftSnapshot } from "../../shared/raft.ts";
import { decodeManifest } from "../../shared/wire/ledger-snapshot.ts";
import type { LedgerContents } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { SnapshotPieces } from "./snapshot-pieces.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

const TRY_AGAIN_MS = 2_000;
const CLAIMANT = "recovery";

/**
 * For a node that started and cannot read its own snapshot: asks for the missing pieces, and for the others' newest
 * snapshots. A snapshot is agreed state, so any that is not older than the own one will do once the own log reaches it.
 */
export class SnapshotRecovery {
  readonly #world: Surroundings;
  readonly #driver: RaftDriver;
  readonly #pieces: SnapshotPieces;
  readonly #peers: Peers;
  readonly #events: Events;
  readonly #reachable: () => NodeId[];
  readonly #onFound: (snapshot: RaftSnapshot, contents: LedgerContents) => void;
  #isOver = false;

  constructor(
    world: Surroundings,
    parts: {
      driver: RaftDriver;
      pieces: SnapshotPieces;
      peers: Peers;
      events: Events;
      reachable: () => NodeId[];
      onFound: (snapshot: RaftSnapshot, contents: LedgerContents) => void;
    },
  ) {
    this.#world = world;
    this.#driver = parts.driver;
    this.#pieces = parts.pieces;
    this.#peers = parts.peers;
    this.#events = parts.events;
    this.#reachable = parts.reachable;
    this.#onFound = parts.onFound;
  }

  stop(): void {
    this.#isOver = true;
  }

  begin(lost: RaftSnapshot, reason: string): void {
    const fault = new SkeinError("SNAPSHOT_LOST", { index: lost.index, reason });
    this.#events.emit("snapshotLost", { index: lost.index, reason: fault.message }, "error");
    void this.#recover(lost);
  }

  async #recover(lost: RaftSnapshot): Promise<void> {
    while (!this.#isOver) {
      this.#yieldLead();
      for (const { snapshot, from } of [{ snapshot: lost, from: [] as NodeId[] }, ...(await this.#offers(lost))])
        if (await this.#try(snapshot, from)) return;
      await delay(this.#world.clock, TRY_AGAIN_MS);
    }
  }

  /** Whoever cannot apply cannot lead: nothing would be leased or recorded. */
  #yieldLead(): void {
    const { role, progress, id } = this.#driver.status();
    if (role !== "leader") return;
    const heir = [...progress].filter(([peer, { isHeard }]) => peer !== id && isHeard);
    heir.sort(([, a], [, b]) => b.match - a.match);
    if (heir[0]) this.#driver.raft.transferLeadership(heir[0][0]);
    this.#driver.after();
  }

  async #offers(lost: RaftSnapshot): Promise<{ snapshot: RaftSnapshot; from: NodeId[] }[]> {
    const answers = await Promise.all(
      this.#reachable().map(async (peer) => {
        const { snapshot } = await this.#peers
          .ask(peer, "snapshot", { index: lost.index })
          .catch(() => ({ snapshot: undefined }));
        return snapshot && snapshot.index >= lost.index ? [{ snapshot, from: [peer] }] : [];
      }),
    );
    return answers.flat();
  }

  /** Newer than what is committed here is not yet: the log will reach it, or the leader will send one of its own. */
  #isAgreedHere({ index, term }: RaftSnapshot): boolean {
    if (index > this.#driver.status().applied) return false;
    const [entry] = this.#driver.raft.entries(index, index + 1);
    return entry === undefined || entry.term === term;
  }

  async #try(snapshot: RaftSnapshot, from: NodeId[]): Promise<boolean> {
    if (this.#isOver) return true;
    try {
      const pieces = decodeManifest(snapshot.data);
      await this.#pieces.claim(CLAIMANT, pieces);
      const contents = await this.#pieces.build(pieces, snapshot.index, from);
      if (this.#isOver || !this.#isAgreedHere(snapshot)) return this.#isOver;
      this.#isOver = true;
      this.#onFound(snapshot, contents);
      this.#pieces.letGo(CLAIMANT);
      this.#events.emit("snapshotFound", { index: snapshot.index, from: from.join() });
      return true;
    } catch (error) {
      const reason = SkeinError.from(error).message;
      this.#world.telemetry.log("debug", "snapshotNotFound", { index: snapshot.index, reason });
      return false;
    }
  }
}
