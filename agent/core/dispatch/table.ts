import { invariant } from "../../../shared/errors.ts";
import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import type { JobPriority } from "../../../shared/job.ts";
import type { ItemFaults } from "./faults.ts";
import { ItemSet } from "./item-set.ts";

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
  readonly waiting: ItemSet;
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

const noWork = (): NodeWork => ({ shards: [], items: 0, progressAtMs: 0, shardEndedAtMs: 0 });
const NO_WORK = noWork();

/**
 * Who has what, found by node and by item without a search. Only this room changes it. Invariants: an item of an open job
 * that is not recorded is either waiting (or picky, or resting), or in one leased shard, or in two on different nodes, or
 * given up and about to be recorded as failed.
 */
export class DispatchTable {
  readonly jobs = new Map<JobId, DispatchJob>();
  readonly shards = new Map<ShardId, LeasedShard>();
  nodes = new Map<NodeId, DispatchNode>();
  readonly #work = new Map<NodeId, NodeWork>();
  #jobCount = 0;

  /** @param servedSeconds as far as others have been served: where it begins, unless another part of it has begun */
  openJob(init: JobInit, items: readonly number[], servedSeconds = 0): DispatchJob {
    const turn = this.#turnOf(init) ?? { order: ++this.#jobCount, servedSeconds, parts: new Set() };
    const capacity = items.reduce((most, item) => Math.max(most, item), 0) + 1;
    const job: DispatchJob = {
      ...init,
      turn,
      items: items.length,
      open: new ItemSet(capacity, items),
      waiting: new ItemSet(capacity, items),
      picky: new Set(),
      restingUntilMs: new Map(),
      closed: new Set(),
      faults: new Map(),
      shards: new Set(),
      copies: new Map(),
      workSeconds: 0,
      hedgedSeconds: 0,
      hedgedItems: 0,
    };
    this.jobs.set(job.jobId, job);
    turn.parts.add(job);
    return job;
  }

  /** None of its shards may be left. */
  closeJob(jobId: JobId): void {
    const job = this.jobs.get(jobId);
    job?.turn.parts.delete(job);
    this.jobs.delete(jobId);
  }

  /** More may be leased of it, or again what was taken out; what is open already stays as it is. */
  openItems(jobId: JobId, items: readonly number[]): void {
    const job = this.jobs.get(jobId);
    for (const item of items) {
      job?.closed.delete(item);
      if (!job || job.open.has(item)) continue;
      job.items++;
      job.open.add(item);
      this.putBack(jobId, item);
    }
  }

  /** True if somebody has it: then it is left there. */
  keepClosed(jobId: JobId, item: number): boolean {
    const isLeased = this.copiesOf(jobId, item).length > 0;
    if (isLeased) this.jobs.get(jobId)!.closed.add(item);
    return isLeased;
  }

  /** Whether more items will come to it: something is open of what comes before it. */
  isGrowing({ partOf, turn }: DispatchJob): boolean {
    for (const other of turn.parts)
      if (partOf && other.partOf!.segment < partOf.segment && other.open.size > 0) return true;
    return false;
  }

  #turnOf({ partOf }: JobInit): JobTurn | undefined {
    if (partOf) for (const job of this.jobs.values()) if (job.partOf?.jobId === partOf.jobId) return job.turn;
    return undefined;
  }

  workOf(node: NodeId): Readonly<NodeWork> {
    return this.#work.get(node) ?? NO_WORK;
  }

  shardsOf(node: NodeId): readonly LeasedShard[] {
    return this.workOf(node).shards;
  }

  itemsLeasedTo(node: NodeId, jobId?: JobId): number {
    const { shards, items } = this.workOf(node);
    if (jobId === undefined) return items;
    return shards.reduce((sum, shard) => sum + (shard.jobId === jobId ? shard.items.size : 0), 0);
  }

  copiesOf(jobId: JobId, item: number): readonly LeasedShard[] {
    return this.jobs.get(jobId)?.copies.get(item) ?? [];
  }

  nameOf(node: NodeId): string {
    return this.nodes.get(node)?.name ?? node;
  }

  add(shard: LeasedShard): void {
    const job = this.jobs.get(shard.jobId);
    invariant(job, `${shard.shardId}: its job is open`);
    this.shards.set(shard.shardId, shard);
    job.shards.add(shard);
    for (const item of shard.items) {
      const copies = job.copies.get(item);
      if (copies) copies.push(shard);
      else job.copies.set(item, [shard]);
    }
    const work = this.#work.get(shard.node) ?? noWork();
    this.#work.set(shard.node, work);
    shard.toIdle = work.shards.every((one) => unreported(one) === 0);
    if (shard.toIdle) work.progressAtMs = shard.leasedAtMs;
    work.shards.push(shard);
    work.items += shard.items.size;
    this.#advance(shard.node, work, shard.leasedAtMs);
  }

  /** Executors take items in the order of the shards. */
  #advance(node: NodeId, work: NodeWork, nowMs: number): void {
    const executors = this.nodes.get(node)?.executors ?? 1;
    let ahead = 0;
    for (const shard of work.shards) {
      if (ahead >= executors) return;
      shard.movedAtMs ??= nowMs;
      ahead += unreported(shard);
    }
  }

  /** A node reported an item: the shard it has it by, if any. */
  report(node: NodeId, jobId: JobId, item: number, nowMs: number): LeasedShard | undefined {
    const work = this.#work.get(node);
    if (work) work.progressAtMs = nowMs;
    const shard = this.copiesOf(jobId, item).find((copy) => copy.node === node);
    if (!shard || shard.reported.has(item)) return undefined;
    shard.reported.add(item);
    shard.reportedCount++;
    shard.movedAtMs = nowMs;
    if (unreported(shard) === 0) work!.shardEndedAtMs = nowMs;
    this.#advance(node, work!, nowMs);
    return shard;
  }

  /** Takes an item out for good, of every shard and of what waits. Returns the shards that had it. */
  settle(jobId: JobId, item: number): readonly LeasedShard[] {
    const job = this.jobs.get(jobId);
    job?.closed.delete(item);
    if (!job?.open.delete(item)) return [];
    this.takeOut(job, item);
    const had = [...(job.copies.get(item) ?? [])];
    for (const shard of had) this.drop(shard, item);
    return had;
  }

  /** Takes an item out of what waits. */
  takeOut(job: DispatchJob, item: number): void {
    job.waiting.delete(item);
    job.picky.delete(item);
    job.restingUntilMs.delete(item);
  }

  /** Takes an item out of one shard; one left empty is gone. */
  drop(shard: LeasedShard, item: number): void {
    if (!shard.items.delete(item)) return;
    shard.reported.delete(item);
    this.#forgetCopy(shard, item);
    const work = this.#work.get(shard.node)!;
    work.items--;
    if (shard.items.size === 0) this.#forgetShard(shard, work);
  }

  /** Removes a shard. Returns the items that nobody has any more. */
  remove(shard: LeasedShard): number[] {
    const work = this.#work.get(shard.node)!;
    work.items -= shard.items.size;
    for (const item of shard.items) this.#forgetCopy(shard, item);
    this.#forgetShard(shard, work);
    return [...shard.items].filter((item) => this.copiesOf(shard.jobId, item).length === 0);
  }

  /** Puts an item among those that nobody has, unless it is settled. */
  putBack(jobId: JobId, item: number, restUntilMs?: number): void {
    const job = this.jobs.get(jobId);
    if (!job?.open.has(item)) return;
    this.takeOut(job, item);
    if (job.closed.delete(item)) return void job.open.delete(item);
    if (restUntilMs !== undefined) job.restingUntilMs.set(item, restUntilMs);
    else if (job.faults.has(item)) job.picky.add(item);
    else job.waiting.add(item);
  }

  #forgetCopy(shard: LeasedShard, item: number): void {
    const copies = this.jobs.get(shard.jobId)?.copies;
    const left = copies?.get(item)?.filter((copy) => copy !== shard) ?? [];
    if (left.length > 0) copies!.set(item, left);
    else copies?.delete(item);
  }

  #forgetShard(shard: LeasedShard, work: NodeWork): void {
    this.shards.delete(shard.shardId);
    this.jobs.get(shard.jobId)?.shards.delete(shard);
    work.shards.splice(work.shards.indexOf(shard), 1);
  }
}

/** Items that the node still has to run. */
export const unreported = (shard: LeasedShard): number => shard.items.size - shard.reported.size;

export const itemsWaiting = (job: DispatchJob): number => job.waiting.size + job.picky.size + job.restingUntilMs.size;

/** Items of a shard that are not reported and that nobody else runs. */
export const uncovered = (job: DispatchJob, shard: LeasedShard): number[] =>
  [...shard.items].filter((item) => !shard.reported.has(item) && job.copies.get(item)!.length === 1);
