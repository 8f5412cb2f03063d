import type { NodeId } from "../../../shared/ids.ts";

/** How an item failed so far, by node. */
export interface ItemFaults {
  readonly byNode: Map<NodeId, { because: string }>;
  /** Runs of it in which the executor died or had to be killed, with the node's name and why. */
  readonly kills: string[];
  readonly firstAtMs: number;
}

/** Different items in a row that fail on one node before it gets nothing for a while. */
const STREAK_MAX = 3;
/** The first rest of a node that refused or kept failing; doubled up to the second figure each time it does so again. */
const REST_MS = 1_000;
const REST_MAX_MS = 30_000;

interface Breaker {
  /** The items that failed in a row. */
  streak: Set<string>;
  restMs: number;
  restsUntilMs: number;
  because: string;
}

/**
 * Which nodes are left alone for a while, by a circuit breaker each (Nygard, "Release It!"): closed, open for a rest that
 * doubles, then half open: one item at a time until one is done.
 */
export class Breakers {
  readonly #breakers = new Map<NodeId, Breaker>();

  /** An item was done: all is well again. */
  succeeded(node: NodeId): void {
    this.#breakers.delete(node);
  }

  /** Returns true if the node rests from now on. */
  failed(node: NodeId, item: string, because: string, nowMs: number): boolean {
    const breaker = this.#breakerOf(node);
    breaker.streak.add(item);
    // Items that were in hand when it began to rest say nothing new.
    if (breaker.restsUntilMs > nowMs) return false;
    if (breaker.restMs === 0 && breaker.streak.size < STREAK_MAX) return false;
    this.#rest(breaker, because, nowMs);
    return true;
  }

  refused(node: NodeId, because: string, nowMs: number): void {
    const breaker = this.#breakerOf(node);
    if (breaker.restsUntilMs <= nowMs) this.#rest(breaker, because, nowMs);
  }

  /** Why it gets nothing now, as the end of a sentence. */
  restOf(node: NodeId, nowMs: number): string | undefined {
    const breaker = this.#breakers.get(node);
    return breaker && breaker.restsUntilMs > nowMs ? breaker.because : undefined;
  }

  /** It rested and has done nothing since: it gets one item, to see. */
  isOnTrial(node: NodeId): boolean {
    return (this.#breakers.get(node)?.restMs ?? 0) > 0;
  }

  /** Nodes that are gone begin anew when they come back. */
  keepOnly(nodes: ReadonlyMap<NodeId, unknown>): void {
    for (const node of this.#breakers.keys()) if (!nodes.has(node)) this.#breakers.delete(node);
  }

  #breakerOf(node: NodeId): Breaker {
    const known = this.#breakers.get(node);
    if (known) return known;
    const breaker = { streak: new Set<string>(), restMs: 0, restsUntilMs: Number.NEGATIVE_INFINITY, because: "" };
    this.#breakers.set(node, breaker);
    return breaker;
  }

  #rest(breaker: Breaker, because: string, nowMs: number): void {
    breaker.restMs = Math.min(REST_MAX_MS, breaker.restMs === 0 ? REST_MS : 2 * breaker.restMs);
    breaker.restsUntilMs = nowMs + breaker.restMs;
    breaker.because = because;
    breaker.streak.clear();
  }
}
