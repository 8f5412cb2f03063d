import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";

/** What a small blob takes here beside its bytes. */
const ENTRY_BYTES = 400;

/**
 * Small blobs that were made durable lately: most are read once or twice soon after, by whoever makes a copy of them or
 * runs them, and each look into the database is a task for a thread. Only what was just written gets in, so that a blob
 * that is removed cannot come back by a read that began before.
 */
export class RecentBlobs {
  /** The oldest first. */
  readonly #kept = new Map<BlobHash, Uint8Array>();
  #keptBytes = 0;

  sizeOf(hash: BlobHash): number | undefined {
    return this.#kept.get(hash)?.length;
  }

  /** The reader's own. */
  read(hash: BlobHash): Uint8Array | undefined {
    return this.#kept.get(hash)?.slice();
  }

  /** Copies, for the bytes may be a piece of a frame that would be kept whole with them. */
  keep(hash: BlobHash, bytes: Uint8Array): void {
    this.drop(hash);
    this.#kept.set(hash, bytes.slice());
    this.#keptBytes += ENTRY_BYTES + bytes.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= LIMITS.smallBlobsRecentBytesMax) return;
      this.drop(oldest);
    }
  }

  drop(hash: BlobHash): void {
    const bytes = this.#kept.get(hash);
    if (!bytes) return;
    this.#kept.delete(hash);
    this.#keptBytes -= ENTRY_BYTES + bytes.length;
  }

  clear(): void {
    this.#kept.clear();
    this.#keptBytes = 0;
  }
}
