import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import type { StoryKind } from "../../../shared/story.ts";
import type { Forecast } from "./forecast.ts";
import type { DispatchJob, DispatchNode, LeasedShard, LeaseKind } from "./records.ts";
import type { Speeds } from "./speeds.ts";
import { onShard, rangesOf, type Story } from "./story.ts";
import type { DispatchTable } from "./table.ts";

export type DispatchEffect =
  | {
      kind: "leaseShard";
      shardId: ShardId;
      jobId: JobId;
      node: NodeId;
      items: number[];
      because: string;
      isHedge: boolean;
      /** After how long a run is hung; undefined: the worker's own guess holds. */
      itemDeadlineMs: number | undefined;
    }
  /** `items`: how many nobody has any more by this. */
  | { kind: "takeBackShard"; shardId: ShardId; jobId: JobId; node: NodeId; items: number; because: string }
  /** Record its error: it failed on two different nodes, or on one and no other came in time. */
  | { kind: "giveUpItem"; jobId: JobId; item: number }
  /** Record that it is never leased again: it ended two executors. `kills`: where and why. */
  | { kind: "quarantineItem"; jobId: JobId; item: number; kills: string[] };

/** From a report to its record: a quorum's fsync. */
const RECORD_MS = 1_000;

const KINDS: Record<LeaseKind, StoryKind> = { share: "leased", hedge: "hedged", cover: "covered", adopted: "adopted" };

/** A shard that takes so many times what its node was expected to take for it, and some time more, is overdue. */
const OVERDUE_FACTOR = 2;
const OVERDUE_FLOOR_MS = 1_500;

/** The one place where shards come and go: the table, the story and the effect are changed together. */
export class Leases {
  readonly #table: DispatchTable;
  readonly #speeds: Speeds;
  readonly #forecast: Forecast;
  readonly #story: Story;
  readonly #term: number;
  #shardCount = 0;

  constructor(parts: { table: DispatchTable; speeds: Speeds; forecast: Forecast; story: Story; term: number }) {
    this.#table = parts.table;
    this.#speeds = parts.speeds;
    this.#forecast = parts.forecast;
    this.#story = parts.story;
    this.#term = parts.term;
  }

  /** The items must not wait any more. */
  lease(
    job: DispatchJob,
    node: DispatchNode,
    items: number[],
    why: { kind: Exclude<LeaseKind, "adopted">; because: string },
    nowMs: number,
  ): DispatchEffect {
    const shardId = `${job.jobId}/${this.#term}.${++this.#shardCount}` as ShardId;
    const loss = this.#story.lastLoss(job.jobId, items[0]!);
    const again = loss && why.kind === "share" ? `; before, ${this.#table.nameOf(loss.node)}: ${loss.because}` : "";
    const because = why.because + again;
    this.#add({ shardId, jobId: job.jobId, node: node.nodeId }, items, { ...why, because }, nowMs);
    // What was killed once gets all the time that the worker allows, so that a large input is not taken for a hung one.
    const isUsual = items.every((item) => !job.faults.has(item));
    return {
      kind: "leaseShard",
      shardId,
      jobId: job.jobId,
      node: node.nodeId,
      items,
      because,
      isHedge: why.kind !== "share",
      itemDeadlineMs: isUsual ? this.#speeds.itemDeadlineMs(node.nodeId, job.pipeline) : undefined,
    };
  }

  adopt(shard: { shardId: ShardId; jobId: JobId; node: NodeId }, items: number[], nowMs: number): void {
    const because = "it held this shard when the leader changed";
    this.#add(shard, items, { kind: "adopted", because }, nowMs);
  }

  /** What nobody has any more by this waits again; what was reported waits for its record a little while first. */
  takeBack(shard: LeasedShard, because: string, nowMs: number): DispatchEffect & { kind: "takeBackShard" } {
    const { shardId, jobId, node } = shard;
    const about = onShard(shard, this.#table.nameOf(node));
    const unfinished = [...shard.items].filter((item) => !shard.reported.has(item));
    this.#story.tell(jobId, { atMs: nowMs, kind: "takenBack", ...about, ...rangesOf(unfinished), because });
    this.#story.lose(shard, unfinished, `it was taken back because ${because}`, nowMs);
    const free = this.#table.remove(shard);
    for (const item of free) this.#table.putBack(jobId, item, shard.reported.has(item) ? nowMs + RECORD_MS : undefined);
    return { kind: "takeBackShard", shardId, jobId, node, items: free.length, because };
  }

  #add(
    { shardId, jobId, node }: { shardId: ShardId; jobId: JobId; node: NodeId },
    items: number[],
    { kind, because }: { kind: LeaseKind; because: string },
    nowMs: number,
  ): void {
    this.#table.add({
      shardId,
      jobId,
      node,
      kind,
      items: new Set(items),
      reported: new Set(),
      leasedItems: items,
      leasedAtMs: nowMs,
      dueAtMs: nowMs + OVERDUE_FLOOR_MS + OVERDUE_FACTOR * this.#expectedMs(jobId, node, items.length),
      foretoldMs: this.#foretoldMs(jobId, node, items.length, nowMs),
      reportedCount: 0,
      toIdle: false,
      movedAtMs: undefined,
    });
    const about = onShard({ shardId, node }, this.#table.nameOf(node));
    this.#story.tell(jobId, { atMs: nowMs, kind: KINDS[kind], ...about, ...rangesOf(items), because });
  }

  #foretoldMs(jobId: JobId, nodeId: NodeId, items: number, nowMs: number): number {
    const node = this.#table.nodes.get(nodeId);
    return node ? 1_000 * this.#forecast.endsAfter(node, this.#table.jobs.get(jobId)!, nowMs)(items) : 0;
  }

  /** By its speed now, with what it has in hand already. */
  #expectedMs(jobId: JobId, nodeId: NodeId, items: number): number {
    const node = this.#table.nodes.get(nodeId);
    if (!node) return Number.POSITIVE_INFINITY;
    const rate = this.#speeds.rateOf(node, this.#table.jobs.get(jobId)!.pipeline) ?? 1;
    return 1_000 * (this.#forecast.secondsInHand(node) + items / rate);
  }
}
