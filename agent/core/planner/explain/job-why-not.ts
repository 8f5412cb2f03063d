import type { JobCandidate, JobDecision } from "../../../../shared/decision.ts";
import { endSeconds } from "../../../../shared/item-ends.ts";
import type { PlanShare } from "../../../../shared/plan.ts";
import { obstacle, splitOf } from "../plan-job.ts";
import type { SplitNode } from "../split.ts";
import { count, percent, rate, seconds } from "../words.ts";
import { nodeNamed } from "./changes.ts";

/** Why a node got no more of a job, or nothing. @throws NODE_UNKNOWN */
export function whyNotJob(decision: JobDecision, text: string): { node: string; says: string[] } {
  const node = nodeNamed(decision.nodes, text);
  const share = decision.plan.shares.find(({ nodeId }) => nodeId === node.nodeId);
  const split = splitOf(decision).split.find(({ nodeId }) => nodeId === node.nodeId);
  if (!split) return { node: node.name, says: [`${node.name} ${obstacle(node)}.`] };
  const says = share && share.items > 0 ? noMore(decision, share, split) : nothing(decision, node, split);
  return { node: node.name, says };
}

function noMore({ plan, items }: JobDecision, share: PlanShare, split: SplitNode): string[] {
  const more = endSeconds(split, share.items + 1);
  return [
    `${share.name} got ${count(share.items)} of ${items} (${percent(share.items / items)}): ${share.reason}.`,
    more > plan.expectedSeconds
      ? `One more would have ended there after ${seconds(more)}, later than the whole job after ${seconds(plan.expectedSeconds)}.`
      : "One more there would have ended in time, and the job no sooner for it.",
  ];
}

/** What stood in its way, each in seconds, and how fast it would have had to be. */
function nothing({ plan, bytesPerItem }: JobDecision, node: JobCandidate, split: SplitNode): string[] {
  const { name } = node;
  const end = plan.expectedSeconds;
  const alone = endSeconds(split, 1);
  const run = split.executors / split.itemsPerSecond;
  const parts = [
    ...(node.handOverMs > 0 ? [`${seconds(node.handOverMs / 1_000)} to hand it over`] : []),
    ...(node.itemsQueued > 0
      ? [`${seconds(node.itemsQueued / split.itemsPerSecond)} for the ${count(node.itemsQueued)} that waited there`]
      : []),
    ...(split.transferSeconds > 0 ? [`${seconds(split.transferSeconds)} for its input to come`] : []),
    `${seconds(run)} to run`,
  ];
  const needs = `Its first item would have taken ${seconds(alone)}: ${parts.join(", ")}.`;
  if (alone < end) return [needs, `The job ended after ${seconds(end)} without it, and no sooner with it.`];
  const left = end - (alone - run);
  const heat =
    node.derating < 1 ? ` It is counted at ${percent(node.derating)} of its speed: ${node.deratedBecause}.` : "";
  if (left <= 0)
    return [
      `${needs}${heat}`,
      `Before it could have begun to run, the whole job was to be done, after ${seconds(end)}.`,
    ];
  const speed = split.executors / left;
  const link = bytesPerItem > 0 && split.transferSeconds > run ? " or a faster link" : "";
  return [
    `${needs}${heat}`,
    `The whole job was to be done after ${seconds(end)}. ${name} would have had to do ${rate(speed)} instead of ${rate(split.itemsPerSecond)} to get one item${link}.`,
  ];
}
