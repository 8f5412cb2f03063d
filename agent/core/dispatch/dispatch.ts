import type { PredictionError } from "../../../shared/fleet.ts";
import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import type { LostAttempt } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { StoryLine } from "../../../shared/story.ts";
import { Failures, type ItemDelayed, type ItemFailed } from "./failures.ts";
import { Turns } from "./fairness.ts";
import { Breakers } from "./faults.ts";
import { Forecast } from "./forecast.ts";
import { HandOut } from "./hand-out.ts";
import { Hedges } from "./hedge.ts";
import { type DispatchEffect, Leases } from "./leases.ts";
import { Nearness } from "./nearness.ts";
import { Predictions } from "./predictions.ts";
import { type DispatchNode, type JobInit, type LeasedShard, unreported } from "./records.ts";
import { SmallJobs } from "./small-jobs.ts";
import { assertTableSound } from "./sound.ts";
import { Sparing } from "./sparing.ts";
import { Speeds } from "./speeds.ts";
import { attemptOf, onShard, rangesOf, Story } from "./story.ts";
import { DispatchTable } from "./table.ts";
import type { ItemHome } from "./waiting-items.ts";

export type DispatchEvent =
  /** All workers as they stand now; one that is missing is gone and its shards are taken back. */
  | { kind: "nodesChanged"; nodes: DispatchNode[] }
  | ({ kind: "jobOpened"; items: number[]; homes?: ReadonlyMap<number, ItemHome> } & JobInit)
  /** More items of it may be leased, or ones again that were closed or recorded. */
  | { kind: "itemsOpened"; jobId: JobId; items: number[]; homes?: ReadonlyMap<number, ItemHome> }
  /** They may not be leased until they are opened again, if ever. `isOver`: nobody wants them, and what runs is taken back. */
  | { kind: "itemsClosed"; jobId: JobId; items: number[]; isOver: boolean }
  | { kind: "jobPaused"; jobId: JobId; paused: boolean }
  | { kind: "jobClosed"; jobId: JobId; because: string }
  /** A worker tells a new leader what it still has. */
  | { kind: "shardHeld"; node: NodeId; shardId: ShardId; jobId: JobId; items: number[] }
  /** Results of one node are in the ledger. */
  | { kind: "itemsRecorded"; jobId: JobId; items: number[]; node: NodeId }
  /** A worker reported this item. It stays leased until its result is recorded: the worker may die before that. */
  | { kind: "itemReported"; node: NodeId; jobId: JobId; item: number; durationMs: number }
  /** The node broke on this item; another may do better. `killed`: its executor died of it, or had to be killed. */
  | ({ kind: "itemFailed" } & ItemFailed)
  /** Not now: its input is on boxes that are down, or the disk is full. Says nothing against the item. */
  | ({ kind: "itemDelayed" } & ItemDelayed)
  /** `unsure`: no answer came, so the node may have it all the same. */
  | { kind: "leaseRefused"; shardId: ShardId; because: string; unsure: boolean }
  | { kind: "ticked" };

/** Runs one after the other on each executor before a shard tells what an item costs beside its run. */
const WAVES_MIN = 4;

/**
 * The leader's table of shards: lease, hedge, take back, once. Pure: events in, effects out, time as an argument. It lives in
 * the leader's memory only; a new leader builds its own from the ledger and from what the workers say they hold.
 */
export class Dispatch {
  readonly table = new DispatchTable();
  readonly #speeds = new Speeds();
  readonly #story = new Story();
  readonly #turns = new Turns();
  readonly #breakers = new Breakers();
  readonly #sparing = new Sparing();
  readonly #predictions = new Predictions();
  readonly #leases: Leases;
  readonly #failures: Failures;
  readonly #handOut: HandOut;

  constructor(term: number) {
    const { table } = this;
    const speeds = this.#speeds;
    const forecast = new Forecast(table, speeds);
    this.#leases = new Leases({ table, speeds, forecast, story: this.#story, term });
    const leases = this.#leases;
    const hedges = new Hedges({ table, speeds, forecast, leases });
    const [turns, breakers] = [this.#turns, this.#breakers];
    this.#failures = new Failures({ table, story: this.#story, breakers });
    const smallJobs = new SmallJobs({ table, speeds, forecast });
    this.#handOut = new HandOut({
      smallJobs,
      nearness: new Nearness({ table, speeds, forecast }),
      table,
      speeds,
      forecast,
      leases,
      hedges,
      turns,
      breakers,
      sparing: this.#sparing,
    });
  }

  step(event: DispatchEvent, nowMs: number): DispatchEffect[] {
    const effects = this.#absorb(event, nowMs);
    return [...effects, ...this.#handOut.step(nowMs)];
  }

  /** Why everything was done for a job, the newest decisions. Times are those of `step`. */
  storyOf(jobId: JobId): { lines: readonly StoryLine[]; linesDropped: number } {
    return this.#story.lines(jobId);
  }

  /** Leases of an item that came to nothing, or lost by the result that this shard brings now; the newest, in time's order. */
  lostAttempts(jobId: JobId, item: number, shardId: ShardId, nowMs: number): LostAttempt[] {
    const losing = this.table.copiesOf(jobId, item).filter((copy) => copy.shardId !== shardId);
    const lost = losing.map((copy) => attemptOf(copy, "another node had its result first", nowMs));
    return [...this.#story.lostOf(jobId, item, shardId), ...lost].slice(-LIMITS.lostAttemptsMax);
  }

  /** How far the foretold times of shards were off on a node; of each pipeline that ran there. */
  predictionErrorsOf(node: NodeId): PredictionError[] {
    return this.#predictions.of(node);
  }

  /** As measured; undefined until then. */
  handOverSeconds(node: NodeId): number | undefined {
    return this.#speeds.measuredHandOverSeconds(node);
  }

  /** Items per second of a node; undefined if the pipeline cannot run there. */
  rateOf(node: DispatchNode, pipeline: string): number | undefined {
    return this.#speeds.rateOf(node, pipeline);
  }

  /** The same as this leader saw it in runs; undefined until it saw one. */
  seenRateOf(nodeId: NodeId, pipeline: string): number | undefined {
    const node = this.table.nodes.get(nodeId);
    return node && this.#speeds.seenRateOf(node, pipeline);
  }

  assertSound(): void {
    assertTableSound(this.table);
  }

  #absorb(event: DispatchEvent, nowMs: number): DispatchEffect[] {
    switch (event.kind) {
      case "nodesChanged":
        return this.#changeNodes(event.nodes, nowMs);
      case "jobOpened":
        this.#open(event, nowMs);
        return [];
      case "itemsOpened":
        this.table.openItems(event.jobId, event.items, event.homes);
        return [];
      case "itemsClosed":
        return event.items.flatMap((item) => this.#closeItem(event.jobId, item, event.isOver));
      case "jobPaused":
        this.#pause(event.jobId, event.paused, nowMs);
        return [];
      case "jobClosed":
        return this.#close(event.jobId, event.because, nowMs);
      case "shardHeld":
        this.#adopt(event, nowMs);
        return [];
      case "itemsRecorded":
        return event.items.flatMap((item) => this.#record(event.jobId, item, event.node, nowMs));
      case "itemReported":
        this.#observe(event, nowMs);
        return [];
      case "itemFailed":
        return this.#failures.fail(event, nowMs);
      case "itemDelayed":
        this.#failures.delay(event, nowMs);
        return [];
      case "leaseRefused":
        return this.#refuse(event, nowMs);
      case "ticked":
        return this.#failures.tick(nowMs);
    }
  }

  #changeNodes(nodes: DispatchNode[], nowMs: number): DispatchEffect[] {
    const before = this.table.nodes;
    const now = new Map(nodes.map((node) => [node.nodeId, node]));
    const gone = [...before.keys()].filter((nodeId) => !now.has(nodeId));
    // Their names are still known here, for the story.
    const effects = gone.flatMap((nodeId) =>
      [...this.table.shardsOf(nodeId)].map((shard) =>
        this.#leases.takeBack(shard, `${before.get(nodeId)!.name} is gone`, nowMs),
      ),
    );
    this.table.nodes = now;
    this.#speeds.expectHandOvers(nodes);
    if (gone.length > 0)
      for (const seen of [this.#speeds, this.#breakers, this.#sparing, this.#predictions]) seen.keepOnly(now);
    for (const node of nodes)
      if (node.suspect && !before.get(node.nodeId)?.suspect) this.#tellSuspicion(node.nodeId, nowMs);
    return effects;
  }

  #tellSuspicion(nodeId: NodeId, nowMs: number): void {
    for (const shard of this.table.shardsOf(nodeId)) {
      const about = { ...onShard(shard, this.table.nameOf(nodeId)), ...rangesOf(shard.items) };
      this.#story.tell(shard.jobId, { atMs: nowMs, kind: "suspected", ...about, because: "its heartbeats stay away" });
    }
  }

  #open({ items, homes, kind: _, ...init }: DispatchEvent & { kind: "jobOpened" }, nowMs: number): void {
    const job = this.table.openJob(init, items, this.#turns.levelOf(init.priority), homes);
    const because = `${items.length} of its items are not recorded`;
    this.#story.tell(job.jobId, { atMs: nowMs, kind: "opened", ...rangesOf(items), because });
  }

  #pause(jobId: JobId, paused: boolean, nowMs: number): void {
    const job = this.table.jobs.get(jobId);
    if (!job || job.paused === paused) return;
    job.paused = paused;
    const kind = paused ? "paused" : "resumed";
    this.#story.tell(jobId, { atMs: nowMs, kind, items: [], because: "somebody asked for it" });
  }

  #close(jobId: JobId, because: string, nowMs: number): DispatchEffect[] {
    const shards = [...(this.table.jobs.get(jobId)?.shards ?? [])];
    const effects = shards.map((shard) => this.#leases.takeBack(shard, because, nowMs));
    this.table.closeJob(jobId);
    this.#story.close(jobId);
    return effects.map((effect) => ({ ...effect, items: 0 }));
  }

  /** Running shards are not thrown away because the leader died. What two nodes hold is the first one's. */
  #adopt({ shardId, jobId, node, items }: DispatchEvent & { kind: "shardHeld" }, nowMs: number): void {
    const job = this.table.jobs.get(jobId);
    if (!job || !this.table.nodes.has(node) || this.table.shards.has(shardId)) return;
    const free = items.filter((item) => job.waiting.delete(item));
    if (free.length > 0) this.#leases.adopt({ shardId, jobId, node }, free, nowMs);
  }

  #record(jobId: JobId, item: number, reporter: NodeId, nowMs: number): DispatchEffect[] {
    this.table.jobs.get(jobId)?.faults.delete(item);
    return this.#settle(jobId, item, "its results are recorded", (shard) => {
      if (shard.node === reporter) this.#tellRecorded(shard, nowMs);
      return shard.node === reporter;
    });
  }

  /** Whoever has it may have all that it starts from: then it ends well, whatever is lost meanwhile. */
  #closeItem(jobId: JobId, item: number, isOver: boolean): DispatchEffect[] {
    if (!isOver && this.table.keepClosed(jobId, item)) return [];
    return this.#settle(jobId, item, "its items are not to be done now");
  }

  /** Takes an item out. A shard that has nothing left is taken back from its node, unless that has ended it itself. */
  #settle(
    jobId: JobId,
    item: number,
    because: string,
    hasEnded: (shard: LeasedShard) => boolean = () => false,
  ): DispatchEffect[] {
    const empty = this.table.settle(jobId, item).filter((shard) => shard.items.size === 0 && !hasEnded(shard));
    return empty.map(({ shardId, node }) => ({ kind: "takeBackShard", shardId, jobId, node, items: 0, because }));
  }

  #tellRecorded(shard: LeasedShard, nowMs: number): void {
    const about = onShard(shard, this.table.nameOf(shard.node));
    const took = ((nowMs - shard.leasedAtMs) / 1_000).toFixed(1);
    const because = `the last of its results came ${took} s after the lease`;
    const line = { atMs: nowMs, kind: "recorded" as const, ...about, ...rangesOf(shard.leasedItems), because };
    this.#story.tell(shard.jobId, line);
  }

  #observe({ node: nodeId, jobId, item, durationMs }: DispatchEvent & { kind: "itemReported" }, nowMs: number): void {
    const job = this.table.jobs.get(jobId);
    const node = this.table.nodes.get(nodeId);
    if (!job || !node) return;
    const { shardEndedAtMs } = this.table.workOf(nodeId);
    const shard = this.table.report(nodeId, jobId, item, nowMs);
    this.#breakers.succeeded(nodeId);
    job.workSeconds += durationMs / 1_000;
    if (durationMs > 0) this.#speeds.observeRun(nodeId, job.pipeline, durationMs, shard?.leasedItems.length ?? 1);
    if (!shard || shard.kind === "adopted") return;
    const handOverMs = nowMs - shard.leasedAtMs - durationMs;
    if (shard.toIdle && shard.reportedCount === 1) this.#speeds.observeHandOver(nodeId, handOverMs);
    if (unreported(shard) > 0) return;
    const begunAtMs = shard.leasedAtMs + (shard.toIdle ? 1_000 * this.#speeds.handOverSeconds(nodeId) : 0);
    const elapsedMs = nowMs - Math.max(begunAtMs, shardEndedAtMs);
    if (shard.kind === "share" && shard.reportedCount === shard.leasedItems.length)
      this.#predictions.observe(nodeId, job.pipeline, shard.foretoldMs, nowMs - shard.leasedAtMs);
    if (shard.reportedCount < WAVES_MIN * node.executors) return;
    this.#speeds.observeShard(node, job.pipeline, elapsedMs, shard.reportedCount);
  }

  #refuse({ shardId, because, unsure }: DispatchEvent & { kind: "leaseRefused" }, nowMs: number): DispatchEffect[] {
    const shard = this.table.shards.get(shardId);
    if (!shard) return [];
    const name = this.table.nameOf(shard.node);
    this.#breakers.refused(shard.node, because, nowMs);
    if (unsure) return [this.#leases.takeBack(shard, `${name} did not answer: ${because}`, nowMs)];
    const about = { ...onShard(shard, name), ...rangesOf(shard.items) };
    this.#story.tell(shard.jobId, { atMs: nowMs, kind: "refused", ...about, because });
    for (const item of this.table.remove(shard)) this.table.putBack(shard.jobId, item);
    return [];
  }
}
