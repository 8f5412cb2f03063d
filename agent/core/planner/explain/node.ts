import type { JobDecision, PlacementDecision } from "../../../../shared/decision.ts";
import type { ExplainQuestion, Explanation } from "../../../../shared/explanation.ts";
import type { NodeView } from "../../../../shared/fleet.ts";
import type { NodeId } from "../../../../shared/ids.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { deratingOf } from "../derating.ts";
import { askWhere } from "../placement/question.ts";
import { bytes, count, degrees, percent, rate } from "../words.ts";
import { whatIfJob } from "./job-what-if.ts";
import { whyNotJob } from "./job-why-not.ts";

export interface NodeMatter {
  node: NodeView;
  /** `name:version` of models that stand there, by the placement in force. */
  stands: readonly string[];
  /** The placement in force. */
  placement?: PlacementDecision;
  /** Of the jobs decided lately, the newest first. */
  jobs: readonly JobDecision[];
}

/**
 * What stands on a node, what it was given lately and why, and what limits it now. "Why not" and "what if" are asked of the
 * newest decision that it was part of. @throws NODE_UNKNOWN, BAD_REQUEST
 */
export function explainNode(
  { node, stands, placement, jobs }: NodeMatter,
  question: ExplainQuestion = {},
): Explanation {
  const { name, nodeId } = node;
  const given = jobs.filter((job) => job.nodes.some((one) => one.nodeId === nodeId)).slice(0, LIMITS.explainedJobsMax);
  const [newest] = given;
  return {
    of: "node",
    what: name,
    ...(newest && { decidedAtMs: newest.madeAtMs, term: newest.term }),
    says: [
      ...standing(stands, node),
      ...memoryText(placement, node),
      ...limits(node),
      ...given.map((job) => shareText(job, nodeId)),
    ],
    nodes: [],
    ...(newest && question.whyNot !== undefined && { whyNot: whyNotJob(newest, question.whyNot) }),
    ...(newest && question.whatIf && question.whatIf.length > 0 && { whatIf: whatIfJob(newest, question.whatIf) }),
  };
}

function standing(stands: readonly string[], { name, report }: NodeView): string[] {
  const rates = report?.rates.map(({ pipeline, itemsPerSecond, source }) => {
    const how = source === "work" ? "seen at work" : "by a run at its start";
    return `${pipeline} at ${rate(itemsPerSecond)} (${how})`;
  });
  const runs = rates && rates.length > 0 ? `It runs ${rates.join(", ")}.` : "It runs nothing yet.";
  if (stands.length === 0) return [`No model was placed on ${name}. ${runs}`];
  return [`On ${name} ${stands.length === 1 ? "stands" : "stand"} ${stands.join(", ")}. ${runs}`];
}

function memoryText(placement: PlacementDecision | undefined, { nodeId, name }: NodeView): string[] {
  if (!placement) return [];
  const { nodes, models, takes, memory } = askWhere(placement);
  const i = nodes.findIndex((node) => node.nodeId === nodeId);
  if (i < 0) return [];
  const taken = models.reduce((sum, { pipeline }, m) => {
    const isThere = placement.replicas.some((one) => one.pipeline === pipeline && one.nodes.includes(nodeId));
    return sum + (isThere ? takes[m * nodes.length + i]! : 0);
  }, 0);
  return [`Models could take ${bytes(memory[i]!)} on ${name} when that was decided, and were given ${bytes(taken)}.`];
}

/** As it is now: of a box, unlike of a job, people want to know what holds it back today. */
function limits({ report, presence, drained, role, name }: NodeView): string[] {
  if (role === "witness") return [`${name} only votes: it gets no work.`];
  const why = [
    ...(drained ? ["it is drained"] : []),
    ...(presence === "fresh" ? [] : [`it is ${presence}`]),
    ...(report ? [] : ["nothing was heard of it yet"]),
  ];
  if (!report) return [`${name} gets no work now: ${why.join(" and ")}.`];
  const { factor, because } = deratingOf(report);
  const { temperatureC } = report.vitals;
  const heat = temperatureC === undefined ? "it has no sensor of heat" : `it is at ${degrees(temperatureC)}`;
  const says =
    factor < 1
      ? `is counted at ${percent(factor)} of its speed, because ${because}`
      : `is counted at its whole speed; ${heat}`;
  return [...(why.length > 0 ? [`${name} gets no work now: ${why.join(" and ")}.`] : []), `${name} ${says}.`];
}

function shareText({ plan, jobId, items }: JobDecision, nodeId: NodeId): string {
  const share = plan.shares.find((one) => one.nodeId === nodeId);
  if (!share) return `${jobId}: it was not counted on.`;
  const got = share.items > 0 ? `${count(share.items)} of ${items}` : `none of ${count(items)}`;
  return `${jobId}: ${got}; ${share.reason}.`;
}
