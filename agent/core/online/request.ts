import type { NodeId } from "../../../shared/ids.ts";
import type { HedgeBudget } from "./hedge-budget.ts";

/** A box that could run the request now. */
export interface OnlineNode {
  nodeId: NodeId;
  name: string;
  /** Measured, all executors together. */
  itemsPerSecond: number;
  executors: number;
  /** What waits there or runs, as far as is known here. */
  itemsQueued: number;
  /** To it and back; 0 for this box. */
  rttMs: number;
}

export interface OnlineRequest {
  /** Of the input. */
  bytes: number;
}

export type OnlineStep =
  | { kind: "ask"; node: OnlineNode; expectedMs: number; because: string }
  /** Nobody is left to ask, and nobody that was asked may still answer. */
  | { kind: "giveUp" };

/** What a link carries at least; a measured figure would be better, and an input is at most some hundred kilobytes. */
const LINK_BYTES_PER_MS = 5_000;
/** Another box is asked when the first takes so many times what was expected of it, and never sooner than the floor. */
const LATE_FACTOR = 2;
const LATE_FLOOR_MS = 250;

export function expectedMs(node: OnlineNode, { bytes }: OnlineRequest): number {
  const waitMs = (1_000 * Math.max(0, node.itemsQueued - node.executors + 1)) / node.itemsPerSecond;
  const runMs = (1_000 * node.executors) / node.itemsPerSecond;
  const wayMs = node.rttMs === 0 ? 0 : node.rttMs + bytes / LINK_BYTES_PER_MS;
  return waitMs + runMs + wayMs;
}

/** Who would answer soonest comes first; of equals, by name of the node, so that the order is always the same. */
export const ranked = (nodes: readonly OnlineNode[], request: OnlineRequest): OnlineNode[] =>
  [...nodes].sort((a, b) => expectedMs(a, request) - expectedMs(b, request) || (a.nodeId < b.nodeId ? -1 : 1));

/** One request on its way: whom to ask first, whom as well when that one is late, whom instead when it fails. */
export class OnlineChoice {
  readonly #request: OnlineRequest;
  readonly #budget: HedgeBudget;
  readonly #left: OnlineNode[];
  #asked = 0;

  constructor(nodes: readonly OnlineNode[], request: OnlineRequest, budget: HedgeBudget) {
    this.#request = request;
    this.#budget = budget;
    this.#left = ranked(nodes, request);
    budget.requested();
  }

  begin(): OnlineStep {
    return this.#ask("it is expected to answer soonest");
  }

  /** The one that was asked is late. At most two are asked at a time. */
  late(): OnlineStep | undefined {
    if (this.#asked !== 1 || this.#left.length === 0 || !this.#budget.take()) return undefined;
    return this.#ask("the first that was asked is late");
  }

  /** One that was asked failed, for a reason of its own. */
  failed(): OnlineStep | undefined {
    this.#asked--;
    if (this.#asked > 0) return undefined;
    return this.#ask("the one that was asked failed");
  }

  lateAfterMs(step: OnlineStep & { kind: "ask" }): number {
    return Math.max(LATE_FLOOR_MS, LATE_FACTOR * step.expectedMs);
  }

  #ask(because: string): OnlineStep {
    const node = this.#left.shift();
    if (!node) return { kind: "giveUp" };
    this.#asked++;
    return { kind: "ask", node, expectedMs: expectedMs(node, this.#request), because };
  }
}
