/** A disk that forgets what was not synced when its node crashes. */
import type { Ready } from "../../../agent/core/raft/index.ts";
import type { HardState, LogIndex, RaftEntry, RaftSnapshot, Term } from "../../../shared/raft.ts";

export type Batch = Pick<Ready, "entries" | "hardState" | "snapshot">;

export class Disk {
  hardState: HardState = { term: 0, vote: "", commit: 0 };
  snapshot: RaftSnapshot | undefined;
  /** After the snapshot. */
  entries: RaftEntry[] = [];
  private unsynced: Batch[] = [];

  get last(): LogIndex {
    return (this.snapshot?.index ?? 0) + this.entries.length;
  }

  /** Zero for what is not there; undefined for what a snapshot covers. */
  term(index: LogIndex): Term | undefined {
    const base = this.snapshot?.index ?? 0;
    if (index === base) return this.snapshot?.term ?? 0;
    return index < base ? undefined : (this.entries[index - base - 1]?.term ?? 0);
  }

  write(batch: Batch, sync: boolean): void {
    if (!sync) {
      this.unsynced.push(batch);
      return;
    }
    this.sync();
    this.apply(batch);
  }

  sync(): void {
    for (const batch of this.unsynced) this.apply(batch);
    this.unsynced = [];
  }

  /**
   * The crash came in the middle of this write: of its parts, in the order a log would hold them, only the first few are
   * there. The journal cuts such a batch off whole; that the core survives more than the journal lets through is the point.
   */
  tear({ snapshot, hardState, entries }: Batch, entriesKept: number): void {
    this.sync();
    const { term, vote } = hardState ?? this.hardState;
    this.apply({ entries: entries.slice(0, entriesKept), ...(snapshot && { snapshot }) });
    this.hardState = { term, vote, commit: Math.max(this.hardState.commit, this.snapshot?.index ?? 0) };
  }

  /** The first `kept` unsynced batches happened to reach the platter. */
  crash(kept: number): void {
    for (const batch of this.unsynced.slice(0, kept)) this.apply(batch);
    this.unsynced = [];
  }

  private apply({ entries, hardState, snapshot }: Batch): void {
    if (snapshot) this.applySnapshot(snapshot);
    if (entries.length > 0) {
      const keep = entries[0]!.index - 1 - (this.snapshot?.index ?? 0);
      if (keep > this.entries.length || keep < 0) throw new Error("the disk was handed a log with a gap");
      this.entries.length = keep;
      this.entries.push(...entries);
    }
    if (hardState) this.hardState = hardState;
  }

  private applySnapshot(snapshot: RaftSnapshot): void {
    if (snapshot.index <= (this.snapshot?.index ?? 0)) return;
    const follows = this.term(snapshot.index) === snapshot.term && snapshot.index <= this.last;
    this.entries = follows ? this.entries.slice(snapshot.index - (this.snapshot?.index ?? 0)) : [];
    this.snapshot = snapshot;
  }
}
