import type { BlobHash } from "../../../shared/ids.ts";
import { PretendBlobs } from "../../support/pretend-blobs.ts";

/** A box's blobs that say which copies are not good any more, so that checkers need not read every disk after every step. */
export class WatchedBlobs extends PretendBlobs {
  readonly #rotten = new Set<BlobHash>();
  readonly #wiped = new Set<BlobHash>();
  /** Called with each copy that was lost or rotted. */
  onLoss: (hash: BlobHash) => void = () => {};
  /** Copies lost or rotted so far. */
  losses = 0;
  usedBytes = 0;

  /** Asked at each write, so it is kept and not counted. */
  override freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  holdsSound(hash: BlobHash): boolean {
    return this.held().has(hash) && !this.#rotten.has(hash);
  }

  override rot(hash: BlobHash): void {
    super.rot(hash);
    this.#rotten.add(hash);
    this.#lost(hash);
  }

  override keep(hash: BlobHash, bytes: Uint8Array): void {
    this.usedBytes -= this.#bytesOf(hash);
    super.keep(hash, bytes);
    this.usedBytes += bytes.length;
    this.#rotten.delete(hash);
  }

  override drop(hash: BlobHash, isDamaged: boolean): void {
    this.usedBytes -= this.#bytesOf(hash);
    super.drop(hash, isDamaged);
    this.#rotten.delete(hash);
    this.#lost(hash);
  }

  /** Holds it, or lost it with its whole disk: then a word given before is not a lie. */
  hasHeld(hash: BlobHash): boolean {
    return this.held().has(hash) || this.#wiped.has(hash);
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    for (const hash of [...this.held().keys()]) {
      this.#wiped.add(hash);
      this.drop(hash, false);
    }
  }

  #bytesOf(hash: BlobHash): number {
    return this.held().get(hash)?.length ?? 0;
  }

  #lost(hash: BlobHash): void {
    this.losses++;
    this.onLoss(hash);
  }
}
