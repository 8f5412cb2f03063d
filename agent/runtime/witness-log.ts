import { SkeinError } from "../../shared/errors.ts";
import type { RaftEntry, RaftMessage, RaftSnapshot } from "../../shared/raft.ts";
import type { Cancel } from "../ports/index.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Surroundings } from "./surroundings.ts";

export interface WitnessLogInit {
  driver: RaftDriver;
  entriesMin: number;
  entriesKept: number;
  /** An entry that is no digest. */
  apply: (entry: RaftEntry) => void;
  /** The log begins anew behind this index. */
  onRestored: (index: number) => void;
  onFatal: (error: unknown) => void;
}

const LOOK_MS = 2_000;
const NOTHING = new Uint8Array(0);

/**
 * What a witness has in the place of snapshots: a place for its log to go on from, with nothing in it. There is no ledger
 * to restore and nothing to fetch; digests are forgotten like entries are.
 */
export class WitnessLog implements Pick<Snapshots, keyof Snapshots> {
  readonly #world: Surroundings;
  readonly #init: WitnessLogInit;
  #looking: Cancel = () => {};
  #begunAt = 0;

  constructor(world: Surroundings, init: WitnessLogInit) {
    this.#world = world;
    this.#init = init;
  }

  start(): void {
    this.#looking = this.#world.clock.every(LOOK_MS, () => void this.#compact());
  }

  stop(): void {
    this.#looking();
  }

  async load(snapshot: RaftSnapshot | undefined): Promise<void> {
    this.#begunAt = snapshot?.index ?? 0;
  }

  entry(entry: RaftEntry): void {
    this.#init.apply(entry);
  }

  received(message: RaftMessage): void {
    this.#init.driver.step(message);
  }

  isClaimed(): boolean {
    return false;
  }

  /** A witness never leads. */
  sent(): void {}

  install(snapshot: RaftSnapshot): void {
    this.#begunAt = snapshot.index;
    this.#init.onRestored(snapshot.index);
  }

  async #compact(): Promise<void> {
    const { driver, entriesMin, entriesKept, onFatal } = this.#init;
    const { applied } = driver.status();
    if (applied - this.#begunAt < entriesMin) return;
    const snapshot = driver.raft.compact(applied, NOTHING, entriesKept);
    if (!snapshot) return;
    this.#begunAt = snapshot.index;
    try {
      await driver.journal(snapshot);
    } catch (error) {
      // The next one will find room; a journal that failed otherwise can no longer be trusted.
      if (SkeinError.from(error).code !== "DISK_FULL") onFatal(error);
    }
  }
}
