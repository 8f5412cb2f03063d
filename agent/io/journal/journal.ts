import { DiskRoom } from "../../../shared/disk-room.ts";
import { invariant, SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Journal, JournalBatch, JournalContents, Telemetry } from "../../ports/index.ts";
import { Database } from "./database.ts";
import { explain, explained, freeBytes, isDiskFull } from "./explain.ts";
import type { Operation, Outline } from "./outline.ts";
import { readBack } from "./read-back.ts";

export interface JournalDeps {
  telemetry: Telemetry;
  /** Whether the disk counts as full, whatever is free: a drill's. */
  isFull?: () => boolean;
}

interface Waiting {
  batch: JournalBatch;
  bytes: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Opens the journal in the folder `path`, making it if it is not there.
 * @throws AGENT_RUNNING if another agent has it open; JOURNAL_CORRUPT; DISK_FULL.
 */
export async function openJournal(path: string, deps: JournalDeps): Promise<Journal> {
  const database = new Database(path);
  await explained(path, database.open());
  return new LevelJournal(database, deps);
}

class LevelJournal implements Journal {
  readonly #database: Database;
  readonly #telemetry: Telemetry;
  readonly #isFull: () => boolean;
  readonly #room: DiskRoom;
  /** Unknown until read, and again after a failed write. */
  #outline: Outline | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Ends when nothing waits. */
  #writing: Promise<void> | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(database: Database, { telemetry, isFull = () => false }: JournalDeps) {
    this.#database = database;
    this.#telemetry = telemetry;
    this.#isFull = isFull;
    this.#room = new DiskRoom(
      () => freeBytes(database.path),
      () => performance.now(),
    );
  }

  async load(): Promise<JournalContents> {
    invariant(!this.#isClosed, "a closed journal is not read");
    return this.#alone(async () => {
      const reading = this.#database.open().then(() => readBack(this.#database));
      const { contents, outline } = await explained(this.#database.path, reading);
      this.#outline = outline;
      return contents;
    });
  }

  append(batch: JournalBatch): Promise<void> {
    const bytes = batchBytes(batch);
    return new Promise((resolve, reject) => {
      invariant(!this.#isClosed, "nothing is handed to a closed journal");
      invariant(this.#waitingBytes + bytes <= LIMITS.journalQueueBytesMax, "the journal's queue is bounded");
      this.#waiting.push({ batch, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#writing ??= this.#writeAll();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#alone(() => this.#database.close());
  }

  /** Reading and writing take turns: what is known of the disk must be what is on it. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    return work().finally(resolve);
  }

  async #writeAll(): Promise<void> {
    // At the next turn of the promises at the earliest, so that everything handed over in one go is one group.
    while (this.#waiting.length > 0) await this.#alone(() => this.#writeGroup());
    this.#writing = undefined;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#nextGroup();
    try {
      for (const { resolve } of await this.#commit(group)) resolve();
    } catch (error) {
      const failure = explain(this.#database.path, error);
      // What was handed over behind a lost batch was meant to follow it.
      for (const { reject } of [...group, ...this.#nextGroup(Number.POSITIVE_INFINITY)]) reject(failure);
    }
  }

  #nextGroup(bytesMax: number = LIMITS.journalCommitBytesMax): Waiting[] {
    let bytes = 0;
    let size = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (size > 0 && bytes > bytesMax) break;
      size += 1;
    }
    const group = this.#waiting.splice(0, size);
    for (const waiting of group) this.#waitingBytes -= waiting.bytes;
    return group;
  }

  /** One fsync for the whole group; returns those it made durable. A batch that breaks the port's rules is rejected alone. */
  async #commit(group: Waiting[]): Promise<Waiting[]> {
    await this.#checkSpace();
    await this.#database.open();
    this.#outline ??= (await readBack(this.#database)).outline;
    const outline = this.#outline;
    const operations: Operation[] = [];
    const taken = group.filter((waiting) => {
      try {
        outline.take(waiting.batch, operations);
        return true;
      } catch (error) {
        waiting.reject(error);
        return false;
      }
    });
    if (taken.length === 0) return taken;
    try {
      operations.push(outline.seal());
      await this.#database.write(operations);
    } catch (error) {
      await this.#recover(error, outline.sequence);
    }
    return taken;
  }

  /** Refusing early keeps the database whole: LevelDB outlives a full disk only by being opened again. */
  async #checkSpace(): Promise<void> {
    const { path } = this.#database;
    const free = this.#isFull() ? 0 : await this.#room.freeBytes();
    if (free < LIMITS.journalFreeBytesMin) throw new SkeinError("DISK_FULL", { path, freeBytes: free });
  }

  /**
   * After a failed write only reading back tells what is on disk: opening again moves whatever of the log is whole into
   * a table, with fsync. Resolves if this commit is there after all, else throws `error`; if the disk cannot even be
   * read back now, that is left to the next commit.
   */
  async #recover(error: unknown, sequence: number): Promise<void> {
    this.#outline = undefined;
    this.#telemetry.log("warn", "journalWriteFailed", { path: this.#database.path, reason: String(error) });
    try {
      await this.#database.reopen();
      this.#outline = (await readBack(this.#database)).outline;
    } catch (again) {
      this.#telemetry.log("error", "journalReopenFailed", { path: this.#database.path, reason: String(again) });
      throw isDiskFull(again) ? error : again;
    }
    if (this.#outline.sequence !== sequence) throw error;
    this.#telemetry.log("info", "journalWriteFound", { path: this.#database.path, sequence });
  }
}

/** About what a batch takes on disk. */
function batchBytes({ entries, snapshot }: JournalBatch): number {
  let bytes = 256 + (snapshot?.data.length ?? 0);
  for (const entry of entries) bytes += 64 + entry.data.length;
  return bytes;
}
