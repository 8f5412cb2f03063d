import type { PlacementDecision, PlacementNode, Replicas } from "../../../../shared/decision.ts";
import type { ExplainedChange } from "../../../../shared/explanation.ts";
import type { Candidate } from "../placement/greedy.ts";
import { askWhere, type Question } from "../placement/question.ts";
import { bytes, percent } from "../words.ts";
import { type Change, type Changed, changedBy, likeNode, nodeNamed } from "./changes.ts";
import { best, type PlacementMatter, shareOf } from "./model-matter.ts";

/**
 * Placed again from what was known then, with these changes: by the greedy rule, or as it stood where that is better still.
 * @throws NODE_UNKNOWN, BAD_REQUEST
 */
export function whatIfModel(
  { decision, pipeline, placed }: PlacementMatter,
  texts: readonly string[],
): ExplainedChange {
  const { nodes, changes, notes, withThese } = changedBy(decision.nodes, texts, changed);
  const question = askWhere({ ...decision, nodes, before: decision.replicas });
  const again = best(question);
  const before = shareOf(placed);
  const after = shareOf(again);
  return {
    changes,
    before,
    after,
    unit: "share",
    says: [`${withThese} ${outcome(before, after)}`, ...whereText(decision, pipeline, question, again), ...notes],
    nodes: placesOf(decision, pipeline, question, again),
  };
}

function changed(
  nodes: readonly PlacementNode[],
  change: Change,
  { known, newId, notes }: Changed<PlacementNode>,
): PlacementNode[] {
  switch (change.kind) {
    case "add": {
      const like = likeNode(
        known,
        change.like,
        (node) => node.class,
        (node) => node.executors,
      );
      notes.push(
        `The added box is taken to be like ${like.name}: ${bytes(like.memoryForModelsBytes)} for models, and as fast.`,
      );
      const { failed: _, whyNot: __, rests: ___, deratedBecause: ____, labels: _____, ...rest } = like;
      return [...nodes, { ...rest, nodeId: newId, name: `another ${like.name}`, derating: 1, eligible: true }];
    }
    case "remove": {
      const { nodeId } = nodeNamed(nodes, change.node);
      return nodes.filter((node) => node.nodeId !== nodeId);
    }
    case "memory": {
      const node = nodeNamed(nodes, change.node);
      notes.push(
        `${node.name} then has ${bytes(change.bytes)} for models instead of ${bytes(node.memoryForModelsBytes)}.`,
      );
      return nodes.map((one) => (one === node ? { ...one, memoryForModelsBytes: change.bytes } : one));
    }
  }
}

function outcome(before: number, after: number): string {
  if (before === 0 || Math.abs(after / before - 1) < 0.005) return "every model would be served as much as before.";
  const change = after / before - 1;
  return `every model could be served ${percent(Math.abs(change))} ${change > 0 ? "more" : "less"}: ${after.toFixed(2)} times what is asked of it, at least, instead of ${before.toFixed(2)}.`;
}

function whereText(decision: PlacementDecision, pipeline: string, question: Question, again: Candidate): string[] {
  const moved = placesOf(decision, pipeline, question, again);
  const come = moved.filter((one) => one.after > one.before).map(({ name }) => name);
  const gone = moved.filter((one) => one.after < one.before).map(({ name }) => name);
  if (come.length === 0 && gone.length === 0) return [`${pipeline} would stand where it stands.`];
  const parts = [
    ...(come.length > 0 ? [`come to ${come.join(", ")}`] : []),
    ...(gone.length > 0 ? [`leave ${gone.join(", ")}`] : []),
  ];
  return [`${pipeline} would ${parts.join(" and ")}.`];
}

function placesOf(
  decision: PlacementDecision,
  pipeline: string,
  { models, nodes }: Question,
  { placed }: Candidate,
): ExplainedChange["nodes"] {
  const m = models.findIndex((model) => model.pipeline === pipeline);
  const was = new Set(decision.replicas.find((one: Replicas) => one.pipeline === pipeline)?.nodes);
  const gone = decision.nodes.filter(({ nodeId }) => !nodes.some((node) => node.nodeId === nodeId));
  const now = nodes.map((node, i) => ({ node, after: placed[m * nodes.length + i] === 1 ? 1 : 0 }));
  return [...now, ...gone.map((node) => ({ node, after: 0 }))]
    .map(({ node, after }) => ({ name: node.name, before: was.has(node.nodeId) ? 1 : 0, after }))
    .filter((one) => one.before > 0 || one.after > 0);
}
