import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import type { HoldersChanged } from "../../../shared/ledger-entry.ts";
import { blobsOf } from "./job.ts";
import type { LedgerContents } from "./ledger.ts";
import type { LedgerStill } from "./still.ts";
import { BlobUses } from "./uses.ts";

/** Who holds which blob, of those that a job or a model stands on. */
export class BlobHolders {
  readonly #ledger: LedgerContents;
  /** Is told of each change before it is made, while it is being written down. */
  readonly #still: () => LedgerStill | undefined;
  #uses = new BlobUses();

  constructor(ledger: LedgerContents, still: () => LedgerStill | undefined) {
    this.#ledger = ledger;
    this.#still = still;
  }

  /** Counts anew who stands on what. */
  restore(): void {
    const { jobs, planning } = this.#ledger;
    this.#uses = new BlobUses();
    for (const job of jobs.values()) for (const blob of blobsOf(job)) this.#uses.add(blob, job.copies);
    for (const { manifest, copies } of planning.models.values())
      for (const { blob } of manifest.files) this.#uses.add(blob, copies);
  }

  /** Blobs that something stands on. */
  get size(): number {
    return this.#uses.size;
  }

  copiesOf(blob: BlobHash): number {
    return this.#uses.copiesOf(blob);
  }

  /** Something stands on it that wants so many copies, and these have it. */
  add(blob: BlobHash, copies: number, nodes: readonly NodeId[]): void {
    const { holders: all, roster } = this.#ledger;
    this.#uses.add(blob, copies);
    this.#still()?.holdersChange(blob);
    const holders = all.get(blob) ?? new Set();
    for (const nodeId of nodes) if (roster.has(nodeId)) holders.add(nodeId);
    all.set(blob, holders);
  }

  /** True if nothing stands on the blob any more. */
  letGo(blob: BlobHash, copies: number): boolean {
    if (!this.#uses.remove(blob, copies)) return false;
    this.#still()?.holdersChange(blob);
    return this.#ledger.holders.delete(blob);
  }

  /** Those that are known. */
  change(changes: HoldersChanged["changes"]): BlobHash[] {
    const { holders: all, roster } = this.#ledger;
    const blobs: BlobHash[] = [];
    for (const { blob, added, dropped } of changes) {
      const holders = all.get(blob);
      if (!holders) continue;
      this.#still()?.holdersChange(blob);
      for (const nodeId of added) if (roster.has(nodeId)) holders.add(nodeId);
      for (const nodeId of dropped) holders.delete(nodeId);
      blobs.push(blob);
    }
    return blobs;
  }

  /** What a node held that is no more. */
  leave(nodeId: NodeId): BlobHash[] {
    const touched: BlobHash[] = [];
    for (const [blob, holders] of this.#ledger.holders) {
      if (!holders.has(nodeId)) continue;
      this.#still()?.holdersChange(blob);
      holders.delete(nodeId);
      touched.push(blob);
    }
    return touched;
  }
}
