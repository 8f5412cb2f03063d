import type { PlanWay, Way } from "../../../shared/plan.ts";
import { bestSingle, latest, type SplitNode, splitWhole, type Uplink } from "./split.ts";

/** A way to do a job, worked out. */
export interface WorkedWay extends PlanWay {
  counts: ReadonlyMap<string, number>;
}

/** Ways that end within this of each other are the same; the simpler one is taken. */
const SAME = 1e-9;

/**
 * Whole on the best node, over the nodes that have the inputs, and over all that pay, the simplest first. The last is
 * never slower than the others, which are splits too; it is taken only where it is faster. `nodes` is not empty.
 */
export function waysOf(
  items: number,
  nodes: readonly SplitNode[],
  uplink: Uplink | undefined,
  nameOf: (nodeId: string) => string,
): { ways: WorkedWay[]; chosen: WorkedWay } {
  const worked = (way: Way, counts: ReadonlyMap<string, number>): WorkedWay => {
    const used = [...counts.values()].filter((count) => count > 0).length;
    return { way, seconds: latest(nodes, counts, uplink), nodes: used, counts };
  };
  const single = bestSingle(items, nodes, uplink);
  const one = { ...worked("one", new Map([[single.nodeId, items]])), name: nameOf(single.nodeId) };
  const ways: WorkedWay[] = [one];
  const holders = nodes.filter((node) => !node.moves);
  if (holders.length > 0 && holders.length < nodes.length) ways.push(worked("stay", splitWhole(items, holders)));
  ways.push(worked("split", splitWhole(items, nodes, uplink)));
  const least = Math.min(...ways.map(({ seconds }) => seconds));
  return { ways, chosen: ways.find(({ seconds }) => seconds * (1 - SAME) <= least)! };
}
