import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import { chunkItems } from "./chunk.ts";
import { type DispatchNode, DispatchTable, type LeasedShard } from "./table.ts";

export type DispatchEvent =
  /** All workers as they stand now; one that is missing is gone and its shards are taken back. */
  | { kind: "nodesChanged"; nodes: DispatchNode[] }
  | { kind: "jobOpened"; jobId: JobId; pipeline: string; items: number[] }
  | { kind: "jobClosed"; jobId: JobId; because: string }
  /** A worker tells a new leader what it still has. */
  | { kind: "shardHeld"; node: NodeId; shardId: ShardId; jobId: JobId; items: number[] }
  /** Results are in the ledger. */
  | { kind: "itemsRecorded"; jobId: JobId; items: number[]; node: NodeId }
  /** A worker reported this item. It stays leased until its result is recorded: the worker may die before that. */
  | { kind: "itemReported"; node: NodeId; jobId: JobId; durationMs: number }
  /** The worker's executor broke on this item; another node may do better. */
  | { kind: "itemFailed"; node: NodeId; jobId: JobId; item: number }
  /** Not now: its input is on boxes that are down, or the disk is full. Says nothing against the item. */
  | { kind: "itemDelayed"; node: NodeId; jobId: JobId; item: number }
  | { kind: "leaseRefused"; shardId: ShardId; because: string }
  | { kind: "ticked" };

export type DispatchEffect =
  | {
      kind: "leaseShard";
      shardId: ShardId;
      jobId: JobId;
      node: NodeId;
      items: number[];
      because: string;
      isHedge: boolean;
    }
  | { kind: "takeBackShard"; shardId: ShardId; jobId: JobId; node: NodeId; items: number; because: string }
  /** The item failed on two different nodes, or on one and no other came in time: record its error. */
  | { kind: "giveUpItem"; jobId: JobId; item: number };

/** A node that refused, and an item that could not be begun, are left alone this long. */
const REST_MS = 1_000;
/** How long an item that failed on one node waits for another that can run it. */
const LONELY_MS = 30_000;
/** A hedge must end before this part of what the first copy still needs. */
const HEDGE_GAIN = 0.9;
/** Weight of the newest measurement in a node's rate. */
const RATE_WEIGHT = 0.5;
/** Cost of one hand-over until it is measured per link. */
const HAND_OVER_SECONDS = 0.01;

/**
 * The leader's table of shards: lease, hedge, take back, once. Pure: events in, effects out, time as an argument. It lives in
 * the leader's memory only; a new leader builds its own from the ledger and from what the workers say they hold.
 */
export class Dispatch {
  readonly table = new DispatchTable();
  readonly #term: number;
  #shardCount = 0;
  readonly #restingUntilMs = new Map<NodeId, number>();
  /** Speeds seen in this leader's time, by node and pipeline; they win over what the node reported. */
  readonly #observedRates = new Map<string, number>();

  constructor(term: number) {
    this.#term = term;
  }

  step(event: DispatchEvent, nowMs: number): DispatchEffect[] {
    const effects = this.#absorb(event, nowMs);
    return [...effects, ...this.#handOut(nowMs)];
  }

  #absorb(event: DispatchEvent, nowMs: number): DispatchEffect[] {
    switch (event.kind) {
      case "nodesChanged":
        return this.#changeNodes(event.nodes);
      case "jobOpened":
        this.table.jobs.set(event.jobId, {
          jobId: event.jobId,
          pipeline: event.pipeline,
          waiting: new Set(event.items),
          failedOn: new Map(),
          failedAtMs: new Map(),
          restingUntilMs: new Map(),
        });
        return [];
      case "jobClosed":
        return this.#closeJob(event.jobId, event.because);
      case "shardHeld":
        return this.#adopt(event, nowMs);
      case "itemsRecorded":
        return event.items.flatMap((item) => this.#settle(event.jobId, item, "its result is recorded", event.node));
      case "itemReported":
        this.#observe(event);
        return [];
      case "itemFailed":
        return this.#failItem(event.jobId, event.item, event.node, nowMs);
      case "itemDelayed":
        return this.#delayItem(event.jobId, event.item, event.node, nowMs);
      case "leaseRefused":
        return this.#refuse(event.shardId, nowMs);
      case "ticked":
        return this.#giveUpLonely(nowMs);
    }
  }

  #changeNodes(nodes: DispatchNode[]): DispatchEffect[] {
    const before = this.table.nodes;
    this.table.nodes = new Map(nodes.map((node) => [node.nodeId, node]));
    const effects: DispatchEffect[] = [];
    for (const shard of [...this.table.shards.values()])
      if (!this.table.nodes.has(shard.node)) {
        const name = before.get(shard.node)?.name ?? shard.node;
        effects.push(this.#takeBack(shard, `${name} is gone`));
      }
    return effects;
  }

  #closeJob(jobId: JobId, because: string): DispatchEffect[] {
    this.table.jobs.delete(jobId);
    const shards = [...this.table.shards.values()].filter((shard) => shard.jobId === jobId);
    return shards.map((shard) => this.#takeBack(shard, because));
  }

  /** Running shards are not thrown away because the leader died. */
  #adopt(event: DispatchEvent & { kind: "shardHeld" }, nowMs: number): DispatchEffect[] {
    const job = this.table.jobs.get(event.jobId);
    if (!job || !this.table.nodes.has(event.node)) return [];
    const items = event.items.filter((item) => job.waiting.has(item));
    if (items.length === 0) return [];
    for (const item of items) job.waiting.delete(item);
    this.#addShard(
      event.shardId,
      event.jobId,
      event.node,
      items,
      "it held this shard when the leader changed",
      nowMs,
      false,
    );
    return [];
  }

  #settle(jobId: JobId, item: number, because: string, reporter?: NodeId): DispatchEffect[] {
    const losers = this.table.settle(jobId, item).filter((shard) => shard.node !== reporter && shard.items.size === 0);
    return losers.map((shard) => ({ kind: "takeBackShard", ...named(shard), items: 0, because }));
  }

  #failItem(jobId: JobId, item: number, node: NodeId, nowMs: number): DispatchEffect[] {
    const job = this.table.jobs.get(jobId);
    if (!job) return [];
    const failedOn = job.failedOn.get(item) ?? new Set();
    failedOn.add(node);
    job.failedOn.set(item, failedOn);
    if (!job.failedAtMs.has(item)) job.failedAtMs.set(item, nowMs);
    const effects = this.#settle(jobId, item, "it failed", node);
    if (failedOn.size >= 2) effects.push({ kind: "giveUpItem", jobId, item });
    else job.waiting.add(item);
    return effects;
  }

  /** An item that failed on one node waits for another, which may only be restarting, but not for ever. */
  #giveUpLonely(nowMs: number): DispatchEffect[] {
    const effects: DispatchEffect[] = [];
    for (const job of this.table.jobs.values())
      for (const [item, failedAtMs] of job.failedAtMs) {
        if (!job.waiting.has(item) || nowMs - failedAtMs < LONELY_MS) continue;
        job.waiting.delete(item);
        effects.push({ kind: "giveUpItem", jobId: job.jobId, item });
      }
    return effects;
  }

  #delayItem(jobId: JobId, item: number, node: NodeId, nowMs: number): DispatchEffect[] {
    const job = this.table.jobs.get(jobId);
    if (!job) return [];
    const effects = this.#settle(jobId, item, "its input is not at hand", node);
    job.waiting.add(item);
    job.restingUntilMs.set(item, nowMs + REST_MS);
    return effects;
  }

  #refuse(shardId: ShardId, nowMs: number): DispatchEffect[] {
    const shard = this.table.shards.get(shardId);
    if (!shard) return [];
    this.#restingUntilMs.set(shard.node, nowMs + REST_MS);
    this.table.reclaim(shard);
    return [];
  }

  #takeBack(shard: LeasedShard, because: string): DispatchEffect {
    const items = this.table.reclaim(shard);
    return { kind: "takeBackShard", ...named(shard), items, because };
  }

  #observe(event: DispatchEvent & { kind: "itemReported" }): void {
    const job = this.table.jobs.get(event.jobId);
    const node = this.table.nodes.get(event.node);
    if (!job || !node || event.durationMs <= 0) return;
    const key = `${event.node} ${job.pipeline}`;
    const seen = (node.executors * 1_000) / event.durationMs;
    const before = this.#observedRates.get(key) ?? node.rates.get(job.pipeline) ?? seen;
    this.#observedRates.set(key, before + RATE_WEIGHT * (seen - before));
  }

  /** Items per second of a node; undefined if the pipeline cannot run there. */
  rateOf(node: DispatchNode, pipeline: string): number | undefined {
    const reported = node.rates.get(pipeline);
    return reported === undefined ? undefined : (this.#observedRates.get(`${node.nodeId} ${pipeline}`) ?? reported);
  }

  /** Every free place gets the next shard of the oldest job; when nothing waits, slow shards get a second copy. */
  #handOut(nowMs: number): DispatchEffect[] {
    const effects: DispatchEffect[] = [];
    for (let granted = true; granted; ) {
      granted = false;
      for (const node of this.#freeNodes(nowMs)) {
        const effect = this.#leaseNext(node, nowMs) ?? this.#hedge(node, nowMs);
        if (!effect) continue;
        effects.push(effect);
        granted = true;
      }
    }
    return effects;
  }

  /** Nodes that want more, those with the least in hand first. One shard runs, one waits with its inputs fetched. */
  #freeNodes(nowMs: number): DispatchNode[] {
    return [...this.table.nodes.values()]
      .filter((node) => node.eligible && (this.#restingUntilMs.get(node.nodeId) ?? 0) <= nowMs)
      .filter(
        (node) =>
          this.table.shardsOf(node.nodeId).length < 2 || this.table.itemsLeasedTo(node.nodeId) < 2 * node.executors,
      )
      .sort((a, b) => this.#secondsInHand(a) - this.#secondsInHand(b) || (a.nodeId < b.nodeId ? -1 : 1));
  }

  #secondsInHand(node: DispatchNode): number {
    let seconds = 0;
    for (const shard of this.table.shardsOf(node.nodeId)) {
      const pipeline = this.table.jobs.get(shard.jobId)?.pipeline ?? "";
      seconds += shard.items.size / (this.rateOf(node, pipeline) ?? 1);
    }
    return seconds;
  }

  #leaseNext(node: DispatchNode, nowMs: number): DispatchEffect | undefined {
    for (const job of this.table.jobs.values()) {
      const rate = this.rateOf(node, job.pipeline);
      if (rate === undefined) continue;
      const willing = [...job.waiting].filter(
        (item) => !job.failedOn.get(item)?.has(node.nodeId) && (job.restingUntilMs.get(item) ?? 0) <= nowMs,
      );
      if (willing.length === 0) continue;
      const total = this.#rateTotal(job.pipeline);
      const count = chunkItems({
        itemsLeft: job.waiting.size,
        itemsPerSecond: rate,
        itemsPerSecondTotal: total,
        handOverSeconds: HAND_OVER_SECONDS,
      });
      const items = willing.slice(0, count);
      for (const item of items) job.waiting.delete(item);
      const because = `${node.name} does ${rate.toFixed(2)}/s of the fleet's ${total.toFixed(2)}/s and had ${this.#secondsInHand(node).toFixed(1)} s in hand`;
      return this.#lease(job.jobId, node, items, because, nowMs, false);
    }
    return undefined;
  }

  #rateTotal(pipeline: string): number {
    let total = 0;
    for (const node of this.table.nodes.values()) if (node.eligible) total += this.rateOf(node, pipeline) ?? 0;
    return total;
  }

  /** Only an idle node hedges, only when nothing waits, and only the shard that would otherwise end last. */
  #hedge(node: DispatchNode, nowMs: number): DispatchEffect | undefined {
    if (this.table.itemsLeasedTo(node.nodeId) > 0) return undefined;
    let slowest: { shard: LeasedShard; remainingMs: number } | undefined;
    for (const shard of this.table.shards.values()) {
      if (!this.#mayHedge(shard, node)) continue;
      const remainingMs = this.#remainingMs(shard, nowMs);
      if (!slowest || remainingMs > slowest.remainingMs) slowest = { shard, remainingMs };
    }
    if (!slowest) return undefined;
    const { shard, remainingMs } = slowest;
    const rate = this.rateOf(node, this.table.jobs.get(shard.jobId)?.pipeline ?? "") ?? 0;
    const mineMs = (shard.items.size * 1_000) / rate;
    if (!(mineMs < remainingMs * HEDGE_GAIN)) return undefined;
    const because = `${node.name} is idle and would end in ${Math.round(mineMs)} ms what may take ${Math.round(remainingMs)} ms more`;
    return this.#lease(shard.jobId, node, [...shard.items], because, nowMs, true);
  }

  #mayHedge(shard: LeasedShard, node: DispatchNode): boolean {
    const job = this.table.jobs.get(shard.jobId);
    if (!job || shard.node === node.nodeId || this.rateOf(node, job.pipeline) === undefined) return false;
    for (const item of shard.items)
      if (this.table.copiesOf(shard.jobId, item).length > 1 || job.failedOn.get(item)?.has(node.nodeId)) return false;
    return true;
  }

  /** What is left by the plan; a shard that is over its time is taken to need as long again as it is late. */
  #remainingMs(shard: LeasedShard, nowMs: number): number {
    const leftMs = shard.expectedAtMs - nowMs;
    const plannedMs = shard.expectedAtMs - shard.leasedAtMs;
    return leftMs > 0 ? leftMs : plannedMs - leftMs;
  }

  #lease(
    jobId: JobId,
    node: DispatchNode,
    items: number[],
    because: string,
    nowMs: number,
    isHedge: boolean,
  ): DispatchEffect {
    const shardId = `${jobId}/${this.#term}.${++this.#shardCount}` as ShardId;
    this.#addShard(shardId, jobId, node.nodeId, items, because, nowMs, isHedge);
    return { kind: "leaseShard", shardId, jobId, node: node.nodeId, items, because, isHedge };
  }

  #addShard(
    shardId: ShardId,
    jobId: JobId,
    nodeId: NodeId,
    items: number[],
    because: string,
    nowMs: number,
    isHedge: boolean,
  ): void {
    const node = this.table.nodes.get(nodeId);
    const rate = node && this.rateOf(node, this.table.jobs.get(jobId)?.pipeline ?? "");
    const seconds = (node ? this.#secondsInHand(node) : 0) + items.length / (rate ?? 1);
    const expectedAtMs = nowMs + seconds * 1_000;
    this.table.shards.set(shardId, {
      shardId,
      jobId,
      node: nodeId,
      items: new Set(items),
      leasedAtMs: nowMs,
      expectedAtMs,
      because,
      isHedge,
    });
  }

  assertSound(): void {
    this.table.assertSound();
  }
}

const named = (shard: LeasedShard): { shardId: ShardId; jobId: JobId; node: NodeId } => ({
  shardId: shard.shardId,
  jobId: shard.jobId,
  node: shard.node,
});
