import { SkeinError } from "../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { ScrubView } from "../../shared/scrub.ts";
import type { BlobInfo, Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { SpareBlobs } from "./spare-blobs.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

const NOTE_KEY = "scrub";
/** Between two looks whether there is something to read and the box has time for it. */
const LOOK_MS = 10_000;
/** What a blob costs beside its bytes: a seek and a file that is opened. */
const BLOB_COST_BYTES = 64 * 1024;
/** Read before the progress is noted: less would wear the disk that is to be cared for. */
const NOTE_EVERY_BYTES = 256 * 1024 * 1024;
/** Pauses are taken together when they are worth a timer. */
const PAUSE_MS_MIN = 200;
/** A box that computes has no time. */
const CPU_LOAD_MAX = 0.8;

export interface ScrubInit {
  spare: SpareBlobs;
  peers: Peers;
  proposer: Proposer;
  events: Events;
  /** Items that wait or run here. */
  itemsQueued: () => number;
}

interface Progress {
  /** By the wall clock: they outlive the agent. */
  passStartedAtMs?: number;
  lastFullPassAtMs?: number;
  /** Every blob up to this one was read in this pass. */
  after: string;
  damagedFound: number;
  /** Damaged copies whose record is still to be dropped. */
  untold: BlobHash[];
}

/**
 * Reads every blob of this box again, slowly and only when there is nothing else to do, about once a week; and at once the
 * ones a peer has doubts about. A damaged copy is set aside and its record dropped, so that the leader has another made.
 */
export class Scrub {
  readonly #world: Surroundings;
  readonly #init: ScrubInit;
  #progress: Progress = { after: "", damagedFound: 0, untold: [] };
  #isLoaded = false;
  readonly #doubted = new Set<BlobHash>();
  /** Set aside when they were read for some other reason; whoever read them may have put a sound one in their place. */
  readonly #setAside = new Set<BlobHash>();
  #isBusy = false;
  #isStopped = false;
  #ticking: Cancel = () => {};

  constructor(world: Surroundings, init: ScrubInit) {
    this.#world = world;
    this.#init = init;
    init.spare.onDamaged = (hash) => {
      this.#progress.damagedFound++;
      if (this.#setAside.size < LIMITS.doubtsMax) this.#setAside.add(hash);
    };
    init.peers.answer("doubt", async (_from, { blob }) => {
      if (this.#doubted.size < LIMITS.doubtsMax) this.#doubted.add(blob);
      void this.#work();
      return {};
    });
  }

  start(): void {
    this.#ticking = this.#world.clock.every(LOOK_MS, () => void this.#work());
  }

  stop(): void {
    this.#isStopped = true;
    this.#ticking();
  }

  view(): ScrubView {
    const { lastFullPassAtMs, damagedFound } = this.#progress;
    return { damagedFound, ...(lastFullPassAtMs === undefined ? {} : { lastFullPassAtMs }) };
  }

  async #work(): Promise<void> {
    if (this.#isBusy || this.#isStopped) return;
    this.#isBusy = true;
    try {
      await this.#load();
      await this.#checkDoubted();
      await this.#checkSetAside();
      await this.#tell();
      if (this.#isPassDue() && (await this.#hasTime())) await this.#pass();
    } catch (error) {
      this.#world.telemetry.log("debug", "scrubDelayed", { reason: SkeinError.from(error).message });
    } finally {
      this.#isBusy = false;
    }
  }

  async #checkDoubted(): Promise<void> {
    for (const hash of this.#doubted) {
      this.#doubted.delete(hash);
      await this.#check(hash, "doubt");
    }
  }

  async #checkSetAside(): Promise<void> {
    for (const hash of this.#setAside) {
      this.#setAside.delete(hash);
      if ((await this.#init.spare.peek(hash)) === undefined) this.#owe(hash);
    }
  }

  #owe(hash: BlobHash): void {
    if (this.#progress.untold.length < LIMITS.doubtsMax) this.#progress.untold.push(hash);
  }

  #isPassDue(): boolean {
    const { passStartedAtMs, lastFullPassAtMs } = this.#progress;
    if (passStartedAtMs !== undefined || lastFullPassAtMs === undefined) return true;
    // A clock that was set back must not put it off for years.
    return Math.abs(this.#world.clock.nowMs() - lastFullPassAtMs) >= TIMING.scrubMs;
  }

  async #hasTime(): Promise<boolean> {
    if (this.#init.itemsQueued() > 0) return false;
    const { throttled, cpuLoad } = await this.#world.probe.vitals();
    return !throttled && cpuLoad <= CPU_LOAD_MAX;
  }

  /** On from where it stood, until all is read or the box has something better to do. */
  async #pass(): Promise<void> {
    const { clock } = this.#world;
    const all = (await this.#init.spare.list()).sort((a, b) => (a.hash < b.hash ? -1 : 1));
    const bytes = all.reduce((sum, blob) => sum + costOf(blob), 0);
    // Twice as fast as a week would take, because much of a week is busy.
    const bytesPerMs = Math.max(LIMITS.scrubBytesPerSecondMin, (2_000 * bytes) / TIMING.scrubMs) / 1_000;
    this.#progress.passStartedAtMs ??= clock.nowMs();
    let [readBytes, pauseMs] = [0, 0];
    for (const blob of all) {
      if (blob.hash <= this.#progress.after) continue;
      const startedAtMs = clock.monotonicMs();
      await this.#check(blob.hash, "scrub");
      this.#progress.after = blob.hash;
      readBytes += costOf(blob);
      pauseMs += costOf(blob) / bytesPerMs - (clock.monotonicMs() - startedAtMs);
      if (pauseMs >= PAUSE_MS_MIN) {
        await delay(clock, pauseMs);
        pauseMs = 0;
        if (this.#isStopped) return;
        await this.#checkDoubted();
        if (!(await this.#hasTime())) return this.#save();
      }
      if (readBytes < NOTE_EVERY_BYTES) continue;
      readBytes = 0;
      await this.#save();
    }
    const { damagedFound, untold } = this.#progress;
    this.#progress = { after: "", damagedFound, untold, lastFullPassAtMs: clock.nowMs() };
    await this.#save();
    this.#init.events.emit("scrubEnded", { blobs: all.length, damagedFound });
  }

  async #check(hash: BlobHash, foundBy: "scrub" | "doubt"): Promise<void> {
    const { spare, events, peers } = this.#init;
    if ((await spare.peek(hash)) === undefined) return;
    try {
      if (await spare.verify(hash)) return;
    } catch (error) {
      // A disk that does not give it back may do so later; one that never does is for a person to replace.
      events.emit("blobUnreadable", { hash, reason: SkeinError.from(error).message }, "warn");
      return;
    }
    this.#progress.damagedFound++;
    this.#owe(hash);
    events.emit("blobDamaged", { hash, holder: peers.self, foundBy }, "warn");
    await this.#save();
    await this.#tell();
  }

  /** Damaged copies count no more. What was told twice is told once too often, and no harm. */
  async #tell(): Promise<void> {
    const told = this.#progress.untold;
    if (told.length === 0) return;
    const dropped = [this.#init.peers.self];
    const changes = told.map((blob) => ({ blob, added: [], dropped }));
    await this.#init.proposer.propose({ kind: "holdersChanged", changes });
    this.#progress.untold = this.#progress.untold.slice(told.length);
    await this.#save();
  }

  async #load(): Promise<void> {
    if (this.#isLoaded) return;
    const note = (await this.#world.notes.list(NOTE_KEY)).get(NOTE_KEY);
    const known = note && progressFrom(note);
    if (known) this.#progress = { ...known, damagedFound: known.damagedFound + this.#progress.damagedFound };
    this.#isLoaded = true;
  }

  async #save(): Promise<void> {
    const value = new TextEncoder().encode(JSON.stringify(this.#progress));
    await this.#world.notes.write([{ key: NOTE_KEY, value }]);
  }
}

const costOf = ({ bytes }: BlobInfo): number => Math.max(bytes, BLOB_COST_BYTES);

/** Undefined if it is no progress: the pass then begins anew. */
function progressFrom(note: Uint8Array): Progress | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(note));
  } catch {
    return undefined;
  }
  const { passStartedAtMs, lastFullPassAtMs, after, damagedFound, untold } = (value ?? {}) as Record<string, unknown>;
  if (typeof after !== "string" || typeof damagedFound !== "number" || !Array.isArray(untold)) return undefined;
  return {
    after,
    damagedFound,
    untold: untold.filter(isBlobHash),
    ...(typeof passStartedAtMs === "number" ? { passStartedAtMs } : {}),
    ...(typeof lastFullPassAtMs === "number" ? { lastFullPassAtMs } : {}),
  };
}
