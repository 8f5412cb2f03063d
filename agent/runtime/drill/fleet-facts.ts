import type { NodeView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { DrillBox, DrillFleet } from "../../core/drill/index.ts";
import type { DrillParts } from "./parts.ts";

/** The fleet as a drill judges it, from what this node knows now. */
export function fleetFacts(self: NodeId, { standing, ledger, nodes }: DrillParts): DrillFleet {
  const { conf, leader } = standing.status();
  const views = nodes();
  const there = new Set(views.filter(isThere).map(({ nodeId }) => nodeId));
  const onlyCopies = countOnlyCopies(ledger.holders, there);
  const boxes = views.map(
    (node): DrillBox => ({
      nodeId: node.nodeId,
      name: node.name,
      role: node.role,
      isThere: there.has(node.nodeId),
      computes: (node.report?.executors ?? 0) > 0,
      isDrained: node.drained === true,
      onlyCopies: onlyCopies.get(node.nodeId) ?? 0,
    }),
  );
  return { self, leader, boxes, voters: conf.voters, votersOutgoing: conf.votersOutgoing };
}

export const isThere = ({ isSelf, presence, link }: NodeView): boolean =>
  isSelf || (presence === "fresh" && link?.state === "up");

/** Blobs of jobs that one box alone holds of those that are there, counted for that box. */
function countOnlyCopies(
  holders: Iterable<readonly [unknown, ReadonlySet<NodeId>]>,
  there: ReadonlySet<NodeId>,
): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const [, nodes] of holders) {
    const live = [...nodes].filter((nodeId) => there.has(nodeId));
    if (live.length === 1) counts.set(live[0]!, (counts.get(live[0]!) ?? 0) + 1);
  }
  return counts;
}
