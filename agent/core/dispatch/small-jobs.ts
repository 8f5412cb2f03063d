import type { NodeId } from "../../../shared/ids.ts";
import type { Forecast } from "./forecast.ts";
import type { DispatchJob, DispatchNode } from "./records.ts";
import type { Speeds } from "./speeds.ts";
import type { DispatchTable } from "./table.ts";

/**
 * Of a larger job a slow node's item is done long before the rest is, and its last shards are hedged: there it would cost
 * more to keep items for a fast node that may slow down or die meanwhile.
 */
const SMALL_JOB_ITEMS_MAX = 64;

interface Parts {
  table: DispatchTable;
  speeds: Speeds;
  forecast: Forecast;
}

interface Taker {
  nodeId: NodeId;
  runSeconds: number;
  items: number;
  nextSeconds: number;
  /** When it would end so many more than it has. */
  endsAfter: (items: number) => number;
}

/**
 * The items of a small job go where they end first, be that behind the work of a fast node while a slow one is idle: else the
 * whole job waits for what the slow one took, and ends later than the fast one alone had ended it.
 */
export class SmallJobs {
  readonly #parts: Parts;
  readonly #shares = new Map<DispatchJob, ReadonlyMap<NodeId, number>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Something was leased, came back or ended, or time went on. */
  moved(): void {
    this.#shares.clear();
  }

  /** How many of the waiting items this node should have; undefined for a large job, and as long as more come. */
  shareOf(node: DispatchNode, job: DispatchJob, isOpen: (node: DispatchNode) => boolean, nowMs: number) {
    if (job.items > SMALL_JOB_ITEMS_MAX || this.#parts.table.isGrowing(job)) return undefined;
    let shares = this.#shares.get(job);
    if (!shares) {
      shares = this.#share(job, isOpen, nowMs);
      this.#shares.set(job, shares);
    }
    return shares.get(node.nodeId) ?? 0;
  }

  /** Each item to whoever ends it first; of equals, the faster. */
  #share(job: DispatchJob, isOpen: (node: DispatchNode) => boolean, nowMs: number): Map<NodeId, number> {
    const takers: Taker[] = [];
    for (const node of this.#parts.table.nodes.values()) {
      const taker = isOpen(node) ? this.#taker(node, job, nowMs) : undefined;
      if (taker) takers.push(taker);
    }
    takers.sort((a, b) => a.runSeconds - b.runSeconds);
    for (let left = takers.length > 0 ? job.waiting.size : 0; left > 0; left--) {
      let first = takers[0]!;
      for (const taker of takers) if (taker.nextSeconds < first.nextSeconds) first = taker;
      first.items += 1;
      first.nextSeconds = first.endsAfter(first.items + 1);
    }
    return new Map(takers.map(({ nodeId, items }) => [nodeId, items]));
  }

  #taker(node: DispatchNode, job: DispatchJob, nowMs: number): Taker | undefined {
    const { speeds, forecast } = this.#parts;
    const { nodeId, derating = 1 } = node;
    const itemsPerSecond = derating * (speeds.rateOf(node, job.pipeline) ?? 0);
    if (itemsPerSecond <= 0) return undefined;
    const endsAfter = forecast.endsAfter(node, job, nowMs, derating);
    return { nodeId, runSeconds: node.executors / itemsPerSecond, items: 0, nextSeconds: endsAfter(1), endsAfter };
  }
}
