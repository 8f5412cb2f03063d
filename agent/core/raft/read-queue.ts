import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState, LogIndex } from "../../../shared/raft.ts";
import { committedIndex } from "./quorum.ts";

export interface Read {
  /** Made by the leader, never by who asks: a reused id would let a deposed leader answer an old round's question. */
  id: number;
  from: NodeId;
  context: Uint8Array;
  /** The commit index when the read arrived. */
  index: LogIndex;
}

/**
 * Reads that wait until a quorum has confirmed, after they arrived, that this leader still leads (thesis 6.4).
 * One heartbeat confirms every read that arrived before it, so at most one round is under way and the others gather.
 */
export class ReadQueue {
  private waiting: Read[] = [];
  /** Arrived before this leader committed an entry of its own term, when its commit index may still lag behind. */
  private early: Omit<Read, "id" | "index">[] = [];
  private lastId = 0;
  /** The id that went out with the newest heartbeat. */
  private askedId = 0;
  private readonly acked: Map<NodeId, number> = new Map();

  get count(): number {
    return this.waiting.length + this.early.length;
  }

  /** To go out with the next heartbeat: whoever answers it confirms every read so far. */
  get newestId(): number {
    return this.waiting.at(-1)?.id ?? 0;
  }

  /** True if reads wait and no round is under way that would confirm some of them. */
  get roundDue(): boolean {
    return this.waiting.length > 0 && this.askedId < this.waiting[0]!.id;
  }

  addEarly(from: NodeId, context: Uint8Array): void {
    this.early.push({ from, context });
  }

  takeEarly(): Omit<Read, "id" | "index">[] {
    return this.early.splice(0);
  }

  add(from: NodeId, context: Uint8Array, index: LogIndex): void {
    this.lastId += 1;
    this.waiting.push({ id: this.lastId, from, context, index });
  }

  asked(id: number): void {
    this.askedId = Math.max(this.askedId, id);
  }

  acknowledge(by: NodeId, id: number): void {
    if (id <= this.askedId) this.acked.set(by, Math.max(this.acked.get(by) ?? 0, id));
  }

  /** Reads that a quorum has confirmed, oldest first. The leader itself confirms everything, where it counts. */
  takeConfirmed(conf: ConfState, self: NodeId): Read[] {
    if (this.waiting.length === 0) return [];
    const upTo = committedIndex(conf, (id) => (id === self ? this.lastId : (this.acked.get(id) ?? 0)));
    const confirmed = this.waiting.findIndex((read) => read.id > upTo);
    return this.waiting.splice(0, confirmed < 0 ? this.waiting.length : confirmed);
  }

  clear(): void {
    this.waiting = [];
    this.early = [];
    this.lastId = 0;
    this.askedId = 0;
    this.acked.clear();
  }
}
