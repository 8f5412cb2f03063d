import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DiskRoom } from "../../../shared/disk-room.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Arrival, BlobInfo, Blobs, Telemetry } from "../../ports/index.ts";
import { type DiskDeps, freeBytesUnder, isMissing, makeFolder, syncFolder } from "./disk.ts";
import { Incoming, letGo, type Source } from "./incoming.ts";
import { wholeIfSmall } from "./pieces.ts";
import { SmallBlobs } from "./small.ts";
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
 * Opens the blobs in the folder `path`, making it if it is not there. Small ones are in the database `small`; others, and
 * small ones of agents before it, are files `ab/HASH`, `ab` being the hash's first two digits.
 */
export async function openBlobs(path: string, deps: BlobsDeps): Promise<Blobs> {
  await makeFolder(path);
  const there = new Set(await readdir(path));
  const missing = FOLDERS.filter((folder) => !there.has(folder));
  for (const folder of missing) await mkdir(join(path, folder));
  if (missing.length > 0) await syncFolder(path);
  const turns = new Turns(DISK_TURNS);
  const room = new DiskRoom(
    () => freeBytesUnder(path),
    () => performance.now(),
  );
  const freeBytes = async (): Promise<number> => (deps.isFull?.() ? 0 : room.freeBytes());
  const small = await SmallBlobs.open(join(path, "small"), turns, { telemetry: deps.telemetry, freeBytes });
  const blobs = new DiskBlobs(path, turns, small, { telemetry: deps.telemetry, freeBytes });
  await blobs.clearIncoming();
  return blobs;
}

class DiskBlobs implements Blobs {
  readonly #path: string;
  readonly #telemetry: Telemetry;
  readonly #freeBytes: () => Promise<number>;
  readonly #turns: Turns;
  readonly #small: SmallBlobs;
  readonly #incoming: Incoming;
  /** The last change of each blob's name that has not ended: they are made one after another. */
  readonly #naming = new Map<BlobHash, Promise<unknown>>();

  constructor(path: string, turns: Turns, small: SmallBlobs, { telemetry, freeBytes }: DiskDeps) {
    this.#path = path;
    this.#telemetry = telemetry;
    this.#freeBytes = freeBytes;
    this.#turns = turns;
    this.#small = small;
    this.#incoming = new Incoming(join(path, "incoming"), this.#turns, freeBytes);
  }

  clearIncoming(): Promise<void> {
    return this.#incoming.clear();
  }

  async put(source: Source, expected?: BlobHash): Promise<BlobInfo> {
    if (source instanceof Uint8Array && source.length <= LIMITS.smallBlobBytesMax)
      return this.#putSmall(source, expected);
    const known = expected && (await this.#alone(expected, () => this.#durableSize(expected)));
    if (expected && known !== undefined) {
      await letGo(source);
      return { hash: expected, bytes: known };
    }
    await this.#incoming.admit(source);
    const found = await wholeIfSmall(source, LIMITS.smallBlobBytesMax);
    if ("whole" in found) return this.#putSmall(found.whole, expected);
    const { file, hash, bytes } = await this.#incoming.receive(found.source);
    try {
      if (expected && hash !== expected) throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual: hash });
      await this.#alone(hash, () => this.#publish(file, hash));
      return { hash, bytes };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  async #putSmall(bytes: Uint8Array, expected?: BlobHash): Promise<BlobInfo> {
    const hash = hashOf(bytes);
    if (expected && hash !== expected) throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual: hash });
    await this.#alone(hash, () => this.#small.put(hash, bytes));
    return { hash, bytes: bytes.length };
  }

  async arrival(hash: BlobHash, bytes?: number): Promise<Arrival | undefined> {
    const file = await this.#incoming.arrival(hash, bytes);
    file?.publishWith(() => this.#alone(hash, () => this.#publish(file.path, hash)));
    return file;
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    return (await this.#small.size(hash)) ?? (await this.#fileSize(hash));
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    const small = await this.#small.read(hash);
    if (small) return this.#checkSmall(hash, small);
    const file = await this.#open(hash);
    try {
      const bytes = new Uint8Array((await file.stat()).size);
      await this.#check(hash, file, bytes);
      return bytes;
    } finally {
      await file.close();
    }
  }

  async verify(hash: BlobHash): Promise<boolean> {
    try {
      const small = await this.#small.readFromDisk(hash);
      if (small) return Boolean(await this.#checkSmall(hash, small));
      const file = await this.#open(hash);
      try {
        await this.#check(hash, file);
        return true;
      } finally {
        await file.close();
      }
    } catch (error) {
      const { code } = SkeinError.from(error);
      if (code === "BLOB_MISSING" || code === "BLOB_HASH_MISMATCH") return false;
      throw error;
    }
  }

  async *stream(hash: BlobHash, offset = 0, length = Number.POSITIVE_INFINITY): AsyncIterable<Uint8Array> {
    const small = await this.#small.read(hash);
    if (small) {
      const part = small.subarray(offset, offset + length);
      if (part.length > 0) yield part;
      return;
    }
    const file = await this.#open(hash);
    try {
      for (let at = offset; at < offset + length; ) {
        const chunk = new Uint8Array(Math.min(LIMITS.bulkChunkBytes, offset + length - at));
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
    await this.#alone(hash, () =>
      Promise.all([this.#small.remove(hash), rm(file, { force: true }), rm(damaged(file), { force: true })]),
    );
  }

  async list(): Promise<BlobInfo[]> {
    const found = new Map((await this.#small.list()).map((info) => [info.hash, info]));
    for (const folder of FOLDERS)
      for (const name of await readdir(join(this.#path, folder))) {
        const bytes = isBlobHash(name) ? await this.#fileSize(name) : undefined;
        if (bytes !== undefined) found.set(name as BlobHash, { hash: name as BlobHash, bytes });
      }
    return [...found.values()];
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, (await this.#freeBytes()) - LIMITS.diskFreeBytesMin);
  }

  close(): Promise<void> {
    return this.#small.close();
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

  async #fileSize(hash: BlobHash): Promise<number | undefined> {
    try {
      return (await stat(this.#fileOf(hash))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #durableSize(hash: BlobHash): Promise<number | undefined> {
    const small = await this.#small.size(hash);
    if (small !== undefined) return small;
    const bytes = await this.#fileSize(hash);
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

  /** Hashes a file piece by piece, into `bytes` if they are wanted. @throws BLOB_HASH_MISMATCH once it is set aside */
  async #check(hash: BlobHash, file: FileHandle, bytes?: Uint8Array): Promise<void> {
    const digest = createHash("sha256");
    const piece = bytes ? undefined : new Uint8Array(LIMITS.bulkChunkBytes);
    for (let at = 0; ; ) {
      const into = piece ?? bytes!.subarray(at, at + LIMITS.bulkChunkBytes);
      const { bytesRead } = await this.#turns.take(() => file.read(into, 0, into.length, at));
      if (bytesRead === 0) break;
      digest.update(into.subarray(0, bytesRead));
      at += bytesRead;
    }
    const actual = digest.digest("hex") as BlobHash;
    if (actual === hash) return;
    await this.#alone(hash, () => this.#setAside(hash, file));
    this.#tellDamaged(hash, actual);
  }

  /** @throws BLOB_HASH_MISMATCH once it is set aside */
  async #checkSmall(hash: BlobHash, bytes: Uint8Array): Promise<Uint8Array> {
    if (hashOf(bytes) === hash) return bytes;
    await this.#alone(hash, async () => {
      // A sound one may have taken its place since.
      const now = await this.#small.readFromDisk(hash);
      if (!now || hashOf(now) === hash) return;
      await writeFile(damaged(this.#fileOf(hash)), now);
      await this.#small.remove(hash);
    });
    return this.#tellDamaged(hash, hashOf(bytes));
  }

  #tellDamaged(expected: BlobHash, actual: BlobHash): never {
    this.#telemetry.log("warn", "blobSetAside", { hash: expected, actual });
    throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual });
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

const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
