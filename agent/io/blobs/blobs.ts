import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobInfo, Blobs, Telemetry } from "../../ports/index.ts";
import { freeBytesUnder, isMissing, makeFolder, syncFolder } from "./disk.ts";
import { Incoming, letGo, type Source } from "./incoming.ts";
import { Turns } from "./turns.ts";

export interface BlobsDeps {
  telemetry: Telemetry;
  /** Whether the disk counts as full, whatever is free: a drill's. */
  isFull?: () => boolean;
}

/** Reads and writes at once: the thread pool has four threads, and the journal's fsync must never queue behind blobs on all of them. */
const DISK_TURNS = 2;
/** The folders of the blobs, by the first two digits of their hashes. */
const FOLDERS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Opens the blobs in the folder `path`, making it if it is not there. Files are `ab/HASH`, `ab` being the hash's first two digits.
 * A folder belongs to one agent; the journal beside it holds the lock.
 */
export async function openBlobs(path: string, deps: BlobsDeps): Promise<Blobs> {
  await makeFolder(path);
  const there = new Set(await readdir(path));
  const missing = FOLDERS.filter((folder) => !there.has(folder));
  for (const folder of missing) await mkdir(join(path, folder));
  if (missing.length > 0) await syncFolder(path);
  const blobs = new FileBlobs(path, deps);
  await blobs.clearIncoming();
  return blobs;
}

class FileBlobs implements Blobs {
  readonly #path: string;
  readonly #telemetry: Telemetry;
  readonly #isFull: () => boolean;
  readonly #turns = new Turns(DISK_TURNS);
  readonly #incoming: Incoming;
  /** The last change of each blob's name that has not ended: they are made one after another. */
  readonly #naming = new Map<BlobHash, Promise<unknown>>();

  constructor(path: string, { telemetry, isFull = () => false }: BlobsDeps) {
    this.#path = path;
    this.#telemetry = telemetry;
    this.#isFull = isFull;
    this.#incoming = new Incoming(join(path, "incoming"), this.#turns, () => this.#diskFreeBytes());
  }

  clearIncoming(): Promise<void> {
    return this.#incoming.clear();
  }

  async put(source: Source, expected?: BlobHash): Promise<BlobInfo> {
    const known = expected && (await this.#alone(expected, () => this.#durableSize(expected)));
    if (expected && known !== undefined) {
      await letGo(source);
      return { hash: expected, bytes: known };
    }
    const { file, hash, bytes } = await this.#incoming.receive(source);
    try {
      if (expected && hash !== expected) throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual: hash });
      await this.#alone(hash, () => this.#publish(file, hash));
      return { hash, bytes };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
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
      await this.#refuseUnless(hash, digest.digest("hex"), file);
      return bytes;
    } finally {
      await file.close();
    }
  }

  async verify(hash: BlobHash): Promise<boolean> {
    let file: FileHandle | undefined;
    try {
      file = await this.#open(hash);
      const digest = createHash("sha256");
      for await (const chunk of this.#chunks(file, 0)) digest.update(chunk);
      await this.#refuseUnless(hash, digest.digest("hex"), file);
      return true;
    } catch (error) {
      const { code } = SkeinError.from(error);
      if (code === "BLOB_MISSING" || code === "BLOB_HASH_MISMATCH") return false;
      throw error;
    } finally {
      await file?.close();
    }
  }

  /** @throws BLOB_HASH_MISMATCH, after the damaged copy has been set aside. */
  async #refuseUnless(hash: BlobHash, actual: string, file: FileHandle): Promise<void> {
    if (actual === hash) return;
    await this.#alone(hash, () => this.#setAside(hash, file));
    this.#telemetry.log("warn", "blobSetAside", { hash, actual });
    throw new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual });
  }

  async *stream(hash: BlobHash, offset = 0): AsyncIterable<Uint8Array> {
    const file = await this.#open(hash);
    try {
      yield* this.#chunks(file, offset);
    } finally {
      await file.close();
    }
  }

  async *#chunks(file: FileHandle, offset: number): AsyncIterable<Uint8Array> {
    for (let at = offset; ; ) {
      const chunk = new Uint8Array(LIMITS.bulkChunkBytes);
      const { bytesRead } = await this.#turns.take(() => file.read(chunk, 0, chunk.length, at));
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  async remove(hash: BlobHash): Promise<void> {
    const file = this.#fileOf(hash);
    await this.#alone(hash, () => Promise.all([rm(file, { force: true }), rm(damaged(file), { force: true })]));
  }

  async list(): Promise<BlobInfo[]> {
    const found: BlobInfo[] = [];
    for (const folder of FOLDERS)
      for (const name of await readdir(join(this.#path, folder))) {
        const bytes = isBlobHash(name) ? await this.size(name) : undefined;
        if (bytes !== undefined) found.push({ hash: name as BlobHash, bytes });
      }
    return found;
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, (await this.#diskFreeBytes()) - LIMITS.diskFreeBytesMin);
  }

  async #diskFreeBytes(): Promise<number> {
    return this.#isFull() ? 0 : freeBytesUnder(this.#path);
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

  /** Waits for what is being done to this blob's name, then does this. */
  async #alone<T>(hash: BlobHash, work: () => Promise<T>): Promise<T> {
    const before = this.#naming.get(hash);
    const mine = before ? before.then(work, work) : work();
    this.#naming.set(hash, mine);
    try {
      return await mine;
    } finally {
      if (this.#naming.get(hash) === mine) this.#naming.delete(hash);
    }
  }

  async #durableSize(hash: BlobHash): Promise<number | undefined> {
    const bytes = await this.size(hash);
    // The agent may have ended between giving the name and making it durable, and this is a later life of it.
    if (bytes !== undefined) await syncFolder(this.#folderOf(hash));
    return bytes;
  }

  /** Gives an arrival its name, durably; one that is there already wins. */
  async #publish(file: string, hash: BlobHash): Promise<void> {
    if ((await this.#durableSize(hash)) !== undefined) return rm(file, { force: true });
    await rename(file, this.#fileOf(hash));
    await this.#turns.take(() => syncFolder(this.#folderOf(hash)));
  }

  /** Takes the name from the copy that was read, unless someone did so first or a sound copy has it by now. */
  async #setAside(hash: BlobHash, read: FileHandle): Promise<void> {
    const name = this.#fileOf(hash);
    try {
      if ((await stat(name)).ino === (await read.stat()).ino) await rename(name, damaged(name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

const damaged = (file: string): string => `${file}.damaged`;
