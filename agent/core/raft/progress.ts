import type { LogIndex } from "../../../shared/raft.ts";
import type { Inflights } from "./inflights.ts";

/**
 * probe: the peer's log is not known; one message at a time, until it agrees ·
 * replicate: it agrees; messages fly ahead of the answers · snapshot: it gets one, appends wait.
 *
 *           agreed                      needs compacted entries
 *   probe ---------> replicate      probe, replicate ---------> snapshot
 *         <---------                                 <---------
 *      rejected, unreachable          snapshot reported or answered (to probe)
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** What the leader knows of one peer's log. Invariant: 0 <= match < next. */
export class Progress {
  /** The largest index known to be on the peer's disk. */
  match: LogIndex = 0;
  /** The next entry to send. Ahead of match + 1 while messages are in flight. */
  next: LogIndex;
  state: ProgressState = "probe";
  /** The largest commit index it was sent. */
  sentCommit: LogIndex = 0;
  /** Index of the snapshot it is being sent; 0 otherwise. */
  pendingSnapshot: LogIndex = 0;
  /** Heard in this period of the leader's quorum check. */
  recentActive = false;
  /** Heard in the period before. */
  wasActive = false;
  /** Gets digests, and only what it may have. It is one until it is removed. */
  readonly witness: boolean;
  /** Ticks since it last showed that it keeps up: acknowledged something new, or was heard when there was nothing to. */
  lateTicks = 0;
  /**
   * No append until an answer or the next heartbeat's answer: set after a probe, and when the window filled. The
   * heartbeat's answer lifts it even with a full window (one empty append goes out), or a peer whose every message in
   * flight was lost would wait for ever.
   */
  paused = false;
  readonly inflights: Inflights;

  constructor(next: LogIndex, inflights: Inflights, witness: boolean) {
    this.witness = witness;
    this.next = next;
    this.inflights = inflights;
  }

  get mustWait(): boolean {
    return this.paused || this.state === "snapshot";
  }

  becomeProbe(): void {
    // The snapshot may have arrived: then probing before it would be a wasted round.
    const next = this.state === "snapshot" ? Math.max(this.match, this.pendingSnapshot) + 1 : this.match + 1;
    this.reset("probe");
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, next - 1);
  }

  becomeReplicate(): void {
    this.reset("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: LogIndex): void {
    this.reset("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** An append with these entries went out. */
  sent(entries: number, bytes: number): void {
    if (this.state === "replicate") {
      if (entries > 0) {
        this.next += entries;
        this.inflights.add(this.next - 1, bytes);
      }
      this.paused = this.inflights.full;
    } else if (entries > 0) {
      this.paused = true;
    }
  }

  /** The peer holds everything up to `index`. Returns whether that is news. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The peer refused an append after `rejected`; `hint` is where the logs may agree at the latest. Returns false for an
   * answer to an older message.
   */
  stepBack(rejected: LogIndex, hint: LogIndex): boolean {
    // Refused below what it acknowledged: an echo, or a disk that forgot. Answering at once would never end.
    if (this.state === "snapshot" || rejected <= this.match) return false;
    if (this.state === "replicate") {
      this.next = this.match + 1;
    } else {
      // A probe has one message in flight, so any other rejected index is an echo.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  private reset(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.pendingSnapshot = 0;
    this.inflights.clear();
  }
}
