import type { JobCandidate, JobDecision } from "../../../../shared/decision.ts";
import type {
  ExplainedBound,
  ExplainedNode,
  ExplainedWay,
  ExplainQuestion,
  Explanation,
} from "../../../../shared/explanation.ts";
import type { PlanShare } from "../../../../shared/plan.ts";
import { percent, seconds } from "../words.ts";
import { jobPrice } from "./job-price.ts";
import { whatIfJob } from "./job-what-if.ts";
import { whyNotJob } from "./job-why-not.ts";

/**
 * Why a job was split as it was, from what was known then.
 * @throws NODE_UNKNOWN, BAD_REQUEST for a question about what the decision does not know
 */
export function explainJob(decision: JobDecision, question: ExplainQuestion = {}): Explanation {
  const { plan, jobId, madeAtMs, term } = decision;
  const ways = plan.ways.map((one): ExplainedWay => {
    const { way, seconds: took } = one;
    return { way, isChosen: way === plan.chosen, seconds: took, says: wayText(one, decision) };
  });
  const binding = jobPrice(decision);
  const bound = boundOf(decision);
  const runnerUp = runnerUpOf(decision);
  const says = [
    plan.summary,
    ...(decision.form !== undefined ? [`How its items go: ${decision.form}.`] : []),
    ...(binding ? [binding.says] : []),
    ...(runnerUp ? [runnerUp] : []),
    ...leftOut(decision),
  ];
  return {
    of: "job",
    what: jobId,
    decidedAtMs: madeAtMs,
    term,
    says,
    nodes: plan.shares.map((share) => explained(share, decision)),
    ways,
    ...(binding && { binding }),
    ...(bound && { bound }),
    ...(runnerUp && { runnerUp }),
    ...(question.whyNot !== undefined && { whyNot: whyNotJob(decision, question.whyNot) }),
    ...(question.whatIf && question.whatIf.length > 0 && { whatIf: whatIfJob(decision, question.whatIf) }),
  };
}

function explained(share: PlanShare, { nodes }: JobDecision): ExplainedNode {
  const candidate = nodes.find(({ nodeId }) => nodeId === share.nodeId);
  const { nodeId, name, items, reason, derating, itemsPerSecond } = share;
  const { computeSeconds, transferSeconds, queueSeconds, handOverSeconds, endSeconds } = share;
  const terms = { computeSeconds, transferSeconds, queueSeconds, handOverSeconds, endSeconds };
  return {
    nodeId,
    name,
    isUsed: items > 0,
    because: reason,
    figures: { items, itemsPerSecond, derating, ...(endSeconds > 0 && terms), ...conditionOf(candidate) },
  };
}

const conditionOf = (candidate: JobCandidate | undefined) => ({
  ...(candidate && { memoryFreeBytes: candidate.memoryFreeBytes }),
  ...(candidate?.temperatureC !== undefined && { temperatureC: candidate.temperatureC }),
});

function wayText(way: JobDecision["plan"]["ways"][number], { plan }: JobDecision): string {
  const what = {
    one: `whole on ${way.name}`,
    stay: `over ${way.nodes === 1 ? "the node" : `the ${way.nodes} nodes`} that had the inputs`,
    split: `over ${way.nodes === 1 ? "one node" : `${way.nodes} nodes`}`,
  }[way.way];
  const later = way.seconds - plan.expectedSeconds;
  if (way.way === plan.chosen) return `${what}: ${seconds(way.seconds)}, taken`;
  return `${what}: ${seconds(way.seconds)}, ${isSame(later, plan.expectedSeconds) ? "no sooner" : `${seconds(later)} later`}`;
}

const isSame = (difference: number, of: number): boolean => difference <= 1e-6 * Math.max(1e-6, of);

function boundOf(decision: JobDecision): ExplainedBound | undefined {
  const { expectedSeconds: value, boundSeconds: bound } = decision.plan;
  if (bound <= 0) return undefined;
  const gap = value / bound - 1;
  const by = `work that splits freely over these nodes would end after ${seconds(bound)}`;
  const says = isSame(value - bound, bound)
    ? `No split could end sooner: ${by}.`
    : `No split could end more than ${seconds(value - bound)} (${percent(gap)}) sooner: ${by}.`;
  return { value, bound, gap, unit: "s", says };
}

/** The best of what was not taken. */
function runnerUpOf({ plan, items }: JobDecision): string | undefined {
  const others = plan.ways.filter(({ way }) => way !== plan.chosen).sort((a, b) => a.seconds - b.seconds);
  const [next] = others;
  if (!next || items === 0) return undefined;
  const what = {
    one: `keeping it whole on ${next.name}`,
    stay: "not moving the inputs",
    split: "sharing it over more nodes",
  }[next.way];
  const later = next.seconds - plan.expectedSeconds;
  if (isSame(later, plan.expectedSeconds)) return `The next best, ${what}, would have ended no sooner.`;
  return `The next best, ${what}, would have ended ${seconds(later)} later.`;
}

const leftOut = ({ nodesLeftOut }: JobDecision): string[] =>
  nodesLeftOut === 0 ? [] : [`${nodesLeftOut} more nodes that mattered least were not kept in the record of this.`];
