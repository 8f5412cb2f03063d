import type { PlacementDecision } from "../../shared/decision.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { modelBytes } from "../../shared/model.ts";
import type { PlacedModel, PlacedOn, PlacementView } from "../../shared/placement.ts";
import type { Planning } from "../core/ledger/index.ts";

/** What was decided last, beside what the boxes report now. */
export function placementView(planning: Planning, nodes: readonly NodeView[]): PlacementView {
  const last = planning.placements.at(-1);
  const decided = last && decisionFrom(last.decisionJson);
  const models = [...planning.models].map(([pipeline, { manifest }]): PlacedModel => {
    const meant = new Set(last?.replicas.find((one) => one.pipeline === pipeline)?.nodes);
    const bytes = modelBytes(manifest);
    const demand = decided?.models.find((one) => one.pipeline === pipeline)?.demandPerSecond;
    return {
      pipeline,
      bytes,
      ...(demand !== undefined && { demandPerSecond: demand }),
      nodes: nodes.flatMap((node) => placedOn(node, pipeline, bytes, meant.has(node.nodeId)) ?? []),
    };
  });
  if (!decided) return { models };
  const { nodes: _nodes, models: _models, before, rules, replicas, ...decision } = decided;
  return { decision, models };
}

function placedOn(node: NodeView, pipeline: string, bytes: number, isMeant: boolean): PlacedOn | undefined {
  const { nodeId, name, report } = node;
  const known = report?.models?.find((one) => one.pipeline === pipeline);
  if (!known) return isMeant ? { nodeId, name, state: "waiting", fetched: 0 } : undefined;
  return {
    nodeId,
    name,
    state: isMeant ? known.state : "leaving",
    ...(known.reason !== undefined && { reason: known.reason }),
    fetched: bytes > 0 ? Math.min(1, known.bytesHere / bytes) : 1,
  };
}

/** An entry is checked to have text there, and not what the text says: one of a newer agent may say something else. */
export function decisionFrom(json: string): PlacementDecision | undefined {
  try {
    const decision = JSON.parse(json) as PlacementDecision;
    return decision.kind === "placement" && Array.isArray(decision.models) ? decision : undefined;
  } catch {
    return undefined;
  }
}
