import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { Arrival, BlobInfo, Blobs, Clock } from "../ports/index.ts";

/**
 * This box's blobs, with a list of those that may be spare: that nothing seems to stand on. One that is put, looked for or
 * read meanwhile is wanted after all and off the list, so that what was told to be here is not removed behind the back of
 * whoever was told. Invariant: no blob is removed while it is handed out or taken in.
 */
export class SpareBlobs implements Blobs {
  readonly #blobs: Blobs;
  readonly #clock: Clock;
  /** When each may go, by the monotonic clock; in no order. */
  readonly #dueAtMs = new Map<BlobHash, number>();
  readonly #removing = new Map<BlobHash, Promise<void>>();
  /** Those whose bytes are coming in, and how many times at once. */
  readonly #coming = new Map<BlobHash, number>();
  /** What was removed while bytes without a name were put: that put must look again. */
  #unnamedPuts = 0;
  readonly #removedMeanwhile = new Set<BlobHash>();
  /** Called with each copy that was damaged when it was read, and is set aside. */
  onDamaged: (hash: BlobHash) => void = () => {};

  constructor(blobs: Blobs, clock: Clock) {
    this.#blobs = blobs;
    this.#clock = clock;
  }

  /** It may go in `delayMs` unless someone wants it until then. A sooner time that is known already stays. */
  suspect(hash: BlobHash, delayMs: number): void {
    const dueAtMs = this.#clock.monotonicMs() + delayMs;
    this.#dueAtMs.set(hash, Math.min(dueAtMs, this.#dueAtMs.get(hash) ?? dueAtMs));
  }

  clear(hash: BlobHash): void {
    this.#dueAtMs.delete(hash);
  }

  /** Those whose time has come, at most so many. */
  due(max: number): BlobHash[] {
    const nowMs = this.#clock.monotonicMs();
    const due: BlobHash[] = [];
    for (const [hash, dueAtMs] of this.#dueAtMs) {
      if (dueAtMs <= nowMs) due.push(hash);
      if (due.length >= max) break;
    }
    return due;
  }

  /** False if someone wanted it since it was suspected, or it is coming in. */
  async removeSpare(hash: BlobHash): Promise<boolean> {
    if (this.#coming.has(hash) || !this.#dueAtMs.delete(hash)) return false;
    if (this.#unnamedPuts > 0) this.#removedMeanwhile.add(hash);
    const removed = this.#blobs.remove(hash);
    this.#removing.set(
      hash,
      removed.catch(() => {}),
    );
    try {
      await removed;
    } finally {
      this.#removing.delete(hash);
    }
    return true;
  }

  async put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobHash): Promise<BlobInfo> {
    if (expected !== undefined) {
      const came = this.#comes(expected);
      try {
        await this.#want(expected);
        return await this.#blobs.put(source, expected);
      } finally {
        came();
      }
    }
    this.#unnamedPuts++;
    try {
      const info = await this.#blobs.put(source);
      const isLost = this.#removedMeanwhile.has(info.hash);
      await this.#want(info.hash);
      // Only whole bytes come without a name, so they are still in hand.
      return isLost ? await this.#blobs.put(source, info.hash) : info;
    } finally {
      this.#unnamedPuts--;
      if (this.#unnamedPuts === 0) this.#removedMeanwhile.clear();
    }
  }

  async arrival(hash: BlobHash, bytes?: number): Promise<Arrival | undefined> {
    const came = this.#comes(hash);
    try {
      await this.#want(hash);
      const arrival = await this.#blobs.arrival(hash, bytes);
      if (arrival) return watched(arrival, came);
    } catch (error) {
      came();
      throw error;
    }
    came();
    return undefined;
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    await this.#want(hash);
    return this.#blobs.size(hash);
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    await this.#want(hash);
    try {
      return await this.#blobs.read(hash);
    } catch (error) {
      if (SkeinError.from(error).code === "BLOB_HASH_MISMATCH") this.onDamaged(hash);
      throw error;
    }
  }

  async *stream(hash: BlobHash, offset?: number, length?: number): AsyncIterable<Uint8Array> {
    await this.#want(hash);
    yield* this.#blobs.stream(hash, offset, length);
  }

  /** As `size`, of someone who does not want it. */
  peek(hash: BlobHash): Promise<number | undefined> {
    return this.#blobs.size(hash);
  }

  /** Reading it again for its own sake is no sign that anyone wants it. */
  verify(hash: BlobHash): Promise<boolean> {
    return this.#blobs.verify(hash);
  }

  async remove(hash: BlobHash): Promise<void> {
    this.#dueAtMs.delete(hash);
    await this.#blobs.remove(hash);
  }

  list(): Promise<BlobInfo[]> {
    return this.#blobs.list();
  }

  freeBytes(): Promise<number> {
    return this.#blobs.freeBytes();
  }

  close(): Promise<void> {
    return this.#blobs.close();
  }

  /** However long it takes, it is not removed until then, and wanted once more when it is there. */
  #comes(hash: BlobHash): () => void {
    this.#coming.set(hash, (this.#coming.get(hash) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = this.#coming.get(hash)! - 1;
      if (left > 0) this.#coming.set(hash, left);
      else this.#coming.delete(hash);
      this.#dueAtMs.delete(hash);
    };
  }

  async #want(hash: BlobHash): Promise<void> {
    this.#dueAtMs.delete(hash);
    await this.#removing.get(hash);
  }
}

/** Tells when it is over: finished, closed or discarded. */
const watched = (arrival: Arrival, onOver: () => void): Arrival => ({
  bytes: arrival.bytes,
  get here() {
    return arrival.here;
  },
  write: (piece, source, sha256) => arrival.write(piece, source, sha256),
  check: (sha256s) => arrival.check(sha256s),
  stream: (piece) => arrival.stream(piece),
  digests: () => arrival.digests(),
  // One whose hash is wrong stays open.
  async finish() {
    const info = await arrival.finish();
    onOver();
    return info;
  },
  close: () => arrival.close().finally(onOver),
  discard: () => arrival.discard().finally(onOver),
});
