import type { BlobHash } from "../../../shared/ids.ts";

/** Larger than LIMITS.copiesMax, and than what one byte of an entry could say. */
const COPIES_RADIX = 256;

/**
 * How many items and results stand on a blob, and how many copies they want. Nearly every blob belongs to one job, so its
 * count and copies are one number; only one that jobs with different wishes share has a table.
 */
export class BlobUses {
  readonly #uses = new Map<BlobHash, number | Map<number, number>>();

  get size(): number {
    return this.#uses.size;
  }

  add(blob: BlobHash, copies: number): void {
    const known = this.#uses.get(blob);
    if (known instanceof Map) known.set(copies, (known.get(copies) ?? 0) + 1);
    else if (known === undefined) this.#uses.set(blob, COPIES_RADIX + copies);
    else if (known % COPIES_RADIX === copies) this.#uses.set(blob, known + COPIES_RADIX);
    else
      this.#uses.set(
        blob,
        new Map([
          [known % COPIES_RADIX, Math.floor(known / COPIES_RADIX)],
          [copies, 1],
        ]),
      );
  }

  /** True if nothing stands on the blob any more. */
  remove(blob: BlobHash, copies: number): boolean {
    const known = this.#uses.get(blob);
    if (known instanceof Map) {
      const left = (known.get(copies) ?? 0) - 1;
      if (left > 0) known.set(copies, left);
      else known.delete(copies);
      if (known.size > 0) return false;
    } else if (known !== undefined && known >= 2 * COPIES_RADIX) {
      this.#uses.set(blob, known - COPIES_RADIX);
      return false;
    }
    this.#uses.delete(blob);
    return true;
  }

  /** The most that any of them wants; 0 if nothing stands on it. */
  copiesOf(blob: BlobHash): number {
    const known = this.#uses.get(blob);
    if (known === undefined) return 0;
    return known instanceof Map ? Math.max(...known.keys()) : known % COPIES_RADIX;
  }
}
