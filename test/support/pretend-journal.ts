import type { Cancel, Clock, Journal, JournalBatch, JournalContents } from "../../agent/ports/index.ts";
import { invariant, SkeinError } from "../../shared/errors.ts";
import type { RaftSnapshot } from "../../shared/raft.ts";

interface Waiting {
  batch: JournalBatch;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** What a crash does to the fsync under way: nothing of it, a part of its batches (each whole), or all of it is on disk. */
export type CrashOutcome = "lost" | "torn" | "kept";

/**
 * The disk under one pretend agent's journal, in memory. It outlives the agent: `open` gives the journal of one life,
 * and `crash` ends that life, after which its calls never return and change nothing.
 */
export class PretendJournal {
  /** While true, writes wait, as on a disk that hangs. */
  #isStalled = false;
  /** While true, writes are refused with DISK_FULL. */
  isFull = false;
  #durable: JournalContents = { hardState: { term: 0, vote: "", commit: 0 }, entries: [] };
  #damage: string | undefined;
  #life: PretendLife | undefined;
  readonly #clock: Clock;
  readonly #syncMs: () => number;

  /** @param syncMs how long the next fsync takes */
  constructor(clock: Clock, syncMs: () => number = () => 1) {
    this.#clock = clock;
    this.#syncMs = syncMs;
  }

  /** @throws AGENT_RUNNING if the last life was neither closed nor crashed. */
  open(): Journal {
    if (this.#life) throw new SkeinError("AGENT_RUNNING", { data: "pretend journal", pid: "pretend" });
    this.#life = new PretendLife({
      clock: this.#clock,
      syncMs: this.#syncMs,
      read: () => this.#read(),
      write: (batches) => this.#write(batches),
      isStalled: () => this.#isStalled,
      closed: () => {
        this.#life = undefined;
      },
    });
    return this.#life;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  set isStalled(isStalled: boolean) {
    this.#isStalled = isStalled;
    if (!isStalled) this.#life?.goOn();
  }

  /** Kills the agent's life; what was acknowledged stays. */
  crash(outcome: CrashOutcome = "lost"): void {
    const batches = this.#life?.die() ?? [];
    this.#life = undefined;
    const kept = { lost: 0, torn: batches.length >> 1, kept: batches.length }[outcome];
    if (!this.isFull) this.#write(batches.slice(0, kept));
  }

  /** Damages one entry in the middle: the next `load` throws JOURNAL_CORRUPT. */
  rot(index: number): void {
    invariant(
      this.#durable.entries.some((entry) => entry.index === index),
      `entry ${index} is there to be damaged`,
    );
    this.#damage = `entry ${index} is damaged`;
  }

  /** What would be there after a crash now, for checkers. */
  durable(): JournalContents {
    return copyOf(this.#durable);
  }

  /** The snapshot of it. */
  durableSnapshot(): RaftSnapshot | undefined {
    return this.#durable.snapshot;
  }

  #read(): JournalContents {
    if (this.#damage) throw new SkeinError("JOURNAL_CORRUPT", { path: "pretend journal", reason: this.#damage });
    return copyOf(this.#durable);
  }

  /** Returns the error that a batch meets, for each batch. */
  #write(batches: JournalBatch[]): (Error | undefined)[] {
    if (this.isFull) return batches.map(() => new SkeinError("DISK_FULL", { path: "pretend journal", freeBytes: 0 }));
    return batches.map((batch) => {
      try {
        this.#durable = withBatch(this.#durable, batch);
        return undefined;
      } catch (error) {
        return error as Error;
      }
    });
  }
}

interface Disk {
  clock: Clock;
  syncMs: () => number;
  read: () => JournalContents;
  write: (batches: JournalBatch[]) => (Error | undefined)[];
  isStalled: () => boolean;
  closed: () => void;
}

/** One life's handle: the same group commit as the real journal's. */
class PretendLife implements Journal {
  readonly #disk: Disk;
  #waiting: Waiting[] = [];
  /** Handed to the fsync under way. */
  #syncing: Waiting[] = [];
  #cancel: Cancel | undefined;
  /** The fsync's time is over and it waits for the disk to go on. */
  #isHeld = false;
  #isDead = false;
  #isClosed = false;
  #idle: (() => void)[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async load(): Promise<JournalContents> {
    await this.#whenIdle();
    return this.#disk.read();
  }

  append(batch: JournalBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isDead) return;
      invariant(!this.#isClosed, "nothing is handed to a closed journal");
      this.#waiting.push({ batch: copyOf(batch), resolve, reject });
      if (this.#waiting.length === 1 && this.#syncing.length === 0) queueMicrotask(() => this.#sync());
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#whenIdle();
    this.#disk.closed();
  }

  /** The batches of the fsync under way. */
  die(): JournalBatch[] {
    this.#isDead = true;
    this.#cancel?.();
    return this.#syncing.map(({ batch }) => batch);
  }

  goOn(): void {
    if (this.#isHeld) this.#finish();
  }

  #sync(): void {
    if (this.#isDead || this.#syncing.length > 0) return;
    this.#syncing = this.#waiting.splice(0);
    if (this.#syncing.length > 0) this.#cancel = this.#disk.clock.after(this.#disk.syncMs(), () => this.#finish());
    else for (const resolve of this.#idle.splice(0)) resolve();
  }

  #finish(): void {
    this.#isHeld = this.#disk.isStalled();
    if (this.#isHeld) return;
    const group = this.#syncing;
    const errors = this.#disk.write(group.map(({ batch }) => batch));
    for (const [place, { resolve, reject }] of group.entries()) {
      const error = errors[place];
      if (error) reject(error);
      else resolve();
      // What was handed over behind a lost batch was meant to follow it.
      if (error instanceof SkeinError) for (const behind of this.#waiting.splice(0)) behind.reject(error);
    }
    this.#syncing = [];
    this.#sync();
  }

  #whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isDead) return;
      if (this.#syncing.length + this.#waiting.length === 0) resolve();
      else this.#idle.push(resolve);
    });
  }
}

/** The port's words, as plainly as they can be put: the real journal is held against this. */
export function withBatch(before: JournalContents, batch: JournalBatch): JournalContents {
  const { snapshot = before.snapshot, hardState = before.hardState } = batch;
  let { entries } = before;
  if (batch.snapshot) {
    const { index, term } = batch.snapshot;
    const baseIndex = before.snapshot?.index ?? 0;
    invariant(index >= baseIndex, "a snapshot never goes back");
    const covered = index === baseIndex ? before.snapshot : entries[index - baseIndex - 1];
    entries = covered?.term === term ? entries.slice(index - baseIndex) : [];
  }
  const [first] = batch.entries;
  if (first) {
    const kept = first.index - 1 - (snapshot?.index ?? 0);
    invariant(kept >= 0, "entries come after the snapshot");
    invariant(kept <= entries.length, "entries leave no gap");
    entries = entries.slice(0, kept);
    let last: { index: number; term: number } = entries.at(-1) ?? snapshot ?? { index: 0, term: 0 };
    for (const entry of batch.entries) {
      invariant(entry.index === last.index + 1, "entries are contiguous");
      invariant(entry.term >= last.term, "terms never go back");
      last = entry;
    }
    entries = entries.concat(batch.entries);
  }
  return { hardState, entries, ...(snapshot ? { snapshot } : {}) };
}

/** Nothing that a caller does later to its bytes may reach the disk, nor the other way round. */
function copyOf<T extends JournalBatch>({ hardState, entries, snapshot }: T): T {
  return {
    ...(hardState ? { hardState: { ...hardState } } : {}),
    entries: entries.map((entry) => ({ ...entry, data: new Uint8Array(entry.data) })),
    ...(snapshot ? { snapshot: { ...snapshot, data: new Uint8Array(snapshot.data) } } : {}),
  } as T;
}
