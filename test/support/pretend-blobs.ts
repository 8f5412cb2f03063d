import { createHash } from "node:crypto";
import type { Arrival, BlobInfo, Blobs } from "../../agent/ports/index.ts";
import { invariant, SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";

/**
 * The disk under one pretend agent's blobs, in memory. It outlives the agent: `open` gives the blobs of one life, and
 * `crash` ends that life, after which its calls never return and change nothing. A blob is there whole or not at all.
 */
export class PretendBlobs {
  capacityBytes: number;
  readonly #held = new Map<BlobHash, Uint8Array>();
  readonly #setAside = new Set<BlobHash>();
  /** What came of blobs that come in pieces; it outlives a crash. */
  readonly arriving = new Map<BlobHash, PretendPieces>();
  #lives = 0;

  constructor(capacityBytes = Number.POSITIVE_INFINITY) {
    this.capacityBytes = capacityBytes;
  }

  open(): Blobs {
    this.#lives += 1;
    const life = this.#lives;
    return new PretendLife(this, () => life === this.#lives);
  }

  crash(): void {
    this.#lives += 1;
  }

  /** Flips a bit of a copy, as a worn-out disk does. */
  rot(hash: BlobHash): void {
    const bytes = this.#held.get(hash);
    invariant(bytes && bytes.length > 0, `blob ${hash} is there to be damaged`);
    const rotten = new Uint8Array(bytes);
    rotten[rotten.length >> 1]! ^= 1;
    this.#held.set(hash, rotten);
  }

  /** What is held now, for checkers. */
  held(): ReadonlyMap<BlobHash, Uint8Array> {
    return this.#held;
  }

  /** Copies that were found damaged and not replaced since. */
  setAside(): ReadonlySet<BlobHash> {
    return this.#setAside;
  }

  freeBytes(): number {
    let used = 0;
    for (const bytes of this.#held.values()) used += bytes.length;
    for (const { pieces } of this.arriving.values()) for (const piece of pieces) used += piece?.length ?? 0;
    return Math.max(0, this.capacityBytes - used);
  }

  keep(hash: BlobHash, bytes: Uint8Array): void {
    if (bytes.length > this.freeBytes())
      throw new SkeinError("DISK_FULL", { path: "pretend blobs", freeBytes: this.freeBytes() });
    this.#held.set(hash, bytes);
    this.#setAside.delete(hash);
  }

  drop(hash: BlobHash, isDamaged: boolean): void {
    this.#held.delete(hash);
    if (isDamaged) this.#setAside.add(hash);
    else this.#setAside.delete(hash);
  }
}

interface PretendPieces {
  bytes: number;
  pieces: (Uint8Array | undefined)[];
}

class PretendLife implements Blobs {
  readonly #disk: PretendBlobs;
  readonly #isAlive: () => boolean;

  constructor(disk: PretendBlobs, isAlive: () => boolean) {
    this.#disk = disk;
    this.#isAlive = isAlive;
  }

  async put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobHash): Promise<BlobInfo> {
    await this.#alive();
    const held = expected && this.#disk.held().get(expected);
    if (expected && held) {
      if (!(source instanceof Uint8Array)) await source[Symbol.asyncIterator]().return?.();
      return { hash: expected, bytes: held.length };
    }
    const bytes = await this.#gather(source);
    await this.#alive();
    const hash = hashOf(bytes);
    if (expected && hash !== expected) throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual: hash });
    if (!this.#disk.held().has(hash)) this.#disk.keep(hash, bytes);
    return { hash, bytes: bytes.length };
  }

  async arrival(hash: BlobHash, bytes?: number): Promise<Arrival | undefined> {
    await this.#alive();
    const { arriving } = this.#disk;
    const before = arriving.get(hash);
    if (bytes === undefined && !before) return undefined;
    if (bytes !== undefined && bytes > LIMITS.blobBytesMax)
      throw new SkeinError("TOO_LARGE", { what: "The blob", actual: bytes, limit: LIMITS.blobBytesMax });
    if (bytes !== undefined && before?.bytes !== bytes)
      arriving.set(hash, { bytes, pieces: Array(Math.ceil(bytes / LIMITS.blobPieceBytes)).fill(undefined) });
    return this.#arrivalOf(hash, arriving.get(hash)!);
  }

  #arrivalOf(hash: BlobHash, { bytes, pieces }: PretendPieces): Arrival {
    const lengthOf = (piece: number): number =>
      Math.min(bytes, (piece + 1) * LIMITS.blobPieceBytes) - piece * LIMITS.blobPieceBytes;
    return {
      bytes,
      get here() {
        return pieces.map((piece) => piece !== undefined);
      },
      write: async (piece, source, sha256) => {
        const came = await this.#gather(source);
        await this.#alive();
        if (came.length !== lengthOf(piece))
          throw new SkeinError("FRAME_INVALID", { peer: "a peer", reason: `piece ${piece} has ${came.length} bytes` });
        const actual = hashOf(came);
        if (sha256 !== undefined && actual !== sha256)
          throw new SkeinError("BLOB_HASH_MISMATCH", { expected: sha256, actual });
        pieces[piece] = came;
      },
      check: async (sha256s) => {
        await this.#alive();
        for (const [i, piece] of pieces.entries()) if (piece && hashOf(piece) !== sha256s[i]) pieces[i] = undefined;
      },
      stream: (piece) => this.#chunksOf(() => (this.#disk.arriving.get(hash) ? pieces[piece] : undefined), hash),
      finish: async () => {
        await this.#alive();
        const whole = new Uint8Array(Buffer.concat(pieces.map((piece) => piece ?? new Uint8Array())));
        const actual = hashOf(whole);
        if (actual !== hash) throw new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual });
        this.#disk.arriving.delete(hash);
        if (!this.#disk.held().has(hash)) this.#disk.keep(hash, whole);
        return { hash, bytes };
      },
      digests: async () => pieces.map((piece) => hashOf(piece ?? new Uint8Array())),
      close: () => this.#alive(),
      discard: async () => {
        await this.#alive();
        this.#disk.arriving.delete(hash);
      },
    };
  }

  async *#chunksOf(find: () => Uint8Array | undefined, hash: BlobHash): AsyncIterable<Uint8Array> {
    for (let at = 0; ; at += LIMITS.bulkChunkBytes) {
      await this.#alive();
      const bytes = find();
      if (!bytes) throw new SkeinError("BLOB_MISSING", { hash });
      if (at >= bytes.length) return;
      yield new Uint8Array(bytes.subarray(at, at + LIMITS.bulkChunkBytes));
    }
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    await this.#alive();
    return this.#disk.held().get(hash)?.length;
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    await this.#alive();
    const bytes = this.#heldOrThrow(hash);
    const actual = hashOf(bytes);
    if (actual === hash) return new Uint8Array(bytes);
    this.#disk.drop(hash, true);
    throw new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual });
  }

  async verify(hash: BlobHash): Promise<boolean> {
    await this.#alive();
    const bytes = this.#disk.held().get(hash);
    if (!bytes) return false;
    if (hashOf(bytes) === hash) return true;
    this.#disk.drop(hash, true);
    return false;
  }

  async *stream(hash: BlobHash, offset = 0, length = Number.POSITIVE_INFINITY): AsyncIterable<Uint8Array> {
    await this.#alive();
    const bytes = this.#heldOrThrow(hash).subarray(0, offset + length);
    for (let at = offset; at < bytes.length; at += LIMITS.bulkChunkBytes) {
      yield new Uint8Array(bytes.subarray(at, at + LIMITS.bulkChunkBytes));
      await this.#alive();
    }
  }

  async remove(hash: BlobHash): Promise<void> {
    await this.#alive();
    this.#disk.drop(hash, false);
  }

  async list(): Promise<BlobInfo[]> {
    await this.#alive();
    return [...this.#disk.held()].map(([hash, bytes]) => ({ hash, bytes: bytes.length }));
  }

  async freeBytes(): Promise<number> {
    await this.#alive();
    return this.#disk.freeBytes();
  }

  async close(): Promise<void> {
    await this.#alive();
  }

  async #gather(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    if (source instanceof Uint8Array) return new Uint8Array(source);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > this.#disk.freeBytes())
        throw new SkeinError("DISK_FULL", { path: "pretend blobs", freeBytes: this.#disk.freeBytes() });
      chunks.push(new Uint8Array(chunk));
    }
    return new Uint8Array(Buffer.concat(chunks));
  }

  #heldOrThrow(hash: BlobHash): Uint8Array {
    const bytes = this.#disk.held().get(hash);
    if (!bytes) throw new SkeinError("BLOB_MISSING", { hash });
    return bytes;
  }

  /** A dead agent's calls never return. */
  #alive(): Promise<void> {
    return this.#isAlive() ? Promise.resolve() : new Promise(() => {});
  }
}

const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
