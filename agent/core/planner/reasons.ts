import type { JobCandidate } from "../../../shared/decision.ts";
import { endSeconds } from "../../../shared/item-ends.ts";
import type { Plan, PlanWay, Way } from "../../../shared/plan.ts";
import type { SplitNode } from "./split.ts";
import { byteRate, count, percent, rate, seconds } from "./words.ts";

interface Whole {
  items: number;
  fleetRate: number;
  expectedSeconds: number;
  chosen: Way;
}

/** Why a node that can take work got what it got. */
export function reasonFor(
  node: JobCandidate,
  split: SplitNode,
  share: number,
  whole: Whole,
  bytesPerItem: number,
): string {
  const told = [
    `measured ${rate(node.itemsPerSecond)}, ${percent(split.itemsPerSecond / whole.fleetRate)} of the fleet${heat(node)}`,
    ...later(node, split),
    ...transfer(node, split, bytesPerItem),
  ].join("; ");
  if (share > 0 || whole.items === 0) return told;
  const alone = endSeconds(split, 1);
  if (alone >= whole.expectedSeconds)
    return `${told}; even one item would end there after ${seconds(alone)}, when the whole job is done after ${seconds(whole.expectedSeconds)}`;
  return `${told}; a share here would not end the job sooner`;
}

const heat = ({ derating, deratedBecause }: JobCandidate): string =>
  derating === 1 ? "" : `; ${percent(derating)} of it is counted on, because ${deratedBecause ?? "of heat or battery"}`;

function later(node: JobCandidate, split: SplitNode): string[] {
  const causes: string[] = [];
  if (node.itemsQueued > 0)
    causes.push(`${count(node.itemsQueued)} ${node.itemsQueued === 1 ? "waits" : "wait"} there`);
  if (node.handOverMs > 0) causes.push(`handing over takes ${seconds(node.handOverMs / 1_000)}`);
  if (causes.length === 0) return [];
  return [`starts ${seconds(split.startSeconds)} later because ${causes.join(" and ")}`];
}

function transfer({ linkBytesPerSecond, holdsInputs }: JobCandidate, split: SplitNode, bytesPerItem: number): string[] {
  if (holdsInputs || bytesPerItem === 0) return [];
  if (split.transferSeconds === 0) return ["its link was not measured yet"];
  const link = `each input takes ${seconds(split.transferSeconds)} over its link of ${byteRate(linkBytesPerSecond ?? 0)}`;
  return [split.transferSeconds * split.itemsPerSecond > 1 ? `${link}, slower than it computes` : link];
}

export function summaryOf(
  plan: Pick<
    Plan,
    "shares" | "expectedSeconds" | "singleBestSeconds" | "keptWhole" | "boundSeconds" | "ways" | "chosen"
  >,
  items: number,
  ableCount: number,
): string {
  const first = plan.shares[0];
  if (!first || ableCount === 0) return `No node can take work now, so ${count(items)} wait.`;
  if (items === 0) return "Nothing is left to hand out.";
  const end = seconds(plan.expectedSeconds);
  if (ableCount === 1)
    return `${count(items)} on ${first.name}, the only node that can take work now; expected to end after ${end}.`;
  if (plan.keptWhole)
    return `${count(items)} kept whole on ${first.name}, which ends them after ${end}: sharing them would not end sooner.`;
  const used = plan.shares.filter((share) => share.items > 0);
  const gain = (plan.singleBestSeconds / plan.expectedSeconds).toFixed(1);
  const above = percent(plan.expectedSeconds / plan.boundSeconds - 1);
  return (
    `${count(items)} over ${used.length} nodes${unmoved(plan.chosen)}, expected to end after ${end}; the best single node would need ` +
    `${seconds(plan.singleBestSeconds)} (${gain} times as long)${stay(plan.chosen, plan.ways)}. ` +
    `That is ${above} above the bound for work that splits freely.`
  );
}

const unmoved = (chosen: Way): string =>
  chosen === "stay" ? " that have the inputs, since moving them would not end sooner" : "";

function stay(chosen: Way, ways: readonly PlanWay[]): string {
  const still = ways.find(({ way }) => way === "stay");
  return chosen === "split" && still ? `, and not moving the inputs ${seconds(still.seconds)}` : "";
}
