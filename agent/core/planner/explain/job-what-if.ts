import type { JobCandidate, JobDecision } from "../../../../shared/decision.ts";
import type { ExplainedChange } from "../../../../shared/explanation.ts";
import type { NodeId } from "../../../../shared/ids.ts";
import type { Plan } from "../../../../shared/plan.ts";
import { planJob } from "../plan-job.ts";
import { rate, seconds } from "../words.ts";
import { type Change, type Changed, changedBy, likeNode, nodeNamed } from "./changes.ts";

/** The job planned again from what was known then, with these changes. @throws NODE_UNKNOWN, BAD_REQUEST */
export function whatIfJob(decision: JobDecision, texts: readonly string[]): ExplainedChange {
  const { nodes, changes, notes, withThese } = changedBy(decision.nodes, texts, changed);
  const again = { ...decision, nodes, nowMs: decision.madeAtMs };
  const { plan: before } = decision;
  const after = planJob(again);
  return {
    changes,
    before: before.expectedSeconds,
    after: after.expectedSeconds,
    unit: "s",
    says: [`${withThese} ${outcome(before, after)}`, ...notes],
    nodes: sharesOf(before, after),
  };
}

function changed(
  nodes: readonly JobCandidate[],
  change: Change,
  { known, newId, notes }: Changed<JobCandidate>,
): JobCandidate[] {
  switch (change.kind) {
    case "add": {
      const like = likeNode(
        known,
        change.like,
        ({ profile }) => profile,
        (node) => node.itemsPerSecond,
      );
      notes.push(addedText(change.like, like));
      return [...nodes, added(like, nodes, newId)];
    }
    case "remove": {
      const { nodeId } = nodeNamed(nodes, change.node);
      return nodes.filter((node) => node.nodeId !== nodeId);
    }
    case "memory": {
      const node = nodeNamed(nodes, change.node);
      notes.push(
        `Memory has no part in how a job is split: it decides where the model stands, which \`skein explain\` tells of the model.${
          node.itemsPerSecond > 0 ? "" : ` ${node.name} had no speed on this pipeline, perhaps because it did not fit.`
        }`,
      );
      return nodes.map((one) => (one === node ? { ...one, memoryFreeBytes: change.bytes } : one));
    }
  }
}

/** A box like that one, which nothing waits for and nothing has heated yet. It does not have the inputs. */
function added(like: JobCandidate, nodes: readonly JobCandidate[], nodeId: NodeId): JobCandidate {
  const { deratedBecause: _, whyNot: __, temperatureC: ___, ...rest } = like;
  const links = nodes.flatMap(({ linkBytesPerSecond }) => linkBytesPerSecond ?? []).sort((a, b) => a - b);
  const link = like.linkBytesPerSecond ?? links[links.length >> 1];
  return {
    ...rest,
    nodeId,
    name: `another ${like.name}`,
    derating: 1,
    itemsQueued: 0,
    holdsInputs: false,
    ...(link !== undefined && { linkBytesPerSecond: link }),
    eligible: true,
  };
}

function addedText(asked: string, like: JobCandidate): string {
  const speed = `taken to do ${rate(like.itemsPerSecond)}, as ${like.name} was measured to`;
  return `${asked === like.name ? "The added box" : `The added ${asked}`} is ${speed}, with nothing waiting and no inputs there.`;
}

function outcome(before: Plan, after: Plan): string {
  if (after.expectedSeconds === 0) return lower(after.summary);
  if (before.expectedSeconds === 0) return lower(after.summary);
  const sooner = before.expectedSeconds - after.expectedSeconds;
  const end = `the job would have been expected to end after ${seconds(after.expectedSeconds)} instead of ${seconds(before.expectedSeconds)}`;
  if (Math.abs(sooner) < 1e-6 * before.expectedSeconds) return "the job would have ended no sooner and no later.";
  return `${end}: ${seconds(Math.abs(sooner))} ${sooner > 0 ? "sooner" : "later"}.`;
}

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function sharesOf(before: Plan, after: Plan): ExplainedChange["nodes"] {
  const itemsIn = (plan: Plan, nodeId: NodeId): number => plan.shares.find((one) => one.nodeId === nodeId)?.items ?? 0;
  const all = [
    ...after.shares,
    ...before.shares.filter(({ nodeId }) => !after.shares.some((one) => one.nodeId === nodeId)),
  ];
  return all
    .map(({ nodeId, name }) => ({ name, before: itemsIn(before, nodeId), after: itemsIn(after, nodeId) }))
    .filter((one) => one.before > 0 || one.after > 0);
}
