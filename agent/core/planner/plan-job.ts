import type { JobCandidate } from "../../../shared/decision.ts";
import { invariant } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { endSeconds } from "../../../shared/item-ends.ts";
import type { Plan, PlanShare } from "../../../shared/plan.ts";
import { reasonFor, summaryOf } from "./reasons.ts";
import { bounds, byId, type SplitNode, type Uplink } from "./split.ts";
import { type WorkedWay, waysOf } from "./ways.ts";

export interface PlanRequest {
  jobId: JobId;
  term: number;
  nowMs: number;
  /** Items of the job that have still to be done. */
  items: number;
  /** On average; 0 if nothing has to be moved for one. */
  bytesPerItem: number;
  /** Of all nodes that hold the inputs together; absent if nothing was measured. */
  uplinkBytesPerSecond?: number;
  nodes: readonly JobCandidate[];
}

/** One item in twelve days. Below it a figure is a broken clock, not a speed, and the arithmetic would overflow. */
const ITEMS_PER_SECOND_MIN = 1e-6;
/** A byte in a quarter of an hour: likewise. */
const BYTES_PER_SECOND_MIN = 1e-3;

/**
 * Splits a job over the nodes that may work, in proportion to what each was measured to do and to what its link carries,
 * or keeps it whole on one node, or on those that have its inputs, where that ends no later: a plan is never slower than
 * the best single node, hand-over and transfers included.
 *
 * Shares are listed largest first, nodes without work last; the plan does not depend on the order of `nodes`. When nobody
 * can take work, every share is 0 and so are the expected seconds; the summary says so.
 * @throws a broken invariant for a negative or fractional number of items, or a node named twice.
 */
export function planJob(request: PlanRequest): Plan {
  const { items } = request;
  const nodes = [...request.nodes].sort(byId);
  invariant(Number.isSafeInteger(items) && items >= 0, "a job has a whole number of items");
  invariant(new Set(nodes.map((node) => node.nodeId)).size === nodes.length, "a plan names each node once");
  const { split, uplink } = splitOf(request);
  const names = new Map<string, string>(nodes.map((node) => [node.nodeId, node.name]));
  const { ways, chosen } =
    split.length > 0 ? waysOf(items, split, uplink, (nodeId) => names.get(nodeId)!) : { ways: [], chosen: nothing };
  const byNode = new Map<string, SplitNode>(split.map((node) => [node.nodeId, node]));
  const fleetRate = split.reduce((sum, node) => sum + node.itemsPerSecond, 0);
  const whole = { items, fleetRate, expectedSeconds: chosen.seconds, chosen: chosen.way };
  const shares = nodes
    .map((node) => shareOf(node, byNode.get(node.nodeId), chosen.counts.get(node.nodeId) ?? 0, request, whole))
    .sort((a, b) => b.items - a.items || byId(a, b));
  const boundSeconds = split.length > 0 ? bounds(items, split, uplink).seconds : 0;
  const outcome = {
    shares,
    expectedSeconds: chosen.seconds,
    singleBestSeconds: ways[0]?.seconds ?? 0,
    keptWhole: items > 0 && chosen.way === "one" && split.length > 0,
    ways: ways.map(({ counts: _, ...way }) => way),
    chosen: chosen.way,
    boundSeconds,
  };
  const { jobId, term, nowMs: madeAtMs } = request;
  return { jobId, madeAtMs, term, ...outcome, summary: summaryOf(outcome, items, split.length) };
}

const nothing: WorkedWay = { way: "split", seconds: 0, nodes: 0, counts: new Map() };

/** Those that can be counted on, by id, as the arithmetic sees them. */
export function splitOf(request: Omit<PlanRequest, "jobId" | "term" | "nowMs">): {
  split: SplitNode[];
  uplink?: Uplink;
} {
  const { bytesPerItem, uplinkBytesPerSecond = 0 } = request;
  const able = [...request.nodes].sort(byId).filter((node) => obstacle(node) === undefined);
  const split = able.map((node) => splitNodeOf(node, bytesPerItem));
  const moving = split.filter((node) => node.moves);
  if (moving.length === 0 || uplinkBytesPerSecond < BYTES_PER_SECOND_MIN || bytesPerItem === 0) return { split };
  const secondsPerItem = bytesPerItem / uplinkBytesPerSecond;
  // What is carried last is still to be run; the quickest might do it.
  const startSeconds = Math.min(...moving.map((node) => node.startSeconds + node.executors / node.itemsPerSecond));
  return { split, uplink: { secondsPerItem, startSeconds } };
}

/** Why a node cannot be counted on, or undefined if it can. */
export function obstacle(node: JobCandidate): string | undefined {
  if (!node.eligible) return `gets no work: ${node.whyNot ?? "it is not eligible"}`;
  if (!isSpeed(node.itemsPerSecond)) return "gets no share yet: its speed on this pipeline was not measured";
  if (!isSpeed(node.itemsPerSecond * node.derating))
    return `gets no work: ${node.deratedBecause ?? "heat or battery leave it nothing"}`;
  return undefined;
}

const isSpeed = (itemsPerSecond: number): boolean =>
  itemsPerSecond >= ITEMS_PER_SECOND_MIN && Number.isFinite(itemsPerSecond);

function splitNodeOf(node: JobCandidate, bytesPerItem: number): SplitNode {
  invariant(node.handOverMs >= 0 && node.itemsQueued >= 0, "hand-over and queue are never negative");
  const itemsPerSecond = node.itemsPerSecond * node.derating;
  return {
    nodeId: node.nodeId,
    itemsPerSecond,
    executors: Math.max(1, node.executors),
    startSeconds: node.handOverMs / 1_000 + node.itemsQueued / itemsPerSecond,
    transferSeconds: transferSecondsOf(node, bytesPerItem),
    moves: !node.holdsInputs,
  };
}

/** Over a link that nobody measured an item takes no time: the plan says so, and the first chunks will tell. */
function transferSecondsOf(node: JobCandidate, bytesPerItem: number): number {
  const { holdsInputs, linkBytesPerSecond = 0 } = node;
  return holdsInputs || linkBytesPerSecond < BYTES_PER_SECOND_MIN ? 0 : bytesPerItem / linkBytesPerSecond;
}

function shareOf(
  node: JobCandidate,
  split: SplitNode | undefined,
  items: number,
  request: PlanRequest,
  whole: Parameters<typeof reasonFor>[3],
): PlanShare {
  const { nodeId, name, itemsPerSecond, derating } = node;
  const told = { nodeId, name, items, itemsPerSecond, derating };
  if (!split) {
    const nothing = { computeSeconds: 0, transferSeconds: 0, queueSeconds: 0, handOverSeconds: 0, endSeconds: 0 };
    return { ...told, ...nothing, reason: obstacle(node)! };
  }
  const counted = Math.max(1, items);
  return {
    ...told,
    reason: reasonFor(node, split, items, whole, request.bytesPerItem),
    computeSeconds: (Math.ceil(counted / split.executors) * split.executors) / split.itemsPerSecond,
    transferSeconds: counted * split.transferSeconds,
    queueSeconds: node.itemsQueued / split.itemsPerSecond,
    handOverSeconds: node.handOverMs / 1_000,
    endSeconds: endSeconds(split, counted),
  };
}
