import { invariant } from "../../../shared/errors.ts";
import { endSeconds, type ItemPace, paceOf, runSeconds } from "../../../shared/item-ends.ts";

/** A node as the arithmetic sees it; its start is the hand-over, and what already waits there. */
export interface SplitNode extends ItemPace {
  nodeId: string;
  /** Its inputs come from other nodes. */
  moves: boolean;
}

/** What all that leaves the nodes with the inputs shares. */
export interface Uplink {
  secondsPerItem: number;
  /** Until the first item could have been carried and run somewhere. */
  startSeconds: number;
}

/** How many items `node` has ended by then. */
export function itemsBy(node: SplitNode, seconds: number): number {
  const { executors, startSeconds, transferSeconds } = node;
  const room = seconds - startSeconds - runSeconds(node);
  if (!(room >= transferSeconds)) return 0;
  const period = executors / paceOf(node);
  const waves = Math.floor((room - transferSeconds) / period);
  if (transferSeconds === 0) return (waves + 1) * executors;
  return waves * executors + Math.min(executors, Math.floor((room - waves * period) / transferSeconds));
}

/** As work that splits freely sees it: never later than whole items end, whatever their number. */
const fluid = (node: SplitNode): Flow => ({
  nodeId: node.nodeId,
  perSecond: paceOf(node),
  startSeconds: node.startSeconds + Math.min(node.executors * node.transferSeconds, runSeconds(node)),
});

interface Flow {
  nodeId: string;
  perSecond: number;
  startSeconds: number;
}

/** Ties are broken by id and sums are taken in this order, so that no figure depends on how the nodes were listed. */
export const byId = (a: { nodeId: string }, b: { nodeId: string }): number =>
  a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0;

/**
 * The time T at which work that splits freely would end: the least T with sum of rate_i * max(0, T - start_i) = items.
 * Closed form: in the order of their starts, nodes join for as long as the time found without the next one is later
 * than its start (water-filling; divisible load theory, Cheng and Robertazzi 1988). O(n log n).
 */
function waterFill(items: number, flows: readonly Flow[]): number {
  let rate = 0;
  let rateTimesStart = 0;
  let bound = Number.POSITIVE_INFINITY;
  for (const flow of [...flows].sort((a, b) => a.startSeconds - b.startSeconds || byId(a, b))) {
    if (flow.startSeconds >= bound) break;
    rate += flow.perSecond;
    rateTimesStart += flow.perSecond * flow.startSeconds;
    bound = (items + rateTimesStart) / rate;
  }
  return bound;
}

/**
 * What no split into whole items ends before: the yardstick for every plan. Items that leave the nodes with the inputs are
 * at most what their uplink carries; since the others' part does not depend on it, the later of the two times holds.
 * @returns seconds; 0 for no items. Infinity if there are items and no nodes.
 */
export function fluidBound(items: number, nodes: readonly SplitNode[], uplink?: Uplink): number {
  if (items === 0) return 0;
  const free = waterFill(items, nodes.map(fluid));
  const carried = uplinkFlow(nodes, uplink);
  return carried ? Math.max(free, waterFill(items, carried)) : free;
}

function uplinkFlow(nodes: readonly SplitNode[], uplink: Uplink | undefined): Flow[] | undefined {
  if (!uplink || !nodes.some((node) => node.moves)) return undefined;
  const flow = { nodeId: "", perSecond: 1 / uplink.secondsPerItem, startSeconds: uplink.startSeconds };
  return [...nodes.filter((node) => !node.moves).map(fluid), flow];
}

/**
 * By how much the bound falls for one more item a second: of a node, or of the uplink (`""`). 0 for whoever takes no part.
 * The derivative of the closed form, which is the dual price of that row in the linear program.
 */
export function bounds(
  items: number,
  nodes: readonly SplitNode[],
  uplink?: Uplink,
): { seconds: number; limitedByUplink: boolean; price: (nodeId: string) => number } {
  const free = nodes.map(fluid);
  const carried = uplinkFlow(nodes, uplink);
  const seconds = fluidBound(items, nodes, uplink);
  const limitedByUplink = carried !== undefined && waterFill(items, free) < seconds;
  const used = (limitedByUplink ? carried : free).filter((flow) => flow.startSeconds < seconds);
  const total = used.reduce((sum, flow) => sum + flow.perSecond, 0);
  const price = (nodeId: string): number => {
    const flow = used.find((one) => one.nodeId === nodeId);
    return flow ? (seconds - flow.startSeconds) / total : 0;
  };
  return { seconds, limitedByUplink, price };
}

/**
 * Whole items for each node such that the last one ends as early as whole items allow.
 *
 * Every node first gets what it ends by the bound; no allocation that ends later gives it less. What is left goes one by
 * one to whoever would end it first, carried over the uplink included. Together that picks the `items` earliest ends of all,
 * so the result is optimal, not only near it. Largest-remainder rounding is not: it may hand the last item to the slowest
 * node. Of nodes that would end an item together the one that ends its own first gets it, then the first listed.
 */
export function splitWhole(items: number, nodes: readonly SplitNode[], uplink?: Uplink): Map<string, number> {
  if (nodes.length === 0) return new Map();
  const shares = firstShares(items, nodes, uplink);
  let left = items;
  let moved = 0;
  for (const share of shares) {
    share.items = Math.min(share.items, left);
    share.nextSeconds = endSeconds(share.node, share.items + 1);
    left -= share.items;
    if (share.node.moves) moved += share.items;
  }
  for (; left > 0; left--) {
    const carriedAt = uplink ? uplinkEndSeconds(uplink, moved + 1) : 0;
    let first = shares[0]!;
    let firstAt = Number.POSITIVE_INFINITY;
    for (const share of shares) {
      const endsAt = share.node.moves ? Math.max(share.nextSeconds, carriedAt) : share.nextSeconds;
      if (endsAt > firstAt || (endsAt === firstAt && share.nextSeconds >= first.nextSeconds)) continue;
      first = share;
      firstAt = endsAt;
    }
    first.items += 1;
    first.nextSeconds = endSeconds(first.node, first.items + 1);
    if (first.node.moves) moved += 1;
  }
  return new Map(shares.map((share) => [share.node.nodeId, share.items]));
}

interface Share {
  node: SplitNode;
  items: number;
  /** When one item more would end there. */
  nextSeconds: number;
}

/** By the bound, cut where more would move than the uplink carries until then. */
function firstShares(items: number, nodes: readonly SplitNode[], uplink: Uplink | undefined): Share[] {
  const bound = fluidBound(items, nodes, uplink);
  const shares = nodes.map((node) => ({ node, items: Math.min(items, itemsBy(node, bound)), nextSeconds: 0 }));
  const moving = shares.filter((share) => share.node.moves);
  const wanted = moving.reduce((sum, share) => sum + share.items, 0);
  const carried = uplink ? Math.max(0, Math.floor((bound - uplink.startSeconds) / uplink.secondsPerItem)) : wanted;
  if (wanted > carried) for (const share of moving) share.items = Math.floor((share.items * carried) / wanted);
  return shares;
}

export const uplinkEndSeconds = (uplink: Uplink, items: number): number =>
  items === 0 ? 0 : uplink.startSeconds + items * uplink.secondsPerItem;

/** When the last of these shares ends. */
export function latest(nodes: readonly SplitNode[], counts: ReadonlyMap<string, number>, uplink?: Uplink): number {
  let end = 0;
  let moved = 0;
  for (const node of nodes) {
    const items = counts.get(node.nodeId) ?? 0;
    end = Math.max(end, endSeconds(node, items));
    if (node.moves) moved += items;
  }
  return uplink ? Math.max(end, uplinkEndSeconds(uplink, moved)) : end;
}

/** The node that would end the whole job first on its own; of several the first listed. `nodes` is not empty. */
export function bestSingle(items: number, nodes: readonly SplitNode[], uplink?: Uplink): SplitNode {
  invariant(nodes[0] !== undefined, "the best is asked of at least one");
  const alone = (node: SplitNode): number => latest([node], new Map([[node.nodeId, items]]), uplink);
  return nodes.reduce((best, node) => (alone(node) < alone(best) ? node : best), nodes[0]);
}
