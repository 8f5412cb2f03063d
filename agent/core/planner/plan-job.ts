import { invariant } from "../../../shared/errors.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { Plan, PlanShare } from "../../../shared/plan.ts";
import { bestSingle, byId, endSeconds, fluidBound, type SplitNode, splitWhole } from "./split.ts";
import { count, percent, rate, seconds } from "./words.ts";

export interface PlannedNode {
  nodeId: NodeId;
  name: string;
  /** Measured on this pipeline, all executors of the node together. 0 if nothing was measured yet. */
  itemsPerSecond: number;
  /** From handing work over to the node until its first item can begin; 0 for the planning node itself. */
  overheadMs: number;
  /** Items that wait there already; they are done first. */
  itemsQueued: number;
  /** May it be given work now? Presence, disk, heat and roles are the caller's to judge. */
  eligible: boolean;
  /** Why not, as the end of a sentence: "it is late: no report for 9 s". */
  whyNot?: string;
}

export interface PlanRequest {
  jobId: JobId;
  term: number;
  nowMs: number;
  /** Items of the job that have still to be done. */
  items: number;
  nodes: readonly PlannedNode[];
}

/** One item in twelve days. Below it a figure is a broken clock, not a speed, and the arithmetic would overflow. */
const ITEMS_PER_SECOND_MIN = 1e-6;

/** Splits within this of each other are the same; whole is simpler, so whole it stays. */
const SAME_SHARE = 1e-9;

/**
 * Splits a job over the nodes that may work, in proportion to what each was measured to do, or keeps it whole on one
 * node where sharing would not end sooner: a plan is never slower than the best single node, hand-over included.
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
  const able = nodes.filter((node) => obstacle(node) === undefined);
  const split = able.map(splitNodeOf);
  const shared = splitWhole(items, split);
  const single = split.length > 0 ? bestSingle(items, split) : undefined;
  const singleBestSeconds = single ? endSeconds(single, items) : 0;
  const keptWhole = single !== undefined && items > 0 && latest(split, shared) >= singleBestSeconds * (1 - SAME_SHARE);
  const counts = keptWhole ? new Map([[single.nodeId, items]]) : shared;
  const expectedSeconds = keptWhole ? singleBestSeconds : latest(split, counts);
  const fleetRate = split.reduce((sum, node) => sum + node.itemsPerSecond, 0);
  const shares = nodes
    .map((node): PlanShare => {
      const share = counts.get(node.nodeId) ?? 0;
      const reason = obstacle(node) ?? reasonFor(node, share, { fleetRate, expectedSeconds, keptWhole, items });
      return { nodeId: node.nodeId, name: node.name, items: share, itemsPerSecond: node.itemsPerSecond, reason };
    })
    .sort((a, b) => b.items - a.items || byId(a, b));
  const outcome = { items, shares, expectedSeconds, singleBestSeconds, keptWhole };
  const summary = summaryOf(outcome, fluidBound(items, split), able.length);
  return {
    jobId: request.jobId,
    madeAtMs: request.nowMs,
    term: request.term,
    shares,
    expectedSeconds,
    singleBestSeconds,
    keptWhole,
    summary,
  };
}

/** Why a node cannot be counted on, or undefined if it can. */
function obstacle(node: PlannedNode): string | undefined {
  if (!node.eligible) return `gets no work: ${node.whyNot ?? "it is not eligible"}`;
  if (!(node.itemsPerSecond >= ITEMS_PER_SECOND_MIN && Number.isFinite(node.itemsPerSecond)))
    return "gets no share yet: its speed on this pipeline was not measured";
  return undefined;
}

function splitNodeOf(node: PlannedNode): SplitNode {
  invariant(node.overheadMs >= 0 && node.itemsQueued >= 0, "overhead and queue are never negative");
  const startSeconds = node.overheadMs / 1000 + node.itemsQueued / node.itemsPerSecond;
  return { nodeId: node.nodeId, itemsPerSecond: node.itemsPerSecond, startSeconds };
}

const latest = (nodes: readonly SplitNode[], counts: ReadonlyMap<string, number>): number =>
  nodes.reduce((end, node) => Math.max(end, endSeconds(node, counts.get(node.nodeId) ?? 0)), 0);

function reasonFor(
  node: PlannedNode,
  share: number,
  plan: { fleetRate: number; expectedSeconds: number; keptWhole: boolean; items: number },
): string {
  const speed = `measured ${rate(node.itemsPerSecond)}, ${percent(node.itemsPerSecond / plan.fleetRate)} of the fleet`;
  const start = splitNodeOf(node).startSeconds;
  const causes: string[] = [];
  if (node.itemsQueued > 0)
    causes.push(`${count(node.itemsQueued)} ${node.itemsQueued === 1 ? "waits" : "wait"} there`);
  if (node.overheadMs > 0) causes.push(`handing over takes ${seconds(node.overheadMs / 1000)}`);
  const wait = causes.length > 0 ? `; starts ${seconds(start)} later because ${causes.join(" and ")}` : "";
  if (share > 0 || plan.items === 0) return `${speed}${wait}`;
  const alone = endSeconds(splitNodeOf(node), 1);
  if (alone >= plan.expectedSeconds)
    return `${speed}${wait}; even one item would end there after ${seconds(alone)}, when the whole job is done after ${seconds(plan.expectedSeconds)}`;
  return `${speed}${wait}; a share here would not end the job sooner`;
}

function summaryOf(
  plan: Pick<Plan, "shares" | "expectedSeconds" | "singleBestSeconds" | "keptWhole"> & { items: number },
  boundSeconds: number,
  ableCount: number,
): string {
  const first = plan.shares[0];
  if (!first || ableCount === 0) return `No node can take work now, so ${count(plan.items)} wait.`;
  if (plan.items === 0) return "Nothing is left to hand out.";
  const end = seconds(plan.expectedSeconds);
  if (ableCount === 1)
    return `${count(plan.items)} on ${first.name}, the only node that can take work now; expected to end after ${end}.`;
  if (plan.keptWhole)
    return `${count(plan.items)} kept whole on ${first.name}, which ends them after ${end}: sharing them would not end sooner.`;
  const used = plan.shares.filter((share) => share.items > 0);
  const gain = (plan.singleBestSeconds / plan.expectedSeconds).toFixed(1);
  const above = percent(plan.expectedSeconds / boundSeconds - 1);
  return (
    `${count(plan.items)} over ${used.length} nodes, expected to end after ${end}; the best single node would need ` +
    `${seconds(plan.singleBestSeconds)} (${gain} times as long). That is ${above} above the bound for work that splits freely.`
  );
}
