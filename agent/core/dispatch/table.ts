import { invariant } from "../../../shared/errors.ts";
import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import { ItemSet } from "./item-set.ts";
import {
  type DispatchJob,
  type DispatchNode,
  type JobInit,
  type JobTurn,
  type LeasedShard,
  type NodeWork,
  unreported,
} from "./records.ts";
import { type ItemHome, WaitingItems } from "./waiting-items.ts";

/** By item: where what it starts from lies, if that is worth a word. */
type Homes = ReadonlyMap<number, ItemHome>;

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
  openJob(init: JobInit, items: readonly number[], servedSeconds = 0, homes: Homes = new Map()): DispatchJob {
    const turn = this.#turnOf(init) ?? { order: ++this.#jobCount, servedSeconds, parts: new Set() };
    const capacity = items.reduce((most, item) => Math.max(most, item), 0) + 1;
    const job: DispatchJob = {
      ...init,
      turn,
      items: items.length,
      open: new ItemSet(capacity, items),
      waiting: new WaitingItems(capacity),
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
    for (const item of items) {
      job.waiting.setHome(item, homes.get(item));
      job.waiting.add(item);
    }
    return job;
  }

  /** None of its shards may be left. */
  closeJob(jobId: JobId): void {
    const job = this.jobs.get(jobId);
    job?.turn.parts.delete(job);
    this.jobs.delete(jobId);
  }

  /** More may be leased of it, or again what was taken out; what is open already stays as it is. */
  openItems(jobId: JobId, items: readonly number[], homes: Homes = new Map()): void {
    const job = this.jobs.get(jobId);
    for (const item of items) {
      job?.closed.delete(item);
      job?.waiting.setHome(item, homes.get(item));
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
