import type { NodeView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { fleetSettings } from "../../../shared/settings.ts";
import type { DrillBox, DrillFleet } from "../../core/drill/index.ts";
import { copiesOwed } from "../../core/replication/index.ts";
import type { DrillParts } from "./parts.ts";

/** The fleet as a drill judges it, from what this node knows now. */
export function fleetFacts(self: NodeId, { standing, ledger, nodes, places }: DrillParts): DrillFleet {
  const { conf, leader } = standing.status();
  const placed = places();
  const wanted = fleetSettings(ledger.settings).copies;
  const boxes = nodes().map(
    (node): DrillBox => ({
      nodeId: node.nodeId,
      name: node.name,
      role: node.role,
      isThere: isThere(node),
      computes: (node.report?.executors ?? 0) > 0,
      isDrained: node.drained === true,
      onlyCopies: copiesOwed({ holders: ledger.holders, places: placed, wanted, node: node.nodeId }).onlyHere,
    }),
  );
  return { self, leader, boxes, voters: conf.voters, votersOutgoing: conf.votersOutgoing };
}

export const isThere = ({ isSelf, presence, link }: NodeView): boolean =>
  isSelf || (presence === "fresh" && link?.state === "up");
