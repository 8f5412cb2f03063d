import { mkdir, readdir, rename } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobInfo, Telemetry } from "../../ports/index.ts";
import { type DiskDeps, isDiskFull, makeFolder } from "./disk.ts";
import { RecentBlobs } from "./recent.ts";
import type { Turns } from "./turns.ts";

type Level = ClassicLevel<string, Uint8Array>;

/** Where the bytes of a small blob are. */
interface Place {
  sequence: number;
  bytes: number;
}

interface Waiting {
  hash: BlobHash;
  /** Absent: it is to be removed. */
  bytes?: Uint8Array;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Small blobs in a LevelDB. What is handed in while one fsync is under way goes together in the next. Bytes are stored in
 * the order they came and found through an index by hash: keyed by their hashes they would be merged into one another, and
 * written ten times over, as they grow many. Nothing is checked here; the caller hashes.
 */
export class SmallBlobs {
  readonly #path: string;
  readonly #freeBytes: () => Promise<number>;
  readonly #turns: Turns;
  readonly #telemetry: Telemetry;
  readonly #recent = new RecentBlobs();
  #level!: Level;
  #sequence = 0;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #committing: Promise<void> | undefined;
  #removedBytes = 0;
  #freeing: Promise<void> | undefined;
  #reopening: Promise<void> | undefined;
  /** Before the next write. */
  #needs: "nothing" | "reopening" | "repair" = "nothing";

  private constructor(path: string, turns: Turns, { telemetry, freeBytes }: DiskDeps) {
    this.#path = path;
    this.#freeBytes = freeBytes;
    this.#turns = turns;
    this.#telemetry = telemetry;
  }

  static async open(path: string, turns: Turns, deps: DiskDeps): Promise<SmallBlobs> {
    await makeFolder(path);
    const small = new SmallBlobs(path, turns, deps);
    await small.#open();
    return small;
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    const recent = this.#recent.sizeOf(hash);
    if (recent !== undefined) return recent;
    await this.#reopening;
    return (await this.#placeOf(hash))?.bytes;
  }

  /** What is kept under this hash, sound or not: empty if even that cannot be read. Undefined if there is none. */
  async read(hash: BlobHash): Promise<Uint8Array | undefined> {
    return this.#recent.read(hash) ?? this.readFromDisk(hash);
  }

  /** The same, past what is still in memory. */
  async readFromDisk(hash: BlobHash): Promise<Uint8Array | undefined> {
    await this.#reopening;
    const place = await this.#placeOf(hash);
    if (!place) return undefined;
    try {
      const bytes = await this.#turns.take(() => this.#level.get(contentKey(place.sequence)));
      return bytes ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array();
    } catch (error) {
      this.#noteDamage(error);
      return new Uint8Array();
    }
  }

  /** Durable when it resolves. What is here already is not written again. One at a time for each hash. @throws DISK_FULL */
  async put(hash: BlobHash, bytes: Uint8Array): Promise<void> {
    if (this.#recent.sizeOf(hash) === undefined) await this.#commit(hash, bytes);
  }

  async remove(hash: BlobHash): Promise<void> {
    if ((await this.size(hash)) !== undefined) await this.#commit(hash);
  }

  async list(): Promise<BlobInfo[]> {
    await this.#reopening;
    const found: BlobInfo[] = [];
    try {
      for await (const [key, value] of this.#level.iterator({ gt: "h", lt: "i", fillCache: false }))
        found.push({ hash: key.slice(1) as BlobHash, bytes: placeFrom(value).bytes });
    } catch (error) {
      this.#noteDamage(error);
    }
    return found;
  }

  /** Waits for what was handed in before. */
  async close(): Promise<void> {
    await this.#committing;
    await this.#freeing;
    await this.#level.close();
  }

  /** What cannot be read is not here; the database is mended before the next write. @throws whatever is no damage */
  #noteDamage(error: unknown): void {
    if (!isDamage(error)) throw error;
    this.#recent.clear();
    this.#telemetry.log("warn", "smallBlobsUnreadable", { path: this.#path, reason: String(error) });
    this.#needs = "repair";
  }

  async #placeOf(hash: BlobHash): Promise<Place | undefined> {
    return (await this.#placesOf([hash])).get(hash);
  }

  async #placesOf(hashes: readonly BlobHash[]): Promise<Map<BlobHash, Place>> {
    const places = new Map<BlobHash, Place>();
    try {
      const values = await this.#level.getMany(hashes.map(indexKey));
      for (const [n, value] of values.entries()) if (value) places.set(hashes[n]!, placeFrom(value));
    } catch (error) {
      // Their bytes may be there, but nothing says where: another node has them.
      this.#noteDamage(error);
    }
    return places;
  }

  async #commit(hash: BlobHash, bytes?: Uint8Array): Promise<void> {
    while (this.#waitingBytes > LIMITS.smallBlobsWaitingBytesMax) await this.#committing;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ hash, ...(bytes ? { bytes } : {}), resolve, reject });
      this.#waitingBytes += bytes?.length ?? 0;
      this.#committing ??= this.#commitAll();
    });
  }

  /** Never rejects. */
  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#turns.take(() => this.#commitGroup());
      this.#freeing ??= this.#freeSpace().finally(() => {
        this.#freeing = undefined;
      });
    }
    this.#committing = undefined;
  }

  /** LevelDB itself frees what was removed when it happens to merge it, which in a quiet time is never. */
  async #freeSpace(): Promise<void> {
    try {
      while (this.#removedBytes >= LIMITS.smallBlobsRemovedBytesMin) {
        if (this.#removedBytes < (await this.#level.approximateSize("c", "d")) / 2) return;
        this.#removedBytes = 0;
        await this.#turns.take(() => this.#level.compactRange("a", "z"));
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Never rejects: each of the group hears of it itself. */
  async #commitGroup(): Promise<void> {
    let group: Waiting[] = [];
    try {
      if (this.#needs !== "nothing") {
        this.#reopening = this.#reopen();
        await this.#reopening.finally(() => {
          this.#reopening = undefined;
        });
      }
      group = this.#nextGroup();
      // One look for the whole group: one for each is a task for a thread, which costs more than the write.
      const looked = this.#placesOf(group.map(({ hash }) => hash));
      const [freeBytes, places] = await Promise.all([this.#freeBytes(), looked]);
      const isFull = freeBytes < LIMITS.diskFreeBytesMin;
      const isRefused = ({ hash, bytes }: Waiting): boolean => isFull && bytes !== undefined && !places.has(hash);
      for (const waiting of group.filter(isRefused))
        waiting.reject(new SkeinError("DISK_FULL", { path: this.#path, freeBytes }));
      group = group.filter((waiting) => !isRefused(waiting));
      await this.#write(group, places);
      for (const { resolve } of group) resolve();
    } catch (error) {
      // Also when the database could not be opened: then nobody was taken out of the queue yet.
      if (group.length === 0) group = this.#nextGroup();
      this.#failed(error);
      const freeBytes = await this.#freeBytes().catch(() => 0);
      const cause = isDiskFull(error) || freeBytes < LIMITS.diskFreeBytesMin;
      const failure = cause ? new SkeinError("DISK_FULL", { path: this.#path, freeBytes }, { cause: error }) : error;
      for (const { reject } of group) reject(failure);
    }
  }

  #failed(error: unknown): void {
    this.#recent.clear();
    this.#needs = isDamage(error) ? "repair" : "reopening";
    this.#telemetry.log("warn", "smallBlobsNotWritten", { path: this.#path, reason: String(error) });
  }

  #nextGroup(): Waiting[] {
    let bytes = 0;
    const size = this.#waiting.findIndex((waiting) => {
      bytes += waiting.bytes?.length ?? 0;
      return bytes > LIMITS.smallBlobsCommitBytesMax;
    });
    const group = this.#waiting.splice(0, size < 0 ? this.#waiting.length : size);
    for (const waiting of group) this.#waitingBytes -= waiting.bytes?.length ?? 0;
    return group;
  }

  async #write(group: readonly Waiting[], places: ReadonlyMap<BlobHash, Place>): Promise<void> {
    const batch = this.#level.batch();
    let removedBytes = 0;
    for (const { hash, bytes } of group) {
      const known = places.get(hash);
      if (!bytes) {
        this.#recent.drop(hash);
        batch.del(indexKey(hash));
        if (known) batch.del(contentKey(known.sequence));
        removedBytes += known?.bytes ?? 0;
      } else if (!known) {
        const place = { sequence: ++this.#sequence, bytes: bytes.length };
        batch.put(contentKey(place.sequence), bytes).put(indexKey(hash), placeBytes(place));
      }
    }
    if (batch.length > 0) await batch.write({ sync: true });
    else await batch.close();
    // What was there already is not known to be sound: whoever reads it shall see what is on the disk.
    for (const { hash, bytes } of group) if (bytes && !places.has(hash)) this.#recent.keep(hash, bytes);
    this.#removedBytes += removedBytes;
  }

  /** LevelDB outlives a failed write only by being opened again: its log may end in half a record. */
  async #reopen(): Promise<void> {
    await this.#level.close();
    if (this.#needs === "repair") await this.#repair("it could not be read");
    await this.#open();
    this.#needs = "nothing";
  }

  async #open(): Promise<void> {
    try {
      // Without CURRENT it would begin anew and delete what is there.
      const names = await readdir(this.#path);
      if (!names.includes("CURRENT") && names.some((name) => /\.(ldb|log)$/.test(name)))
        await this.#repair("no CURRENT");
      this.#level = await openLevel(this.#path);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#repair(String((error as Error).cause ?? error));
      this.#level = await openLevel(this.#path).catch((again: unknown) => this.#beginAnew(again));
    }
    for await (const key of this.#level.keys({ gt: "c", lt: "d", reverse: true, limit: 1 }))
      this.#sequence = Number.parseInt(key.slice(1), 16);
  }

  async #repair(reason: string): Promise<void> {
    this.#telemetry.log("warn", "smallBlobsRepaired", { path: this.#path, reason });
    await ClassicLevel.repair(this.#path);
  }

  /** Every blob has a copy on another node: an agent without its small ones is worth more than none. */
  async #beginAnew(error: unknown): Promise<Level> {
    if (!isDamage(error)) throw error;
    const aside = `${this.#path}.damaged-${Date.now()}`;
    this.#telemetry.log("error", "smallBlobsSetAside", { path: this.#path, aside, reason: String(error) });
    await rename(this.#path, aside);
    await mkdir(this.#path);
    return openLevel(this.#path);
  }
}

const indexKey = (hash: BlobHash): string => `h${hash}`;
const contentKey = (sequence: number): string => `c${sequence.toString(16).padStart(13, "0")}`;

const placeBytes = ({ sequence, bytes }: Place): Uint8Array => new Uint8Array(Float64Array.of(sequence, bytes).buffer);

function placeFrom(value: Uint8Array): Place {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { sequence: view.getFloat64(0, true), bytes: view.getFloat64(8, true) };
}

async function openLevel(path: string): Promise<Level> {
  // Most bytes are read once, by whoever makes a copy of them, so there is little to cache.
  const level: Level = new ClassicLevel(path, { valueEncoding: "view", compression: false, cacheSize: 1024 * 1024 });
  await level.open();
  return level;
}

/** A table that is cut short is an I/O error to LevelDB, like a disk that fails; one without room or descriptors is none. */
function isDamage(error: unknown): boolean {
  const { code, message, cause } = error as Error & { code?: string };
  if (/No space|Too many open/.test(message)) return false;
  return code === "LEVEL_CORRUPTION" || code === "LEVEL_IO_ERROR" || (cause !== undefined && isDamage(cause));
}
