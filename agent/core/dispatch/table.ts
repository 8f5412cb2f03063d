import { invariant } from "../../../shared/errors.ts";
import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";

/** A worker as the leader deals with it. */
export interface DispatchNode {
  nodeId: NodeId;
  name: string;
  executors: number;
  /** Measured speed per pipeline, all executors together; a pipeline that is missing here cannot run there. */
  rates: ReadonlyMap<string, number>;
  /** Takes new shards. A node that is late, full or throttled keeps what it has and gets nothing new. */
  eligible: boolean;
}

/** A slice of a job in the hands of one node. */
export interface LeasedShard {
  readonly shardId: ShardId;
  readonly jobId: JobId;
  readonly node: NodeId;
  /** Items not recorded yet. Shrinks. */
  readonly items: Set<number>;
  readonly leasedAtMs: number;
  /** When it should be done, by the rates known when it was leased and what its node had before it. */
  readonly expectedAtMs: number;
  /** Why this node got it. */
  readonly because: string;
  readonly isHedge: boolean;
}

export interface DispatchJob {
  readonly jobId: JobId;
  readonly pipeline: string;
  /** Items nobody has, ascending: handed out from the front. */
  readonly waiting: Set<number>;
  /** Nodes an item failed on. */
  readonly failedOn: Map<number, Set<NodeId>>;
  /** When an item failed on its first node. */
  readonly failedAtMs: Map<number, number>;
  /** Items that could not be begun and are left alone until then. */
  readonly restingUntilMs: Map<number, number>;
}

/**
 * Who has what. Only `Dispatch` changes it. Invariants: an item of an open job that is not recorded is either waiting, or in
 * one leased shard, or (hedged) in two on different nodes, or given up and about to be recorded as failed.
 */
export class DispatchTable {
  readonly jobs = new Map<JobId, DispatchJob>();
  readonly shards = new Map<ShardId, LeasedShard>();
  nodes = new Map<NodeId, DispatchNode>();

  shardsOf(node: NodeId): LeasedShard[] {
    return [...this.shards.values()].filter((shard) => shard.node === node);
  }

  itemsLeasedTo(node: NodeId, jobId?: JobId): number {
    let items = 0;
    for (const shard of this.shards.values())
      if (shard.node === node && (jobId === undefined || shard.jobId === jobId)) items += shard.items.size;
    return items;
  }

  copiesOf(jobId: JobId, item: number): LeasedShard[] {
    return [...this.shards.values()].filter((shard) => shard.jobId === jobId && shard.items.has(item));
  }

  /** Takes an item out of every shard; shards left empty are gone. Returns those that still had it on other nodes. */
  settle(jobId: JobId, item: number): LeasedShard[] {
    this.jobs.get(jobId)?.waiting.delete(item);
    const had = this.copiesOf(jobId, item);
    for (const shard of had) {
      shard.items.delete(item);
      if (shard.items.size === 0) this.shards.delete(shard.shardId);
    }
    return had;
  }

  /** Removes a shard; its items wait again unless another copy runs. Returns how many wait again. */
  reclaim(shard: LeasedShard): number {
    this.shards.delete(shard.shardId);
    const job = this.jobs.get(shard.jobId);
    let waiting = 0;
    for (const item of shard.items) {
      if (!job || this.copiesOf(shard.jobId, item).length > 0) continue;
      job.waiting.add(item);
      waiting++;
    }
    return waiting;
  }

  assertSound(): void {
    for (const shard of this.shards.values()) {
      invariant(shard.items.size > 0, `${shard.shardId}: a leased shard has items`);
      const job = this.jobs.get(shard.jobId);
      invariant(job, `${shard.shardId}: its job is open`);
      for (const item of shard.items) {
        invariant(!job.waiting.has(item), `${shard.shardId}: a leased item does not wait`);
        const copies = this.copiesOf(shard.jobId, item);
        invariant(copies.length <= 2, `${shard.shardId}: at most two copies run at a time`);
        invariant(
          new Set(copies.map((copy) => copy.node)).size === copies.length,
          `${shard.shardId}: copies are on different nodes`,
        );
      }
    }
  }
}
