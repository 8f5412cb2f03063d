import { invariant } from "../../../shared/errors.ts";
import type { ConfState, LogIndex, RaftEntry, RaftSnapshot, Term } from "../../../shared/raft.ts";
import { decodeConfState } from "../../../shared/wire/raft.ts";
import { ConfHistory } from "./conf-history.ts";
import { EMPTY_CONF } from "./confchange.ts";

/** What an entry costs beside its data: index, term, kind and framing. */
const ENTRY_OVERHEAD_BYTES = 32;

export const entryBytes = (entry: RaftEntry): number => entry.data.length + ENTRY_OVERHEAD_BYTES;

/**
 * The log after the newest compaction, in memory, with its cursors.
 * Invariants: offset <= applied <= committed <= last; offset <= stable <= last.
 */
export class RaftLog {
  /** The entry just before the first kept one: its term must stay known for the consistency check of the next append. */
  offset: LogIndex = 0;
  offsetTerm: Term = 0;
  committed: LogIndex = 0;
  applied: LogIndex = 0;
  /** Everything up to here is on disk. */
  stable: LogIndex = 0;
  /** The newest snapshot: what a peer gets that needs entries before `offset`. */
  snapshot: RaftSnapshot | undefined;
  /** Received from a leader and not yet on disk; nothing is applied until it is. */
  snapshotUnsaved: RaftSnapshot | undefined;
  confs: ConfHistory = new ConfHistory(0, EMPTY_CONF);
  private kept: RaftEntry[] = [];

  constructor(entries: RaftEntry[], snapshot: RaftSnapshot | undefined) {
    if (snapshot) this.startFrom(snapshot);
    if (entries.length > 0) this.append(entries);
    this.stable = this.last;
  }

  get last(): LogIndex {
    return this.offset + this.kept.length;
  }

  get lastTerm(): Term {
    return this.kept.at(-1)?.term ?? this.offsetTerm;
  }

  get conf(): ConfState {
    return this.confs.active;
  }

  /** True until the newest configuration is known to be committed. */
  get confPending(): boolean {
    return this.confs.activeIndex > this.committed;
  }

  /** Undefined for an entry that was compacted away or does not exist. */
  term(index: LogIndex): Term | undefined {
    if (index === this.offset) return this.offsetTerm;
    return this.kept[index - this.offset - 1]?.term;
  }

  matches(index: LogIndex, term: Term): boolean {
    return this.term(index) === term;
  }

  /** Raft paper 5.4.1: the later last term wins; in the same term, the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.last);
  }

  /** Entries lo <= index < hi; empty where they are not kept. */
  slice(lo: LogIndex, hi: LogIndex): RaftEntry[] {
    return this.kept.slice(Math.max(0, lo - this.offset - 1), Math.max(0, hi - this.offset - 1));
  }

  /** As many entries from `lo` as fit in `bytesMax`, at least one if there is one. */
  sliceWithin(lo: LogIndex, bytesMax: number, hi: LogIndex = this.last + 1): RaftEntry[] {
    let end = lo;
    for (let bytes = 0; end < hi; end += 1) {
      bytes += entryBytes(this.kept[end - this.offset - 1]!);
      if (bytes > bytesMax && end > lo) break;
    }
    return this.slice(lo, end);
  }

  bytesBetween(after: LogIndex, upTo: LogIndex): number {
    return this.slice(after + 1, upTo + 1).reduce((bytes, entry) => bytes + entryBytes(entry), 0);
  }

  /** Puts contiguous entries at their place; whatever was there and after it is gone. Takes up configurations. */
  append(entries: RaftEntry[]): void {
    const after = entries[0]!.index - 1;
    invariant(after >= this.committed && after <= this.last, `entries from ${after + 1} fit the log`);
    if (after < this.last) {
      this.kept.length = after - this.offset;
      this.stable = Math.min(this.stable, after);
      this.confs.truncate(after);
    }
    for (const entry of entries) {
      invariant(entry.index === this.last + 1, `entry ${entry.index} follows ${this.last}`);
      this.kept.push(entry);
      if (entry.kind === "configuration") this.confs.take(entry.index, decodeConfState(entry.data));
    }
  }

  /** The first of `entries` that the log does not hold or holds differently; undefined if it holds them all. */
  firstConflict(entries: RaftEntry[]): RaftEntry | undefined {
    return entries.find((entry) => !this.matches(entry.index, entry.term));
  }

  /**
   * The largest index up to `index` whose term is at most `term`: both sides use it to skip a whole term of disagreement
   * per round trip. The term is 0 where it is not known.
   */
  conflictByTerm(index: LogIndex, term: Term): { index: LogIndex; term: Term } {
    for (let at = index; at > 0; at -= 1) {
      const ours = this.term(at);
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: LogIndex): void {
    invariant(index <= this.last, `commit ${index} is within the log, which ends at ${this.last}`);
    this.committed = Math.max(this.committed, index);
  }

  unstable(): RaftEntry[] {
    return this.slice(this.stable + 1, this.last + 1);
  }

  /** Committed entries to apply next. */
  toApply(bytesMax: number): RaftEntry[] {
    if (this.snapshotUnsaved || this.applied >= this.committed) return [];
    return this.sliceWithin(this.applied + 1, bytesMax, this.committed + 1);
  }

  /**
   * These entries are on disk. While they were written the log may have been truncated and grown anew, so only the part
   * that is still the same counts; an equal index and term is the same entry with the same predecessors (log matching).
   */
  stableTo(written: RaftEntry[]): void {
    const same = written.findLast((entry) => entry.index > this.offset && this.matches(entry.index, entry.term));
    if (same) this.stable = Math.max(this.stable, same.index);
  }

  /** Replaces everything by a leader's snapshot, uncommitted configurations included. */
  restore(snapshot: RaftSnapshot): void {
    invariant(snapshot.index > this.committed, "a snapshot never takes the log back");
    this.startFrom(snapshot);
    this.snapshotUnsaved = snapshot;
  }

  /** Drops entries up to `snapshot.index`, save the last `entriesKept` of them: a peer a little behind needs no snapshot then. */
  compact(snapshot: RaftSnapshot, entriesKept: number): void {
    this.snapshot = snapshot;
    const upTo = Math.max(this.offset, snapshot.index - entriesKept);
    const term = this.term(upTo);
    invariant(term !== undefined, "compaction ends within the log");
    this.kept.splice(0, upTo - this.offset);
    this.confs.compact(upTo);
    this.offset = upTo;
    this.offsetTerm = term;
  }

  private startFrom(snapshot: RaftSnapshot): void {
    this.kept = [];
    this.snapshot = snapshot;
    this.offset = snapshot.index;
    this.offsetTerm = snapshot.term;
    this.committed = snapshot.index;
    this.stable = snapshot.index;
    this.confs = new ConfHistory(snapshot.index, snapshot.conf);
  }
}
