import { chunkItems } from "./chunk.ts";
import type { Turn, Turns } from "./fairness.ts";
import type { Breakers } from "./faults.ts";
import type { Forecast } from "./forecast.ts";
import { type Hedges, mayHave } from "./hedge.ts";
import type { DispatchEffect, Leases } from "./leases.ts";
import type { Nearness, NextItems } from "./nearness.ts";
import {
  type DispatchJob,
  type DispatchNode,
  itemsWaiting,
  type LeasedShard,
  uncovered,
  unreported,
} from "./records.ts";
import type { SmallJobs } from "./small-jobs.ts";
import type { Sparing } from "./sparing.ts";
import type { Speeds } from "./speeds.ts";
import type { DispatchTable } from "./table.ts";

/** One shard runs and one waits with its inputs fetched; one more in place of a node that is silent. */
const SHARDS_IN_HAND = 2;
const SHARDS_IN_HAND_COVERING = 3;

interface Parts {
  table: DispatchTable;
  speeds: Speeds;
  forecast: Forecast;
  leases: Leases;
  hedges: Hedges;
  turns: Turns;
  breakers: Breakers;
  sparing: Sparing;
  smallJobs: SmallJobs;
  nearness: Nearness;
}

/** Gives every node that has room its next shard. */
export class HandOut {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  step(nowMs: number): DispatchEffect[] {
    const effects = this.#coverSuspects(nowMs);
    this.#moved();
    for (let granted = true; granted; ) {
      granted = false;
      for (const node of this.#nodesWithRoom(SHARDS_IN_HAND, nowMs)) {
        const next = this.#nextFor(node, nowMs);
        effects.push(...next);
        if (next.length === 0) continue;
        granted = true;
        this.#moved();
      }
    }
    return effects;
  }

  #moved(): void {
    this.#parts.hedges.moved();
    this.#parts.smallJobs.moved();
    this.#parts.nearness.moved();
  }

  /** Those with the least in hand first. */
  #nodesWithRoom(shardsMax: number, nowMs: number): DispatchNode[] {
    const { table, forecast } = this.#parts;
    const open: { node: DispatchNode; inHand: number }[] = [];
    for (const node of table.nodes.values())
      if (this.#isOpen(node, nowMs) && this.#hasRoom(node, shardsMax))
        open.push({ node, inHand: forecast.secondsInHand(node) });
    if (open.length > 1) open.sort((a, b) => a.inHand - b.inHand || (a.node.nodeId < b.node.nodeId ? -1 : 1));
    return open.map(({ node }) => node);
  }

  #isOpen(node: DispatchNode, nowMs: number): boolean {
    const { breakers, sparing } = this.#parts;
    return node.eligible && !node.suspect && !breakers.restOf(node.nodeId, nowMs) && !sparing.rests(node, nowMs);
  }

  #hasRoom(node: DispatchNode, shardsMax: number): boolean {
    let shards = 0;
    let items = 0;
    for (const shard of this.#parts.table.shardsOf(node.nodeId)) {
      const left = unreported(shard);
      if (left > 0) shards++;
      items += left;
    }
    if (this.#parts.breakers.isOnTrial(node.nodeId)) return items === 0;
    return shards < shardsMax || items < shardsMax * node.executors;
  }

  #nextFor(node: DispatchNode, nowMs: number): DispatchEffect[] {
    const { turns, table, hedges, breakers } = this.#parts;
    const turn = turns.next(table.jobs.values(), (job) => this.#isWilling(job, node, nowMs));
    if (turn) return [this.#leaseFrom(turn, node, nowMs)];
    const isIdle = table.shardsOf(node.nodeId).every((shard) => unreported(shard) === 0);
    return isIdle && !breakers.isOnTrial(node.nodeId) ? hedges.next(node, nowMs) : [];
  }

  #isWilling(job: DispatchJob, node: DispatchNode, nowMs: number): boolean {
    if (job.waiting.size === 0 && job.picky.size === 0) return false;
    if (this.#parts.speeds.rateOf(node, job.pipeline) === undefined) return false;
    return pickyFor(job, node, 1).length > 0 || this.#nextItems(job, node, nowMs) !== undefined;
  }

  /** Which of those that wait, and no more of them than this, to one that has got so many of them now. */
  #nextItems(job: DispatchJob, node: DispatchNode, nowMs: number, got = 0): NextItems | undefined {
    if (job.waiting.size === 0) return undefined;
    const { breakers, nearness } = this.#parts;
    const isOpen = (one: DispatchNode): boolean => this.#isOpen(one, nowMs) && !breakers.isOnTrial(one.nodeId);
    const share = this.#shareOf(job, node, nowMs);
    if (share !== undefined && share <= got) return undefined;
    const next = nearness.next(node, job, { got, isOpen, isShared: share !== undefined, nowMs });
    return next && share !== undefined ? { ...next, most: Math.min(next.most, share - got) } : next;
  }

  /** Those that lie nearest first. */
  #takeWaiting(job: DispatchJob, node: DispatchNode, count: number, nowMs: number): number[] {
    const items: number[] = [];
    while (items.length < count) {
      const next = this.#nextItems(job, node, nowMs, items.length);
      if (!next) break;
      items.push(...job.waiting.take(Math.min(count - items.length, next.most), next.near));
      this.#parts.nearness.moved();
    }
    return items;
  }

  /** Of what waits, so that the last item ends first; undefined where several jobs wait and every node finds enough to do. */
  #shareOf(job: DispatchJob, node: DispatchNode, nowMs: number): number | undefined {
    const { smallJobs, table } = this.#parts;
    const isAlone = [...table.jobs.values()].every((one) => one === job || one.waiting.size === 0 || one.paused);
    return isAlone ? smallJobs.shareOf(node, job, (one) => this.#isOpen(one, nowMs), nowMs) : undefined;
  }

  #leaseFrom(turn: Turn, node: DispatchNode, nowMs: number): DispatchEffect {
    const { job } = turn;
    const { speeds, leases, forecast, sparing } = this.#parts;
    const rate = speeds.rateOf(node, job.pipeline)!;
    const total = this.#rateTotal(job.pipeline);
    const count = this.#chunkFor(node, job, itemsWaiting(job));
    // What failed elsewhere first: it has waited longest, and the job cannot end without it.
    const picky = pickyFor(job, node, count);
    for (const item of picky) job.picky.delete(item);
    const near = Math.min(count, job.waiting.sizeNear(node.nodeId));
    const items = picky.length > 0 ? picky : this.#takeWaiting(job, node, count, nowMs);
    const inHand = forecast.secondsInHand(node).toFixed(1);
    const speed = `${node.name} does ${rate.toFixed(2)}/s of the fleet's ${total.toFixed(2)}/s and had ${inHand} s in hand`;
    const lies =
      near === 0 || picky.length > 0
        ? ""
        : `; what ${near < items.length ? `${near} of them` : "they"} start from lies there`;
    const because = `${speed}${lies}`;
    sparing.leased(node, items.length / rate, nowMs);
    this.#parts.turns.served(turn, items.length / rate);
    return leases.lease(job, node, items, { kind: "share", because }, nowMs);
  }

  #chunkFor(node: DispatchNode, job: DispatchJob, itemsLeft: number): number {
    const { speeds, breakers } = this.#parts;
    if (breakers.isOnTrial(node.nodeId)) return 1;
    return chunkItems({
      itemsLeft,
      itemsPerSecond: speeds.rateOf(node, job.pipeline)! * (node.derating ?? 1),
      itemsPerSecondTotal: this.#rateTotal(job.pipeline),
      handOverSeconds: speeds.handOverSeconds(node.nodeId),
    });
  }

  #rateTotal(pipeline: string): number {
    const { table, speeds } = this.#parts;
    let total = 0;
    for (const node of table.nodes.values())
      if (node.eligible && !node.suspect) total += (speeds.rateOf(node, pipeline) ?? 0) * (node.derating ?? 1);
    return total;
  }

  /** What a silent node has is run elsewhere too, before it is given up. What it finished first counts if it was only slow. */
  #coverSuspects(nowMs: number): DispatchEffect[] {
    const { table } = this.#parts;
    const effects: DispatchEffect[] = [];
    for (const suspect of table.nodes.values())
      if (suspect.suspect)
        for (const shard of [...table.shardsOf(suspect.nodeId)]) effects.push(...this.#cover(shard, suspect, nowMs));
    return effects;
  }

  #cover(shard: LeasedShard, suspect: DispatchNode, nowMs: number): DispatchEffect[] {
    const { table, speeds, leases, breakers } = this.#parts;
    const job = table.jobs.get(shard.jobId)!;
    const effects: DispatchEffect[] = [];
    const left = job.paused ? [] : uncovered(job, shard);
    for (const node of left.length > 0 ? this.#nodesWithRoom(SHARDS_IN_HAND_COVERING, nowMs) : []) {
      if (left.length === 0) break;
      if (speeds.rateOf(node, job.pipeline) === undefined || breakers.isOnTrial(node.nodeId)) continue;
      if (!mayHave(node.nodeId, job, left)) continue;
      const items = left.splice(0, this.#chunkFor(node, job, left.length));
      const because = `nothing is heard of ${suspect.name}, which has them; ${node.name} does them too`;
      effects.push(leases.lease(job, node, items, { kind: "cover", because }, nowMs));
    }
    return effects;
  }
}

/** Of the items that failed somewhere, some that this node may still try. */
function pickyFor(job: DispatchJob, node: DispatchNode, count: number): number[] {
  const found: number[] = [];
  for (const item of job.picky) {
    if (found.length >= count) break;
    if (!job.faults.get(item)?.byNode.has(node.nodeId)) found.push(item);
  }
  return found;
}
