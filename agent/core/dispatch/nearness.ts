import type { NodeId } from "../../../shared/ids.ts";
import type { Forecast } from "./forecast.ts";
import type { DispatchJob, DispatchNode } from "./records.ts";
import type { Speeds } from "./speeds.ts";
import type { DispatchTable } from "./table.ts";

/** Of the items that wait, those that a node should have next. */
export interface NextItems {
  /** Those near this node, which may be another; absent: those that have no home. */
  near?: NodeId;
  /** No more of them. */
  most: number;
}

/** Seconds from one node to another, by what the link between them was measured to carry; 0 where it was not. */
export function linkSeconds(
  nodes: ReadonlyMap<NodeId, DispatchNode>,
  { from, to, bytes }: { from: NodeId; to: NodeId; bytes: number },
): number {
  const bytesPerSecond = nodes.get(to)?.links?.get(from) ?? nodes.get(from)?.links?.get(to);
  return bytesPerSecond ? bytes / bytesPerSecond : 0;
}

/** What these items take to come to a node, one after the other; 0 for what is there. */
export function transferSeconds(
  nodes: ReadonlyMap<NodeId, DispatchNode>,
  node: NodeId,
  { waiting }: DispatchJob,
  items: Iterable<number>,
): number {
  let seconds = 0;
  for (const item of items) {
    const home = waiting.homeOf(item);
    if (!home || home.nodes.includes(node)) continue;
    seconds += Math.min(...home.nodes.map((from) => linkSeconds(nodes, { from, to: node, bytes: home.bytes })));
  }
  return seconds;
}

/** What an item of those that wait takes on average to come to a node; 0 for what is there. */
export function meanTransferSeconds(
  nodes: ReadonlyMap<NodeId, DispatchNode>,
  node: NodeId,
  { waiting }: DispatchJob,
): number {
  const far = waiting.size - waiting.sizeAnywhere - waiting.sizeNear(node);
  const others = far > 0 ? waiting.homes().filter((home) => home !== node) : [];
  if (others.length === 0) return 0;
  const seconds = others.map((from) => linkSeconds(nodes, { from, to: node, bytes: waiting.bytesNear(from) }));
  return (far / waiting.size) * Math.min(...seconds);
}

/** Near which what lies there is ended last; Infinity where it is not begun before its node is given work again. */
interface Busiest {
  near: NodeId;
  endsInSeconds: number;
  itemsPerSecond: number;
}

/**
 * Items go where what they start from lies. What lies elsewhere a node has only if it ends it sooner, with the time that the
 * bytes take to come, than the node there would end the last of what lies there.
 */
export class Nearness {
  readonly #table: DispatchTable;
  readonly #speeds: Speeds;
  readonly #forecast: Forecast;
  /** The same for every node, be they a thousand, until something moves. */
  readonly #busiest = new Map<DispatchJob, Busiest>();

  constructor(parts: { table: DispatchTable; speeds: Speeds; forecast: Forecast }) {
    this.#table = parts.table;
    this.#speeds = parts.speeds;
    this.#forecast = parts.forecast;
  }

  /** Something was leased, came back or ended, or time went on. */
  moved(): void {
    this.#busiest.clear();
  }

  /**
   * Undefined if all that waits is better left where it lies. Something must wait.
   * @param got so many it has got already, beside what it has in hand
   * @param isOpen whether a node is given work now; what lies near others may be had by anybody
   * @param isShared it is settled already how many this node should have, wherever they lie
   */
  next(
    node: DispatchNode,
    job: DispatchJob,
    {
      got,
      isOpen,
      isShared,
      nowMs,
    }: { got: number; isOpen: (node: DispatchNode) => boolean; isShared: boolean; nowMs: number },
  ): NextItems | undefined {
    const { waiting } = job;
    if (waiting.sizeNear(node.nodeId) > 0) return { near: node.nodeId, most: Number.POSITIVE_INFINITY };
    if (waiting.sizeAnywhere > 0) return { most: Number.POSITIVE_INFINITY };
    const { near, endsInSeconds, itemsPerSecond } = this.#busiestOf(job, isOpen, nowMs);
    if (isShared || endsInSeconds === Number.POSITIVE_INFINITY) return { near, most: Number.POSITIVE_INFINITY };
    const sooner = endsInSeconds - this.#endsIn(node, job, got + 1, nowMs);
    if (sooner <= 0) return undefined;
    const way = { from: near, to: node.nodeId, bytes: waiting.bytesNear(near) };
    // Each more comes and runs here so much later, and is so much less to be done there.
    const mine = linkSeconds(this.#table.nodes, way) + 1 / (this.#speeds.rateOf(node, job.pipeline) ?? 1);
    return { near, most: 1 + Math.floor(sooner / (mine + 1 / itemsPerSecond)) };
  }

  #busiestOf(job: DispatchJob, isOpen: (node: DispatchNode) => boolean, nowMs: number): Busiest {
    const known = this.#busiest.get(job);
    if (known) return known;
    const all = job.waiting.homes().map((near): Busiest => {
      const home = this.#table.nodes.get(near);
      const itemsPerSecond = (home && isOpen(home) && this.#speeds.rateOf(home, job.pipeline)) ?? 0;
      if (!home || !itemsPerSecond) return { near, endsInSeconds: Number.POSITIVE_INFINITY, itemsPerSecond: 0 };
      return { near, endsInSeconds: this.#endsIn(home, job, job.waiting.sizeNear(near), nowMs), itemsPerSecond };
    });
    const busiest = all.reduce((a, b) => (b.endsInSeconds > a.endsInSeconds ? b : a));
    this.#busiest.set(job, busiest);
    return busiest;
  }

  #endsIn(node: DispatchNode, job: DispatchJob, items: number, nowMs: number): number {
    return this.#forecast.endsAfter(node, job, nowMs, node.derating ?? 1)(items);
  }
}
