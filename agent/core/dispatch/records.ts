import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import type { JobPriority } from "../../../shared/job.ts";
import type { ItemFaults } from "./faults.ts";
import type { ItemSet } from "./item-set.ts";
import type { WaitingItems } from "./waiting-items.ts";

/** A worker as the leader deals with it. */
export interface DispatchNode {
  nodeId: NodeId;
  name: string;
  executors: number;
  /** Measured speed per pipeline, all executors together; a pipeline that is missing here cannot run there. */
  rates: ReadonlyMap<string, number>;
  /** Takes new shards. A node that is late, full or throttled keeps what it has and gets nothing new. */
  eligible: boolean;
  /** Share of its speed that heat and battery leave it: it is leased no more than that. Absent: 1. */
  derating?: number;
  /** What handing over is expected to take until it was measured. Absent: next to nothing. */
  handOverMs?: number;
  /** Bytes a second between it and others, as it measured them. Absent: not measured. */
  links?: ReadonlyMap<NodeId, number>;
  /** Silent for longer than its heartbeats allow, and not given up yet: others do its work a second time. */
  suspect: boolean;
}

/** Why a shard is where it is: its node's turn, to end a slow shard sooner, in place of a silent node, or found there. */
export type LeaseKind = "share" | "hedge" | "cover" | "adopted";

/** A slice of a job in the hands of one node. */
export interface LeasedShard {
  readonly shardId: ShardId;
  readonly jobId: JobId;
  readonly node: NodeId;
  readonly kind: LeaseKind;
  /** Items not recorded yet, in the order in which the node runs them. Shrinks. */
  readonly items: Set<number>;
  /** Of those: reported, so done but for the record. */
  readonly reported: Set<number>;
  readonly leasedItems: readonly number[];
  readonly leasedAtMs: number;
  /** Its deadline: later than this its node is not what it was when it was leased. */
  readonly dueAtMs: number;
  /** From the lease to its last report, as it was expected when it was leased. */
  readonly foretoldMs: number;
  /** Items that its node reported. */
  reportedCount: number;
  /** Its node had nothing to run when it was leased. */
  toIdle: boolean;
  /** When an executor was free for its first item, as far as reports tell, or its last report; undefined before. */
  movedAtMs: number | undefined;
}

export interface JobInit {
  readonly jobId: JobId;
  readonly pipeline: string;
  readonly priority: JobPriority;
  /** Only compared with other jobs' deadlines. Infinity: none. */
  readonly deadlineAtMs: number;
  paused: boolean;
  /** One segment of a job in several: the job whose turn it shares, and how far along in it this is. Its items come later. */
  readonly partOf?: { readonly jobId: JobId; readonly segment: number };
  /** Seconds that one input takes to a node that does not have it, by what its link was measured to carry; absent: none. */
  readonly transferSeconds?: ReadonlyMap<NodeId, number>;
}

/** Shared by all parts of a job. */
export interface JobTurn {
  /** Counts up over all jobs. */
  readonly order: number;
  /** Node time handed out, as predicted. */
  servedSeconds: number;
  readonly parts: Set<DispatchJob>;
}

export interface DispatchJob extends JobInit {
  readonly turn: JobTurn;
  /** How many were opened, at first or later. */
  items: number;
  /** Items neither recorded nor given up. */
  readonly open: ItemSet;
  /** Items nobody has and anybody may have, handed out from the front. */
  readonly waiting: WaitingItems;
  /** Items nobody has that failed before, so that not every node may have them. */
  readonly picky: Set<number>;
  /** Items that could not be begun and are left alone until then. */
  readonly restingUntilMs: Map<number, number>;
  /** Leased items that may not be leased again when their leases come to nothing. */
  readonly closed: Set<number>;
  readonly faults: Map<number, ItemFaults>;
  readonly shards: Set<LeasedShard>;
  readonly copies: Map<number, LeasedShard[]>;
  /** Executor time reported, and executor time of hedges, as predicted when they were leased. */
  workSeconds: number;
  hedgedSeconds: number;
  hedgedItems: number;
}

/** What one node has in hand. */
export interface NodeWork {
  /** In the order in which they were leased, which is the order in which it runs them. */
  readonly shards: LeasedShard[];
  items: number;
  /** When it last reported, or got work after it had none. */
  progressAtMs: number;
  /** When it last reported the end of a shard. */
  shardEndedAtMs: number;
}

/** Items that the node still has to run. */
export const unreported = (shard: LeasedShard): number => shard.items.size - shard.reported.size;

export const itemsWaiting = (job: DispatchJob): number => job.waiting.size + job.picky.size + job.restingUntilMs.size;

/** Items of a shard that are not reported and that nobody else runs, though somebody else might. */
export const uncovered = (job: DispatchJob, shard: LeasedShard): number[] =>
  [...shard.items].filter(
    (item) => !shard.reported.has(item) && !job.closed.has(item) && job.copies.get(item)!.length === 1,
  );
