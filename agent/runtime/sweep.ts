import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Ledger, LedgerEvent } from "../core/ledger/index.ts";
import type { CopyPlace } from "../core/replication/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { Reader } from "./reader.ts";
import type { SpareBlobs } from "./spare-blobs.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

const TICK_MS = 30_000;
/** Blobs looked up between two turns of the event loop, and asked about in one request. */
const SLICE = 500;
/** Removed in one tick, so that a disk is not busy with nothing else. */
const REMOVALS_MAX = 2_000;
/** Records of copies that are not here, taken back in one entry. */
const CHANGES_MAX = 256;

export interface SweepInit {
  spare: SpareBlobs;
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  reader: Reader;
  events: Events;
  standing: Standing;
  places: () => CopyPlace[];
  /** A snapshot is made of it. */
  isClaimed: (hash: BlobHash) => boolean;
  sweepMs: number;
}

/**
 * Keeps this disk to what it is meant to hold. What the fleet forgot, or dropped here, goes after a while; once an hour the
 * whole disk is compared with the ledger: a blob that nothing stands on goes if it is so an hour later, too, and a copy
 * that is recorded and not here (a disk was replaced) is told, so that another is made. Without the ledger a member is asked.
 */
export class Sweep {
  readonly #world: Surroundings;
  readonly #init: SweepInit;
  #ticking: Cancel = () => {};
  #isBusy = false;
  #nextPassAtMs = 0;

  constructor(world: Surroundings, init: SweepInit) {
    this.#world = world;
    this.#init = init;
    init.peers.answer("standOn", async (from, { blobs }) => ({
      needed: await this.#neededBy(from, blobs),
      atMs: world.clock.nowMs(),
    }));
  }

  start(): void {
    this.#ticking = this.#world.clock.every(TICK_MS, () => void this.#tick());
  }

  stop(): void {
    this.#ticking();
  }

  ledgerMoved(event: LedgerEvent): void {
    const { spare, peers } = this.#init;
    const letGo = (hash: BlobHash): void => spare.suspect(hash, TIMING.blobLetGoMs);
    if (event.kind === "jobsForgotten" || event.kind === "modelRemoved") event.blobs.forEach(letGo);
    if (event.kind === "stagesLetGo" || event.kind === "resultsLost") event.blobs.forEach(letGo);
    if (event.kind === "holdersChanged")
      for (const { blob, dropped } of event.changes) if (dropped.includes(peers.self)) letGo(blob);
  }

  async #tick(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      await this.#removeDue();
      if (this.#world.clock.monotonicMs() >= this.#nextPassAtMs) {
        await this.#compare();
        this.#nextPassAtMs = this.#world.clock.monotonicMs() + this.#init.sweepMs;
      }
    } catch (error) {
      // Without a quorum nobody knows for sure what may go: it stays.
      this.#world.telemetry.log("debug", "sweepDelayed", { reason: SkeinError.from(error).message });
    } finally {
      this.#isBusy = false;
    }
  }

  async #removeDue(): Promise<void> {
    const { spare, events } = this.#init;
    const due = spare.due(REMOVALS_MAX);
    let removed = 0;
    for (let at = 0; at < due.length; at += SLICE) {
      const slice = due.slice(at, at + SLICE);
      const needed = await this.#needed(slice);
      for (const hash of slice) {
        if (needed.has(hash)) spare.clear(hash);
        else if (await spare.removeSpare(hash)) removed++;
      }
    }
    if (removed > 0) events.emit("blobsRemoved", { blobs: removed });
  }

  /** The whole disk against the ledger, and the ledger against the disk. */
  async #compare(): Promise<void> {
    const { spare, standing } = this.#init;
    const here = (await spare.list()).map(({ hash }) => hash);
    for (let at = 0; at < here.length; at += SLICE) {
      const slice = here.slice(at, at + SLICE);
      const needed = await this.#needed(slice);
      for (const hash of slice) if (!needed.has(hash)) spare.suspect(hash, this.#init.sweepMs);
      await delay(this.#world.clock, 0);
    }
    if (standing.holdsLedger) await this.#tellMissing(new Set(here));
  }

  /** Blobs of these that must stay here. @throws NO_QUORUM, NO_LEADER when nobody can say */
  async #needed(blobs: readonly BlobHash[]): Promise<Set<BlobHash>> {
    const { standing, peers, isClaimed } = this.#init;
    const needed = standing.holdsLedger ? await this.#neededBy(peers.self, blobs) : await this.#askMember([...blobs]);
    return new Set([...needed, ...blobs.filter(isClaimed)]);
  }

  async #askMember(blobs: BlobHash[]): Promise<BlobHash[]> {
    const { standing, peers } = this.#init;
    for (const member of standing.members().slice(0, LIMITS.votersMax)) {
      try {
        return (await peers.ask(member, "standOn", { blobs })).needed;
      } catch (error) {
        this.#world.telemetry.log("debug", "standOnRefused", { member, reason: SkeinError.from(error).message });
      }
    }
    throw new SkeinError("NO_LEADER");
  }

  /**
   * By this node's ledger, as of now: what is recorded there, and whatever a job stands on while no recorded holder lives.
   * A copy beyond those was only fetched to work with.
   */
  async #neededBy(node: NodeId, blobs: readonly BlobHash[]): Promise<BlobHash[]> {
    const { standing, reader, ledger, places, peers } = this.#init;
    if (!standing.holdsLedger) throw new SkeinError("NOT_A_MEMBER", { peer: peers.self });
    await reader.barrier();
    const live = new Set(places().flatMap((place) => (place.live && place.nodeId !== node ? [place.nodeId] : [])));
    return blobs.filter((hash) => {
      const holders = ledger.holders.get(hash);
      return holders !== undefined && (holders.has(node) || ![...holders].some((holder) => live.has(holder)));
    });
  }

  /** Copies that this box is recorded to hold and does not. The only record of a blob stays: nothing is won without it. */
  async #tellMissing(here: ReadonlySet<BlobHash>): Promise<void> {
    const { ledger, peers, spare, proposer, events } = this.#init;
    const missing: BlobHash[] = [];
    let looked = 0;
    for (const [hash, holders] of ledger.holders) {
      if (++looked % SLICE === 0) await delay(this.#world.clock, 0);
      if (holders.size < 2 || !holders.has(peers.self) || here.has(hash)) continue;
      if ((await spare.peek(hash)) === undefined) missing.push(hash);
    }
    for (let at = 0; at < missing.length; at += CHANGES_MAX) {
      const changes = missing
        .slice(at, at + CHANGES_MAX)
        .map((blob) => ({ blob, added: [] as NodeId[], dropped: [peers.self] }));
      await proposer.propose({ kind: "holdersChanged", changes });
    }
    if (missing.length > 0) events.emit("copiesMissing", { blobs: missing.length }, "warn");
  }
}
