import type { HardState, RaftEntry, RaftSnapshot } from "../../shared/raft.ts";

export interface JournalContents {
  hardState: HardState;
  /** Contiguous, ascending, from the snapshot's index + 1 (or 1). */
  entries: RaftEntry[];
  snapshot?: RaftSnapshot;
}

export interface JournalBatch {
  hardState?: HardState;
  /** If not empty: replaces everything from `entries[0].index` on. */
  entries: RaftEntry[];
  /** Replaces everything up to and including its index; entries after it that do not follow it are dropped too. */
  snapshot?: RaftSnapshot;
}

/** Raft's disk: votes, entries, snapshots. */
export interface Journal {
  /**
   * Reads everything back.
   * @throws JOURNAL_CORRUPT if what was durable cannot be read whole and in order.
   */
  load(): Promise<JournalContents>;
  /**
   * Writes one batch whole or not at all. Durable (fsync) when the promise resolves. Batches are written in call order;
   * a caller need not wait for one before handing over the next.
   * @throws DISK_FULL; nothing of the batch is then on disk, and the same batch may be tried again.
   */
  append(batch: JournalBatch): Promise<void>;
  close(): Promise<void>;
}
