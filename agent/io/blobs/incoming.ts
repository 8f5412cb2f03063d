import { createHash } from "node:crypto";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { invariant, SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobInfo } from "../../ports/index.ts";
import { isDiskFull, writeWhole } from "./disk.ts";
import { forget, PieceFile } from "./piece-file.ts";
import { inPieces } from "./pieces.ts";
import type { Turns } from "./turns.ts";

/** Free space is asked for again after this many bytes of one blob. */
const SPACE_CHECK_BYTES = 16 * 1024 * 1024;

export type Source = Uint8Array | AsyncIterable<Uint8Array>;

/** A blob whose bytes are on disk, under a name that nobody looks for. */
interface Received extends BlobInfo {
  file: string;
}

/** Where bytes are until their hash is known and they are durable. On the blobs' own disk, so that a rename moves none of them. */
export class Incoming {
  readonly #path: string;
  readonly #turns: Turns;
  readonly #freeBytes: () => Promise<number>;
  readonly #arriving = new Set<BlobHash>();
  #count = 0;

  constructor(path: string, turns: Turns, freeBytes: () => Promise<number>) {
    this.#path = path;
    this.#turns = turns;
    this.#freeBytes = freeBytes;
  }

  /** What a crash left half-written is gone; pieces of a large blob that came whole are worth keeping. */
  async clear(): Promise<void> {
    await mkdir(this.#path, { recursive: true });
    const names = await readdir(this.#path);
    for (const name of names) if (!isArrival(name)) await rm(join(this.#path, name), { recursive: true, force: true });
    await this.#forgetOldest();
  }

  /** See Blobs.arrival. */
  async arrival(hash: BlobHash, bytes?: number): Promise<PieceFile | undefined> {
    invariant(!this.#arriving.has(hash), "a blob arrives once at a time");
    this.#arriving.add(hash);
    try {
      const before = await this.#arrivalOf(hash);
      if (bytes === undefined && before === undefined) {
        this.#arriving.delete(hash);
        return undefined;
      }
      const size = bytes ?? before!;
      checkSize(size);
      if (before !== undefined && before !== size) await forget(join(this.#path, arrivalName(hash, before)));
      await this.#forgetOldest();
      return await PieceFile.open(join(this.#path, arrivalName(hash, size)), hash, size, {
        turns: this.#turns,
        checkSpace: (wanted) => this.#checkSpace(wanted),
        onClosed: () => this.#arriving.delete(hash),
      });
    } catch (error) {
      this.#arriving.delete(hash);
      throw isDiskFull(error) ? await this.#diskFull(error) : error;
    }
  }

  async #arrivalOf(hash: BlobHash): Promise<number | undefined> {
    const name = (await readdir(this.#path)).find((entry) => isArrival(entry) && entry.startsWith(hash));
    return name === undefined ? undefined : Number(name.split(".")[1]);
  }

  async #forgetOldest(): Promise<void> {
    const idle = (await readdir(this.#path)).filter(
      (name) => isArrival(name) && !this.#arriving.has(name.slice(0, 64) as BlobHash),
    );
    const files = [...new Set(idle.map((name) => name.replace(/\.map$/, "")))].map((name) => join(this.#path, name));
    const aged = await Promise.all(
      files.map(async (file) => ({ file, atMs: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 })),
    );
    for (const { file } of aged.toSorted((a, b) => b.atMs - a.atMs).slice(LIMITS.arrivalsKeptMax)) await forget(file);
  }

  /** Whether there is room, as far as can be told now. @throws TOO_LARGE, DISK_FULL; the source is let go then. */
  async admit(source: Source): Promise<void> {
    const announced = source instanceof Uint8Array ? source.length : 0;
    try {
      checkSize(announced);
      await this.#checkSpace(announced);
    } catch (error) {
      await letGo(source);
      throw error;
    }
  }

  /**
   * Writes what comes, hashes it and makes it durable.
   * @throws TOO_LARGE, DISK_FULL, or whatever the source throws; nothing stays then.
   */
  async receive(source: Source): Promise<Received> {
    const file = join(this.#path, String(this.#count++));
    try {
      return { file, ...(await this.#write(file, source)) };
    } catch (error) {
      await letGo(source);
      await rm(file, { force: true });
      throw isDiskFull(error) ? await this.#diskFull(error) : error;
    }
  }

  async #write(path: string, source: Source): Promise<BlobInfo> {
    const digest = createHash("sha256");
    let bytes = 0;
    let checkedAt = 0;
    const file = await open(path, "wx");
    try {
      for await (const piece of inPieces(source, LIMITS.bulkChunkBytes)) {
        bytes += piece.length;
        checkSize(bytes);
        if (bytes - checkedAt >= SPACE_CHECK_BYTES) {
          await this.#checkSpace(0);
          checkedAt = bytes;
        }
        const written = this.#turns.take(() => writeWhole(file, piece));
        // While the disk takes it.
        digest.update(piece);
        await written;
      }
      await this.#turns.take(() => file.sync());
    } finally {
      await file.close();
    }
    return { hash: digest.digest("hex") as BlobHash, bytes };
  }

  async #checkSpace(bytes: number): Promise<void> {
    const freeBytes = await this.#freeBytes();
    if (freeBytes - bytes < LIMITS.diskFreeBytesMin) throw new SkeinError("DISK_FULL", { path: this.#path, freeBytes });
  }

  async #diskFull(cause: unknown): Promise<SkeinError> {
    return new SkeinError("DISK_FULL", { path: this.#path, freeBytes: await this.#freeBytes() }, { cause });
  }
}

/** A source that is not wanted after all may hold a stream open. */
export async function letGo(source: Source): Promise<void> {
  if (!(source instanceof Uint8Array)) await source[Symbol.asyncIterator]().return?.();
}

function checkSize(bytes: number): void {
  if (bytes <= LIMITS.blobBytesMax) return;
  const [actual, limit] = [`${bytes} bytes`, `${LIMITS.blobBytesMax} bytes`];
  throw new SkeinError("TOO_LARGE", { what: "The blob", actual, limit });
}

/** A blob's hash and size, and a map of its pieces beside it. */
const isArrival = (name: string): boolean => /^[0-9a-f]{64}\.\d+(\.map)?$/.test(name);
const arrivalName = (hash: BlobHash, bytes: number): string => `${hash}.${bytes}`;
