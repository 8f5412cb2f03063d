import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobInfo } from "../../ports/index.ts";
import { isDiskFull } from "./disk.ts";
import { inPieces } from "./pieces.ts";
import type { Turns } from "./turns.ts";

/** Free space is asked for again after this many bytes of one blob. */
const SPACE_CHECK_BYTES = 16 * 1024 * 1024;

export type Source = Uint8Array | AsyncIterable<Uint8Array>;

/** A blob whose bytes are on disk, under a name that nobody looks for. */
export interface Arrival extends BlobInfo {
  file: string;
}

/** Where bytes are until their hash is known and they are durable. On the blobs' own disk, so that a rename moves none of them. */
export class Incoming {
  readonly #path: string;
  readonly #turns: Turns;
  readonly #freeBytes: () => Promise<number>;
  #count = 0;

  constructor(path: string, turns: Turns, freeBytes: () => Promise<number>) {
    this.#path = path;
    this.#turns = turns;
    this.#freeBytes = freeBytes;
  }

  /** Whatever is here at start was left half-written by a crash. */
  async clear(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
    await mkdir(this.#path);
  }

  /**
   * Writes what comes, hashes it and makes it durable.
   * @throws TOO_LARGE, DISK_FULL, or whatever the source throws; nothing stays then.
   */
  async receive(source: Source): Promise<Arrival> {
    const announced = source instanceof Uint8Array ? source.length : 0;
    try {
      checkSize(announced);
      await this.#checkSpace(announced);
    } catch (error) {
      await letGo(source);
      throw error;
    }
    const file = join(this.#path, String(this.#count++));
    try {
      return { file, ...(await this.#write(file, source)) };
    } catch (error) {
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

/** A write may take less than it was given, on a disk that is about to be full for one. */
async function writeWhole(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}
