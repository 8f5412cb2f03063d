import { mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ClassicLevel } from "classic-level";
import { SkeinError } from "../../../shared/errors.ts";
import { findLostMiddle } from "./commit-log.ts";
import type { Operation } from "./outline.ts";
import { Damage, damagedUnless } from "./records.ts";

type Level = ClassicLevel<string, Uint8Array>;

/**
 * Folders this process has open. LevelDB must not see a second try: it opens and closes the lock file before it notices,
 * and POSIX drops a process's locks on a file when any of its descriptors for it is closed.
 */
const HELD = new Set<string>();

/**
 * LevelDB with its traps covered: it is checked before it is opened, never made anew over the remains of another, and
 * after any failed write it is closed and opened again, because its log may end in half a record that it would write on behind.
 */
export class Database {
  readonly path: string;
  #level: Level | undefined;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** @throws AGENT_RUNNING, DISK_FULL, Damage */
  async open(): Promise<void> {
    if (this.#level) return;
    if (HELD.has(this.path)) throw new SkeinError("AGENT_RUNNING", { data: this.path, pid: process.pid });
    HELD.add(this.path);
    try {
      this.#level = await this.#openLevel();
    } catch (error) {
      HELD.delete(this.path);
      throw error;
    }
  }

  /** All records in the order of their keys. */
  records(): AsyncIterable<[string, Uint8Array]> {
    return this.#opened().iterator({ fillCache: false });
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#opened().get(key);
  }

  /** Atomic; on disk (fsync) when it resolves. After a failure what is on disk is unknown until `reopen`. */
  async write(operations: Operation[]): Promise<void> {
    await this.#opened().batch(operations, { sync: true });
  }

  async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  async close(): Promise<void> {
    const level = this.#level;
    this.#level = undefined;
    await level?.close();
    if (level) HELD.delete(this.path);
  }

  async #openLevel(): Promise<Level> {
    const isNew = await this.#makeFolder();
    try {
      if (!isNew) await checkFiles(this.path);
    } catch (error) {
      // A log that another agent is writing to right now may look like anything.
      const pid = await lockHolder(this.path);
      throw error instanceof Damage && pid ? new SkeinError("AGENT_RUNNING", { data: this.path, pid }) : error;
    }
    // Entries do not compress well, and a Pi has better things to do.
    const level: Level = new ClassicLevel(this.path, { valueEncoding: "view", compression: false });
    try {
      await level.open();
    } catch (error) {
      throw await this.#explainOpen(error);
    }
    return level;
  }

  #opened(): Level {
    if (!this.#level) throw new Error(`the database in ${this.path} is not open`);
    return this.#level;
  }

  /** True if nothing was ever in it. The folder's own name is made durable; LevelDB only looks after what is inside. */
  async #makeFolder(): Promise<boolean> {
    const made = await mkdir(this.path, { recursive: true });
    if (made === undefined) return (await readdir(this.path)).length === 0;
    for (let folder = this.path; folder !== dirname(made); folder = dirname(folder)) {
      const parent = await open(dirname(folder));
      await parent.sync().finally(() => parent.close());
    }
    return true;
  }

  async #explainOpen(error: unknown): Promise<unknown> {
    const cause = (error as Error).cause ?? error;
    const { code, message } = cause as Error & { code?: string };
    if (code === "LEVEL_LOCKED")
      return new SkeinError("AGENT_RUNNING", {
        data: this.path,
        pid: (await lockHolder(this.path)) ?? "unknown",
      });
    // Files are never deleted by us, so one that LevelDB counts on and that is gone is damage like a bad checksum.
    if (code === "LEVEL_CORRUPTION" || /No such file/.test(message)) return new Damage(message);
    return cause;
  }
}

/**
 * What LevelDB itself lets pass: without CURRENT it would quietly begin an empty database, without its log it would go
 * back to an older state, and a bad record in the log makes it skip the rest of the block, acknowledged writes included.
 */
async function checkFiles(path: string): Promise<void> {
  const names = await readdir(path);
  const logs = names
    .filter((name) => /^\d+\.log$/.test(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const hasTables = names.some((name) => /\.(ldb|sst)$/.test(name));
  damagedUnless(names.includes("CURRENT") || !(hasTables || logs.length > 0), "the file CURRENT is missing");
  damagedUnless(logs.length > 0 || !hasTables, "the write-ahead log is missing");
  const lostMiddle = findLostMiddle(await Promise.all(logs.map((name) => readFile(join(path, name)))));
  damagedUnless(!lostMiddle, `in ${logs.join(" and ")}, ${lostMiddle}`);
}

/** Who holds LevelDB's lock, where the kernel tells (Linux): a line `POSIX ADVISORY WRITE <pid> <device>:<inode> …`. */
async function lockHolder(path: string): Promise<number | undefined> {
  try {
    const { ino } = await stat(join(path, "LOCK"));
    const locks = await readFile("/proc/locks", "utf8");
    const match = locks.match(new RegExp(`WRITE\\s+(\\d+)\\s+\\S+:${ino}\\s`));
    return match ? Number(match[1]) : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
