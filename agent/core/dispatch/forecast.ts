import { endSeconds, type ItemPace, runSeconds } from "../../../shared/item-ends.ts";
import { meanTransferSeconds, transferSeconds } from "./nearness.ts";
import { type DispatchJob, type DispatchNode, type LeasedShard, unreported } from "./records.ts";
import type { Speeds } from "./speeds.ts";
import type { DispatchTable } from "./table.ts";

/** Reports of a busy node come in groups, each after a copy and the record of the group before: so long a silence says nothing. */
const PATIENCE_MS_MIN = 250;

/** How long what is in hand will take, from what was seen. */
export class Forecast {
  readonly #table: DispatchTable;
  readonly #speeds: Speeds;

  constructor(table: DispatchTable, speeds: Speeds) {
    this.#table = table;
    this.#speeds = speeds;
  }

  /** Of work that is not reported, all executors together. */
  secondsInHand(node: DispatchNode): number {
    let seconds = 0;
    for (const shard of this.#table.shardsOf(node.nodeId))
      seconds += unreported(shard) / (this.#rateOf(node, shard) ?? 1);
    return seconds;
  }

  /** When the node would end so many items of a job more than it has in hand. `part`: of its speed that is counted on. */
  endsAfter(node: DispatchNode, job: DispatchJob, nowMs: number, part = 1): (items: number) => number {
    const itemsPerSecond = part * (this.#speeds.rateOf(node, job.pipeline) ?? 0);
    const handOver = this.#speeds.handOverSeconds(node.nodeId);
    const shards = this.#table.shardsOf(node.nodeId).filter((shard) => unreported(shard) > 0);
    const [first] = shards;
    const isHandedOver = first !== undefined && (!first.toIdle || first.reportedCount > 0);
    const pace: ItemPace = {
      itemsPerSecond,
      executors: Math.max(1, node.executors),
      startSeconds: isHandedOver ? 0 : handOver,
      transferSeconds:
        job.transferSeconds?.get(node.nodeId) ?? meanTransferSeconds(this.#table.nodes, node.nodeId, job),
    };
    const run = runSeconds(pace);
    const inHand = Math.round(this.secondsInHand(node) * itemsPerSecond);
    const underWay = first ? (nowMs - this.#table.workOf(node.nodeId).progressAtMs) / 1_000 : 0;
    const behind = Math.min(underWay, pace.startSeconds + run);
    const stuck = Math.max(1, ...shards.map((shard) => this.#stuckTimes(shard, job.pipeline, nowMs)));
    // While it runs what it has, the next is handed over and carried there.
    const soonest = handOver + pace.transferSeconds + run;
    return (items) => Math.max(soonest, (endSeconds(pace, inHand + items) - behind) * stuck);
  }

  /** How many times longer than a slow run takes nothing was heard of it; under 1 is nothing unusual. */
  #stuckTimes(shard: LeasedShard, pipeline: string, nowMs: number): number {
    const node = this.#table.nodes.get(shard.node)!;
    const stillMs = nowMs - (shard.movedAtMs ?? this.#table.workOf(shard.node).progressAtMs);
    return stillMs / this.#patienceMs(node, pipeline);
  }

  #patienceMs(node: DispatchNode, pipeline: string): number {
    const seconds = this.#speeds.slowRunSeconds(node, pipeline) + this.#speeds.handOverSeconds(node.nodeId);
    return Math.max(PATIENCE_MS_MIN, 1_000 * seconds);
  }

  /** From now to this node's last report of these items, if it had nothing before them. */
  endsInMs(node: DispatchNode, job: DispatchJob, items: readonly number[]): number {
    const rate = this.#speeds.rateOf(node, job.pipeline) ?? 0;
    // One item alone takes a whole run, however many executors there are.
    const run = Math.max(items.length / rate, this.#speeds.runSeconds(node, job.pipeline));
    const seconds = run + transferSeconds(this.#table.nodes, node.nodeId, job, items);
    return 1_000 * (seconds + this.#speeds.handOverSeconds(node.nodeId) + this.#slowness(node, job));
  }

  /**
   * From now to the last report of a shard, at what 95 of 100 runs of its node stay under. One that has not moved for longer
   * than such a run takes is taken to be as many times slower with all that is left of it.
   */
  remainingMs(shard: LeasedShard, nowMs: number): number {
    const node = this.#table.nodes.get(shard.node);
    const job = this.#table.jobs.get(shard.jobId);
    if (!node || !job) return Number.POSITIVE_INFINITY;
    const { pipeline } = job;
    const leftMs = this.#queuedMs(shard, 1_000 * this.#speeds.runSeconds(node, pipeline));
    const stillMs = nowMs - (shard.movedAtMs ?? this.#table.workOf(shard.node).progressAtMs);
    const patienceMs = this.#patienceMs(node, pipeline);
    if (stillMs > patienceMs) return Math.max(leftMs, patienceMs) * (stillMs / patienceMs);
    return Math.max(leftMs - stillMs, 0) + 1_000 * this.#slowness(node, job);
  }

  /** Of this shard, and of those before it while it has not begun. One item alone takes a whole run. */
  #queuedMs(shard: LeasedShard, runMs: number): number {
    const node = this.#table.nodes.get(shard.node)!;
    let queuedMs = 0;
    for (const one of this.#table.shardsOf(shard.node)) {
      if (one === shard || shard.movedAtMs === undefined)
        queuedMs += (1_000 * unreported(one)) / (this.#rateOf(node, one) ?? 1);
      if (one === shard) break;
    }
    return Math.max(queuedMs, runMs);
  }

  /** Items that its node runs before those of this shard. */
  itemsAhead(shard: LeasedShard): number {
    let ahead = 0;
    for (const one of this.#table.shardsOf(shard.node)) {
      if (one === shard) break;
      ahead += unreported(one);
    }
    return ahead;
  }

  /** What the runs of those take: only runs stand between a shard and its beginning, for copies and records come after. */
  runsAheadMs(shard: LeasedShard): number {
    const node = this.#table.nodes.get(shard.node);
    if (!node) return Number.POSITIVE_INFINITY;
    let seconds = 0;
    for (const one of this.#table.shardsOf(shard.node)) {
      if (one === shard) break;
      const pipeline = this.#table.jobs.get(one.jobId)!.pipeline;
      seconds += (unreported(one) * this.#speeds.runSeconds(node, pipeline)) / node.executors;
    }
    return 1_000 * seconds;
  }

  /** How much longer than usual the last run may take, seconds. */
  #slowness(node: DispatchNode, job: DispatchJob): number {
    const { pipeline } = job;
    return Math.max(0, this.#speeds.slowRunSeconds(node, pipeline) - this.#speeds.runSeconds(node, pipeline));
  }

  #rateOf(node: DispatchNode, shard: LeasedShard): number | undefined {
    const pipeline = this.#table.jobs.get(shard.jobId)?.pipeline;
    return pipeline === undefined ? undefined : this.#speeds.rateOf(node, pipeline);
  }
}
