import type { JobDecision } from "../../../../shared/decision.ts";
import type { ShadowPrice } from "../../../../shared/explanation.ts";
import { paceOf } from "../../../../shared/item-ends.ts";
import type { PlanShare } from "../../../../shared/plan.ts";
import { splitOf } from "../plan-job.ts";
import { bounds, type SplitNode, type Uplink, uplinkEndSeconds } from "../split.ts";
import { seconds } from "../words.ts";

/** What the job waits for in the end, and what a little more of it would be worth; undefined if nobody works on it. */
export function jobPrice(decision: JobDecision): ShadowPrice | undefined {
  const { plan, items, bytesPerItem } = decision;
  const { split, uplink } = splitOf(decision);
  const last = plan.shares.filter((share) => share.items > 0).sort((a, b) => b.endSeconds - a.endSeconds)[0];
  const node = split.find(({ nodeId }) => nodeId === last?.nodeId);
  if (!last || !node) return undefined;
  const isLinkLate = isLimitedByUplink(plan.shares, split, uplink, last);
  const { price } = bounds(items, split, uplink);
  const waits = `The job ends with ${last.name}'s last item`;
  if (plan.keptWhole) return priceOf(last.name, node, bytesPerItem, items / paceOf(node) ** 2, waits);
  if (!isLinkLate) return priceOf(last.name, node, bytesPerItem, price(last.nodeId), waits);
  const gain = (price("") * 1e6) / bytesPerItem;
  const says = `The job ends with the last item that leaves the nodes with the inputs: one more MB/s of their uplink would end it ${seconds(gain)} sooner.`;
  return { of: "uplink", unit: "MB/s", gain, says };
}

/** More of its speed, or of its link where that is what holds it up. */
function priceOf(name: string, node: SplitNode, bytesPerItem: number, perItem: number, waits: string): ShadowPrice {
  const isLink = node.transferSeconds * node.itemsPerSecond > 1;
  if (isLink) {
    const gain = (perItem * 1e6) / bytesPerItem;
    return {
      of: name,
      unit: "MB/s",
      gain,
      says: `${waits}, which waits for its link: one more MB/s to it would end the job ${seconds(gain)} sooner.`,
    };
  }
  const says = `${waits}: one more item/s there would end it ${seconds(perItem)} sooner.`;
  return { of: name, unit: "items/s", gain: perItem, says };
}

function isLimitedByUplink(
  shares: readonly PlanShare[],
  split: readonly SplitNode[],
  uplink: Uplink | undefined,
  last: PlanShare,
): boolean {
  if (!uplink) return false;
  const moves = new Set(split.filter((node) => node.moves).map(({ nodeId }) => nodeId));
  const moved = shares.reduce((sum, share) => sum + (moves.has(share.nodeId) ? share.items : 0), 0);
  return uplinkEndSeconds(uplink, moved) >= last.endSeconds;
}
