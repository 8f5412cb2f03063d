import type { NodeId } from "../../../shared/ids.ts";
import type { Forecast } from "./forecast.ts";
import type { DispatchEffect, Leases } from "./leases.ts";
import { type DispatchJob, type DispatchNode, type LeasedShard, uncovered } from "./records.ts";
import type { Speeds } from "./speeds.ts";
import type { DispatchTable } from "./table.ts";

/** A second copy, or a move, must end before this part of what the first still needs. */
const GAIN = 0.9;
/**
 * And so much sooner. What is reported lags behind what is done by the copies and the record of it: of items that take less
 * than a millisecond a node has done hundreds that the leader counts as not begun, and all of them would be done twice.
 */
const GAIN_MS_MIN = 250;
/** Hedges of a job cost at most this part of its work done so far, beside an allowance for small jobs and last shards. */
export const HEDGE_PART = 0.05;
export const HEDGE_ALLOWANCE_ITEMS = 4;
export const HEDGE_ALLOWANCE_SECONDS = 0.5;
/** And never more items than this part of the job, or so many: half a second is a whole job of the shortest ones. */
const HEDGE_ITEMS_PART = 0.015;
const HEDGE_ITEMS_MAX = 16;

interface Late {
  shard: LeasedShard;
  job: DispatchJob;
  remainingMs: number;
}

/**
 * What an idle node may do when nothing waits: take over a shard that its node has not begun, or else run the end of the
 * slowest shard a second time (Dean and Barroso, "The Tail at Scale", 2013).
 */
export class Hedges {
  readonly #table: DispatchTable;
  readonly #speeds: Speeds;
  readonly #forecast: Forecast;
  readonly #leases: Leases;
  /** Longest first; the same for every idle node, be they a thousand, until something moves. */
  #late: { unbegun: Late[]; uncovered: Late[] } | undefined;

  constructor(parts: { table: DispatchTable; speeds: Speeds; forecast: Forecast; leases: Leases }) {
    this.#table = parts.table;
    this.#speeds = parts.speeds;
    this.#forecast = parts.forecast;
    this.#leases = parts.leases;
  }

  /** The node has nothing in hand, and nothing waits that it could have. */
  next(node: DispatchNode, nowMs: number): DispatchEffect[] {
    const late = this.#latest(node, this.#lateAt(nowMs).unbegun);
    if (late && this.#endsSooner(node, late, [...late.shard.items], 1)) return this.#move(node, late, nowMs);
    const slow = this.#latest(node, this.#lateAt(nowMs).uncovered);
    return slow ? this.#hedge(node, slow, nowMs) : [];
  }

  /** Something was leased or taken back, or time went on. */
  moved(): void {
    this.#late = undefined;
  }

  #latest(node: DispatchNode, among: readonly Late[]): Late | undefined {
    return among.find(
      ({ shard, job }) =>
        shard.node !== node.nodeId &&
        this.#speeds.rateOf(node, job.pipeline) !== undefined &&
        mayHave(node.nodeId, job, shard.items),
    );
  }

  #lateAt(nowMs: number): { unbegun: Late[]; uncovered: Late[] } {
    if (this.#late) return this.#late;
    const all: Late[] = [];
    for (const shard of this.#table.shards.values()) {
      const job = this.#table.jobs.get(shard.jobId)!;
      if (!job.paused && uncovered(job, shard).length > 0)
        all.push({ shard, job, remainingMs: this.#forecast.remainingMs(shard, nowMs) });
    }
    // Not by their difference: of what will never end there is none.
    all.sort((a, b) => Number(a.remainingMs < b.remainingMs) - Number(a.remainingMs > b.remainingMs));
    const unbegun = all.filter(({ shard, job }) => this.#isUnbegun(shard, job));
    this.#late = { unbegun, uncovered: all };
    return this.#late;
  }

  /** A worker begins one run more than it has executors, and what it has done is not reported at once. */
  #isUnbegun(shard: LeasedShard, job: DispatchJob): boolean {
    const executors = this.#table.nodes.get(shard.node)?.executors ?? 1;
    if (shard.reportedCount > 0 || this.#forecast.itemsAhead(shard) <= executors) return false;
    if (this.#forecast.runsAheadMs(shard) < GAIN_MS_MIN) return false;
    return uncovered(job, shard).length === shard.items.size;
  }

  /** By these items of the shard, which are such a part of what is left of it. */
  #endsSooner(node: DispatchNode, { job, remainingMs }: Late, items: readonly number[], part: number): boolean {
    const mineMs = this.#forecast.endsInMs(node, job, items);
    const endsInMs = Math.max(mineMs, remainingMs * (1 - part));
    return mineMs < GAIN * remainingMs && endsInMs <= remainingMs - GAIN_MS_MIN;
  }

  #move(node: DispatchNode, { shard, job, remainingMs }: Late, nowMs: number): DispatchEffect[] {
    const items = [...shard.items];
    const mineMs = this.#forecast.endsInMs(node, job, items);
    const from = this.#table.nameOf(shard.node);
    const back = this.#leases.takeBack(shard, `${node.name} is idle and ends it sooner`, nowMs);
    for (const item of items) this.#table.takeOut(job, item);
    const because = `${node.name} is idle and ends in ${seconds(mineMs)} what ${from} has not begun and would end in ${seconds(remainingMs)}`;
    return [back, this.#leases.lease(job, node, items, { kind: "share", because }, nowMs)];
  }

  /** The last items of what is left, so many that both end together: its node runs them from the front. */
  #hedge(node: DispatchNode, slow: Late, nowMs: number): DispatchEffect[] {
    const { shard, job, remainingMs } = slow;
    const left = uncovered(job, shard);
    const rate = this.#speeds.rateOf(node, job.pipeline)!;
    const theirsMs = remainingMs / left.length;
    const together = Math.ceil((left.length * theirsMs) / (theirsMs + 1_000 / rate));
    const isOverdue = nowMs > shard.dueAtMs;
    const count = Math.min(left.length, together, isOverdue ? left.length : this.#itemsInBudget(node, job));
    const items = count > 0 ? left.slice(-count) : [];
    if (count === 0 || !this.#endsSooner(node, slow, items, count / left.length)) return [];
    const mineMs = this.#forecast.endsInMs(node, job, items);
    const theirs = this.#table.nameOf(shard.node);
    const because = `${node.name} is idle and ends in ${seconds(mineMs)} what ${theirs} may take ${seconds(remainingMs)} for`;
    // A node that is past its deadline is not what it was taken for: what is done for it is no guess, and not in the budget.
    if (isOverdue) {
      const late = `${theirs} is ${seconds(nowMs - shard.dueAtMs)} past its deadline; ${because}`;
      return [this.#leases.lease(job, node, items, { kind: "cover", because: late }, nowMs)];
    }
    job.hedgedItems += count;
    job.hedgedSeconds += count * this.#speeds.runSeconds(node, job.pipeline);
    return [this.#leases.lease(job, node, items, { kind: "hedge", because }, nowMs)];
  }

  #itemsInBudget(node: DispatchNode, job: DispatchJob): number {
    const runSeconds = this.#speeds.runSeconds(node, job.pipeline);
    const allowance = Math.max(HEDGE_ALLOWANCE_SECONDS, HEDGE_ALLOWANCE_ITEMS * runSeconds);
    const budget = HEDGE_PART * job.workSeconds + allowance - job.hedgedSeconds;
    const itemsMax = Math.max(HEDGE_ITEMS_MAX, HEDGE_ITEMS_PART * job.items) - job.hedgedItems;
    return Math.max(0, Math.floor(Math.min(itemsMax, budget / runSeconds + 1e-9)));
  }
}

/** Whether none of these items failed on the node. */
export function mayHave(node: NodeId, job: DispatchJob, items: Iterable<number>): boolean {
  if (job.faults.size === 0) return true;
  for (const item of items) if (job.faults.get(item)?.byNode.has(node)) return false;
  return true;
}

export const seconds = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : ms < 1e6 ? `${(ms / 1_000).toFixed(1)} s` : "very long";
