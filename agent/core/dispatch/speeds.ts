import type { NodeId } from "../../../shared/ids.ts";
import type { DispatchNode } from "./records.ts";
import { DurationSketch } from "./sketch.ts";

/** Weight of one whole shard in a node's rate. */
const SHARD_WEIGHT = 0.5;
/** Weight of the newest hand-over. */
const HAND_OVER_WEIGHT = 0.3;
/** Cost of one hand-over until it is measured, and what is believed of a measurement. */
const HAND_OVER_SECONDS = 0.01;
const HAND_OVER_SECONDS_MIN = 0.002;
const HAND_OVER_SECONDS_MAX = 1;
/** Shards whose time beside the runs is remembered: the median of them is believed, so that one stall says nothing. */
const SHARDS_REMEMBERED = 5;
/** Runs seen before their distribution is believed. */
const SAMPLES_MIN = 20;
/** An executor is killed after so many times what 99 of 100 runs took; inputs differ in size. Never sooner than the floor. */
const DEADLINE_FACTOR = 5;
const DEADLINE_FLOOR_MS = 10_000;

interface Speed {
  /** Of one run on one executor. */
  runSeconds: number;
  readonly runs: DurationSketch;
  /** Of the last shards: seconds an item took the node beside its run, on average. */
  readonly besideSeconds: number[];
}

/** How fast each node was seen to be with each pipeline in this leader's time; wins over what the node reported. */
export class Speeds {
  readonly #speeds = new Map<NodeId, Map<string, Speed>>();
  readonly #handOverSeconds = new Map<NodeId, number>();
  readonly #handOverExpected = new Map<NodeId, number>();

  /** One run of a shard of so many items. */
  observeRun(node: NodeId, pipeline: string, durationMs: number, shardItems: number): void {
    const seconds = durationMs / 1_000;
    const speed = this.#speedOf(node, pipeline);
    if (!speed) {
      const speeds = this.#speeds.get(node) ?? new Map<string, Speed>();
      this.#speeds.set(node, speeds);
      const fresh: Speed = { runSeconds: seconds, runs: new DurationSketch(), besideSeconds: [] };
      fresh.runs.add(durationMs);
      speeds.set(pipeline, fresh);
      return;
    }
    speed.runs.add(durationMs);
    speed.runSeconds += (1 - SHARD_WEIGHT ** (1 / shardItems)) * (seconds - speed.runSeconds);
  }

  /** A node went through so many items of a shard in this time, one after the other and without a pause. */
  observeShard(node: DispatchNode, pipeline: string, elapsedMs: number, items: number): void {
    const speed = this.#speedOf(node.nodeId, pipeline);
    if (!speed) return;
    const beside = elapsedMs / 1_000 / items - speed.runSeconds / node.executors;
    speed.besideSeconds.push(Math.max(0, beside));
    if (speed.besideSeconds.length > SHARDS_REMEMBERED) speed.besideSeconds.shift();
  }

  /** From a lease to an idle node until its first report, without the run. */
  observeHandOver(node: NodeId, ms: number): void {
    const seconds = Math.min(HAND_OVER_SECONDS_MAX, Math.max(HAND_OVER_SECONDS_MIN, ms / 1_000));
    const before = this.handOverSeconds(node);
    this.#handOverSeconds.set(node, before + HAND_OVER_WEIGHT * (seconds - before));
  }

  /** Undefined until one was measured. */
  measuredHandOverSeconds(node: NodeId): number | undefined {
    return this.#handOverSeconds.get(node);
  }

  /** Of nodes where it was not measured yet, by the way there and back. */
  expectHandOvers(nodes: readonly DispatchNode[]): void {
    this.#handOverExpected.clear();
    for (const { nodeId, handOverMs = 0 } of nodes) this.#handOverExpected.set(nodeId, handOverMs / 1_000);
  }

  handOverSeconds(node: NodeId): number {
    const expected = Math.max(HAND_OVER_SECONDS, this.#handOverExpected.get(node) ?? 0);
    return this.#handOverSeconds.get(node) ?? expected;
  }

  /** Items per second of a node, all executors together; undefined if the pipeline cannot run there. */
  rateOf(node: DispatchNode, pipeline: string): number | undefined {
    const reported = node.rates.get(pipeline);
    if (reported === undefined) return undefined;
    return this.seenRateOf(node, pipeline) ?? reported;
  }

  /** The same, but only if it was seen. */
  seenRateOf(node: DispatchNode, pipeline: string): number | undefined {
    const speed = this.#speedOf(node.nodeId, pipeline);
    return speed && 1 / (speed.runSeconds / node.executors + medianOf(speed.besideSeconds));
  }

  /** Of one run on one executor. */
  runSeconds(node: DispatchNode, pipeline: string): number {
    const speed = this.#speedOf(node.nodeId, pipeline);
    return speed ? speed.runSeconds : node.executors / (node.rates.get(pipeline) ?? 1);
  }

  /** What 95 of 100 runs stay under; twice the usual until enough were seen. */
  slowRunSeconds(node: DispatchNode, pipeline: string): number {
    const runs = this.#speedOf(node.nodeId, pipeline)?.runs;
    if (runs && runs.samples >= SAMPLES_MIN) return runs.quantileMs(0.95) / 1_000;
    return 2 * this.runSeconds(node, pipeline);
  }

  /** After how long a run on this node is hung; undefined while too few were seen to say. */
  itemDeadlineMs(node: NodeId, pipeline: string): number | undefined {
    const runs = this.#speedOf(node, pipeline)?.runs;
    if (!runs || runs.samples < SAMPLES_MIN) return undefined;
    return Math.round(Math.max(DEADLINE_FLOOR_MS, DEADLINE_FACTOR * runs.quantileMs(0.99)));
  }

  /** Restarted or not, a node that comes back is measured anew. */
  keepOnly(nodes: ReadonlyMap<NodeId, unknown>): void {
    for (const known of [this.#speeds, this.#handOverSeconds])
      for (const node of known.keys()) if (!nodes.has(node)) known.delete(node);
  }

  #speedOf(node: NodeId, pipeline: string): Speed | undefined {
    return this.#speeds.get(node)?.get(pipeline);
  }
}

export function medianOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
