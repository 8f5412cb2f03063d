import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { StoryKind } from "../../../shared/story.ts";
import type { Breakers, ItemFaults } from "./faults.ts";
import type { DispatchEffect } from "./leases.ts";
import { cut, rangesOf, type Story } from "./story.ts";
import type { DispatchTable } from "./table.ts";

/** An item that could not be begun is left alone this long. */
const REST_MS = 1_000;
/** How long an item that failed on one node waits for another that can run it. */
const LONELY_MS = 30_000;
/** Runs of an item that end in the death of their executor before it is never leased again. */
const KILLS_MAX = 2;
const NODES_FAILED_MAX = 2;

export interface ItemDelayed {
  node: NodeId;
  jobId: JobId;
  item: number;
  because: string;
}
export interface ItemFailed extends ItemDelayed {
  killed: boolean;
}

/** Items that were not done where they were: tried elsewhere, left alone for a moment, or given up. */
export class Failures {
  readonly #table: DispatchTable;
  readonly #story: Story;
  readonly #breakers: Breakers;

  constructor(parts: { table: DispatchTable; story: Story; breakers: Breakers }) {
    this.#table = parts.table;
    this.#story = parts.story;
    this.#breakers = parts.breakers;
  }

  fail({ node, jobId, item, killed, because }: ItemFailed, nowMs: number): DispatchEffect[] {
    const job = this.#table.jobs.get(jobId);
    if (!job?.open.has(item)) return [];
    const name = this.#table.nameOf(node);
    this.#lose(node, jobId, item, `it failed there: ${because}`, nowMs);
    const fresh: ItemFaults = { byNode: new Map(), kills: [], firstAtMs: nowMs };
    const faults = job.faults.get(item) ?? fresh;
    job.faults.set(item, faults);
    faults.byNode.set(node, { because });
    if (killed) faults.kills.push(cut(`${name}: ${because}`));
    this.#tell("failed", jobId, item, `${name}: ${because}`, nowMs, node);
    if (this.#breakers.failed(node, `${jobId} ${item}`, "items keep failing there", nowMs))
      this.#tell("rested", jobId, item, `several items in a row failed on ${name}`, nowMs, node);
    if (faults.kills.length >= KILLS_MAX) return this.#giveUp(jobId, item, faults, nowMs);
    if (faults.byNode.size >= NODES_FAILED_MAX) return this.#giveUp(jobId, item, faults, nowMs);
    if (this.#table.copiesOf(jobId, item).length === 0) this.#table.putBack(jobId, item);
    return [];
  }

  #giveUp(jobId: JobId, item: number, faults: ItemFaults, nowMs: number): DispatchEffect[] {
    const isKiller = faults.kills.length >= KILLS_MAX;
    const losers = this.#table.settle(jobId, item).filter((shard) => shard.items.size === 0);
    const because = isKiller
      ? `it ended ${faults.kills.length} executors: ${faults.kills.join("; ")}`
      : `it failed on ${[...faults.byNode].map(([node]) => this.#table.nameOf(node)).join(" and ")}`;
    this.#tell(isKiller ? "quarantined" : "givenUp", jobId, item, because, nowMs);
    const backs = losers.map(
      ({ shardId, node }): DispatchEffect => ({
        kind: "takeBackShard",
        shardId,
        jobId,
        node,
        items: 0,
        because: "its item is given up",
      }),
    );
    const end: DispatchEffect = isKiller
      ? { kind: "quarantineItem", jobId, item, kills: faults.kills }
      : { kind: "giveUpItem", jobId, item };
    return [...backs, end];
  }

  tick(nowMs: number): DispatchEffect[] {
    this.#endRests(nowMs);
    return this.#giveUpLonely(nowMs);
  }

  /** An item that failed on one node waits for another, which may only be restarting, but not for ever. */
  #giveUpLonely(nowMs: number): DispatchEffect[] {
    const effects: DispatchEffect[] = [];
    for (const job of this.#table.jobs.values()) {
      if (job.paused) continue;
      for (const item of [...job.picky]) {
        const faults = job.faults.get(item)!;
        if (nowMs - faults.firstAtMs < LONELY_MS || this.#canRunElsewhere(job.pipeline, faults)) continue;
        effects.push(...this.#giveUp(job.jobId, item, faults, nowMs));
      }
    }
    return effects;
  }

  #canRunElsewhere(pipeline: string, faults: ItemFaults): boolean {
    for (const node of this.#table.nodes.values())
      if (node.eligible && node.rates.has(pipeline) && !faults.byNode.has(node.nodeId)) return true;
    return false;
  }

  delay({ node, jobId, item, because }: ItemDelayed, nowMs: number): void {
    if (!this.#table.jobs.get(jobId)?.open.has(item)) return;
    this.#lose(node, jobId, item, `it could not begin there: ${because}`, nowMs);
    this.#tell("delayed", jobId, item, `${this.#table.nameOf(node)}: ${because}`, nowMs, node);
    if (this.#table.copiesOf(jobId, item).length === 0) this.#table.putBack(jobId, item, nowMs + REST_MS);
  }

  /** Takes an item out of the one shard by which this node had it. */
  #lose(node: NodeId, jobId: JobId, item: number, because: string, nowMs: number): void {
    const shard = this.#table.copiesOf(jobId, item).find((copy) => copy.node === node);
    if (!shard) return;
    this.#story.lose(shard, [item], because, nowMs);
    this.#table.drop(shard, item);
  }

  #endRests(nowMs: number): void {
    for (const job of this.#table.jobs.values())
      for (const [item, untilMs] of job.restingUntilMs) {
        if (untilMs > nowMs) continue;
        job.restingUntilMs.delete(item);
        this.#table.putBack(job.jobId, item);
      }
  }

  #tell(kind: StoryKind, jobId: JobId, item: number, because: string, nowMs: number, node?: NodeId): void {
    const about = node === undefined ? {} : { node, name: this.#table.nameOf(node) };
    this.#story.tell(jobId, { atMs: nowMs, kind, ...about, ...rangesOf([item]), because });
  }
}
