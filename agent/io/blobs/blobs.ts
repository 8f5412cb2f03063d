import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobInfo, Blobs, Telemetry } from "../../ports/index.ts";
import { freeBytesUnder, isDiskFull, isMissing, syncFolder } from "./disk.ts";
import { inPieces } from "./pieces.ts";
import { Turns } from "./turns.ts";

export interface BlobsDeps {
  telemetry: Telemetry;
}

/** Half-written files; whatever is in it at start is left over from a crash. On the same disk, so that a rename moves no bytes. */
const INCOMING = "incoming";
/** Free space is asked for again after this many bytes of one blob. */
const SPACE_CHECK_BYTES = 16 * 1024 * 1024;
/** Reads and writes at once: the thread pool has four threads, and the journal's fsync must never queue behind blobs on all of them. */
const DISK_TURNS = 2;

/**
 * Opens the blobs in the folder `path`, making it if it is not there. Files are `ab/HASH`, `ab` being the hash's first two digits.
 * A folder belongs to one agent; the journal beside it holds the lock.
 */
export async function openBlobs(path: string, deps: BlobsDeps): Promise<Blobs> {
  await mkdir(path, { recursive: true });
  await rm(join(path, INCOMING), { recursive: true, force: true });
  await mkdir(join(path, INCOMING));
  return new FileBlobs(path, deps.telemetry);
}

class FileBlobs implements Blobs {
  readonly #path: string;
  readonly #telemetry: Telemetry;
  readonly #turns = new Turns(DISK_TURNS);
  /** Blobs being given their name right now: a second put of the same one waits for the first to be durable. */
  readonly #publishing = new Map<BlobHash, Promise<void>>();
  #incomingCount = 0;

  constructor(path: string, telemetry: Telemetry) {
    this.#path = path;
    this.#telemetry = telemetry;
  }

  async put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobHash): Promise<BlobInfo> {
    const known = expected && (await this.#durableSize(expected));
    if (expected && known !== undefined) {
      await letGo(source);
      return { hash: expected, bytes: known };
    }
    try {
      const announced = source instanceof Uint8Array ? source.length : 0;
      checkSize(announced);
      await this.#checkSpace(announced);
    } catch (error) {
      await letGo(source);
      throw error;
    }
    const incoming = join(this.#path, INCOMING, String(this.#incomingCount++));
    try {
      const info = await this.#receive(incoming, source);
      if (expected && info.hash !== expected)
        throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual: info.hash });
      if ((await this.#durableSize(info.hash)) === undefined) await this.#publish(incoming, info.hash);
      return info;
    } catch (error) {
      throw isDiskFull(error) ? await this.#diskFull(error) : error;
    } finally {
      await rm(incoming, { force: true });
    }
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    try {
      return (await stat(this.#fileOf(hash))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    const file = await this.#open(hash);
    try {
      const bytes = new Uint8Array((await file.stat()).size);
      const digest = createHash("sha256");
      for (let at = 0; at < bytes.length; ) {
        const length = Math.min(LIMITS.bulkChunkBytes, bytes.length - at);
        const { bytesRead } = await this.#turns.take(() => file.read(bytes, at, length, at));
        if (bytesRead === 0) break;
        digest.update(bytes.subarray(at, at + bytesRead));
        at += bytesRead;
      }
      const actual = digest.digest("hex");
      if (actual === hash) return bytes;
      await this.#setAside(hash, actual);
      throw new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual });
    } finally {
      await file.close();
    }
  }

  async *stream(hash: BlobHash, offset = 0): AsyncIterable<Uint8Array> {
    const file = await this.#open(hash);
    try {
      for (let at = offset; ; ) {
        const chunk = new Uint8Array(LIMITS.bulkChunkBytes);
        const { bytesRead } = await this.#turns.take(() => file.read(chunk, 0, chunk.length, at));
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  async remove(hash: BlobHash): Promise<void> {
    const file = this.#fileOf(hash);
    await Promise.all([rm(file, { force: true }), rm(damaged(file), { force: true })]);
  }

  async list(): Promise<BlobInfo[]> {
    const found: BlobInfo[] = [];
    for (const folder of await readdir(this.#path)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const name of await readdir(join(this.#path, folder))) {
        if (!isBlobHash(name)) continue;
        const bytes = await this.size(name);
        if (bytes !== undefined) found.push({ hash: name, bytes });
      }
    }
    return found;
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, (await freeBytesUnder(this.#path)) - LIMITS.diskFreeBytesMin);
  }

  #fileOf(hash: BlobHash): string {
    return join(this.#folderOf(hash), hash);
  }

  #folderOf(hash: BlobHash): string {
    return join(this.#path, hash.slice(0, 2));
  }

  async #open(hash: BlobHash): Promise<FileHandle> {
    try {
      return await open(this.#fileOf(hash));
    } catch (error) {
      throw isMissing(error) ? new SkeinError("BLOB_MISSING", { hash }) : error;
    }
  }

  /** Size of a blob that is here and durable: one that another put is publishing right now is waited for. */
  async #durableSize(hash: BlobHash): Promise<number | undefined> {
    await this.#publishing.get(hash)?.catch(() => undefined);
    const bytes = await this.size(hash);
    // The agent may have ended between giving a name and making it durable, and this is a later life of it.
    if (bytes !== undefined) await syncFolder(this.#folderOf(hash));
    return bytes;
  }

  /** Writes and hashes what comes, and makes the bytes durable; the name comes later. */
  async #receive(incoming: string, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    const digest = createHash("sha256");
    let bytes = 0;
    let checkedAt = 0;
    const file = await open(incoming, "wx");
    try {
      for await (const piece of inPieces(source, LIMITS.bulkChunkBytes)) {
        bytes += piece.length;
        checkSize(bytes);
        if (bytes - checkedAt >= SPACE_CHECK_BYTES) {
          await this.#checkSpace(0);
          checkedAt = bytes;
        }
        digest.update(piece);
        await this.#turns.take(() => writeWhole(file, piece));
      }
      await this.#turns.take(() => file.sync());
    } finally {
      await file.close();
    }
    return { hash: digest.digest("hex") as BlobHash, bytes };
  }

  async #publish(incoming: string, hash: BlobHash): Promise<void> {
    const publishing = this.#turns.take(async () => {
      const folder = this.#folderOf(hash);
      if (await mkdir(folder, { recursive: true })) await syncFolder(this.#path);
      await rename(incoming, this.#fileOf(hash));
      await syncFolder(folder);
    });
    this.#publishing.set(hash, publishing);
    try {
      await publishing;
    } finally {
      if (this.#publishing.get(hash) === publishing) this.#publishing.delete(hash);
    }
  }

  async #setAside(hash: BlobHash, actual: string): Promise<void> {
    const file = this.#fileOf(hash);
    await rename(file, damaged(file)).catch((error: unknown) => {
      // Another reader found the same damage first.
      if (!isMissing(error)) throw error;
    });
    this.#telemetry.log("warn", "blobSetAside", { hash, actual });
  }

  async #checkSpace(bytes: number): Promise<void> {
    const freeBytes = await freeBytesUnder(this.#path);
    if (freeBytes - bytes < LIMITS.diskFreeBytesMin) throw new SkeinError("DISK_FULL", { path: this.#path, freeBytes });
  }

  async #diskFull(cause: unknown): Promise<SkeinError> {
    return new SkeinError("DISK_FULL", { path: this.#path, freeBytes: await freeBytesUnder(this.#path) }, { cause });
  }
}

const damaged = (file: string): string => `${file}.damaged`;

function checkSize(bytes: number): void {
  if (bytes > LIMITS.blobBytesMax)
    throw new SkeinError("TOO_LARGE", {
      what: "The blob",
      actual: `${bytes} bytes`,
      limit: `${LIMITS.blobBytesMax} bytes`,
    });
}

/** A source that is not wanted after all may hold a stream open. */
async function letGo(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  if (!(source instanceof Uint8Array)) await source[Symbol.asyncIterator]().return?.();
}

/** A write may take less than it was given, on a disk that is about to be full for one. */
async function writeWhole(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}
