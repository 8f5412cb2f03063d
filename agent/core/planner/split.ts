import { invariant } from "../../../shared/errors.ts";

/** A node as the arithmetic sees it: a start offset and a rate. */
export interface SplitNode {
  nodeId: string;
  /** Over 0, finite. */
  itemsPerSecond: number;
  /** Until its first item of this job could begin: the hand-over, and what already waits there. 0 or more. */
  startSeconds: number;
}

/** When `node` would end `items` items that are its own from the start. */
export const endSeconds = (node: SplitNode, items: number): number =>
  items === 0 ? 0 : node.startSeconds + items / node.itemsPerSecond;

/** Ties are broken by id and sums are taken in this order, so that no figure depends on how the nodes were listed. */
export const byId = (a: { nodeId: string }, b: { nodeId: string }): number =>
  a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0;

/**
 * The time T at which work that splits freely would end: the least T with sum of rate_i * max(0, T - start_i) = items.
 * Closed form: in the order of their starts, nodes join for as long as the time found without the next one is later
 * than its start (water-filling; divisible load theory, Cheng and Robertazzi 1988). O(n log n).
 *
 * No split into whole items ends sooner, so this is the yardstick for every plan.
 * @returns seconds; 0 for no items. Infinity if there are items and no nodes.
 */
export function fluidBound(items: number, nodes: readonly SplitNode[]): number {
  if (items === 0) return 0;
  let rate = 0;
  let rateTimesStart = 0;
  let bound = Number.POSITIVE_INFINITY;
  for (const node of [...nodes].sort((a, b) => a.startSeconds - b.startSeconds || byId(a, b))) {
    if (node.startSeconds >= bound) break;
    rate += node.itemsPerSecond;
    rateTimesStart += node.itemsPerSecond * node.startSeconds;
    bound = (items + rateTimesStart) / rate;
  }
  return bound;
}

/**
 * Whole items for each node such that the last one ends as early as whole items allow.
 *
 * Every node first gets what it ends by the fluid bound, rounded down; no allocation that ends later gives it less. What
 * is left (fewer items than nodes) goes one by one to whoever would end it first. Together that picks the `items`
 * earliest ends of all nodes' ends, so the result is optimal, not only near it. Largest-remainder rounding is not: it may
 * hand the last item to the slowest node. Of nodes that would end an item together the first listed gets it.
 */
export function splitWhole(items: number, nodes: readonly SplitNode[]): Map<string, number> {
  if (nodes.length === 0) return new Map();
  const bound = fluidBound(items, nodes);
  let left = items;
  const split = nodes.map((node) => {
    const whole = Math.floor(node.itemsPerSecond * Math.max(0, bound - node.startSeconds));
    const share = { node, items: Math.min(whole, left) };
    left -= share.items;
    return share;
  });
  for (; left > 0; left--) leastBy(split, (share) => endSeconds(share.node, share.items + 1)).items += 1;
  return new Map(split.map((share) => [share.node.nodeId, share.items]));
}

/** The first of the least. */
function leastBy<T>(all: readonly T[], measure: (one: T) => number): T {
  invariant(all[0] !== undefined, "the least is asked of at least one");
  return all.reduce((least, one) => (measure(one) < measure(least) ? one : least), all[0]);
}

/** The node that would end the whole job first on its own; of several the first listed. `nodes` is not empty. */
export const bestSingle = (items: number, nodes: readonly SplitNode[]): SplitNode =>
  leastBy(nodes, (node) => endSeconds(node, items));
