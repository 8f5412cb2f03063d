import type { DrillFault } from "../../../shared/drill.ts";
import type { NodeRole } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";

/** One box as the one that coordinates the drill sees it. */
export interface DrillBox {
  nodeId: NodeId;
  name: string;
  role: NodeRole;
  /** Heard of lately, and linked. */
  isThere: boolean;
  /** Computes, so that its loss costs work. */
  computes: boolean;
  isDrained: boolean;
  /** Inputs and results of jobs of which no other box that is there holds a copy. */
  onlyCopies: number;
}

export interface DrillFleet {
  self: NodeId;
  leader: NodeId | undefined;
  boxes: readonly DrillBox[];
  voters: readonly NodeId[];
  /** Not empty while the fleet goes from one set of voters to another. */
  votersOutgoing: readonly NodeId[];
}

export interface Choice {
  victim: DrillBox;
  /** Who must lead before the fault: the box that coordinates does not harm itself. */
  leaderFirst?: DrillBox;
}

/** Whom the fault falls on; or why it must not be made now, as the end of a sentence. */
export function chooseVictim(fault: Exclude<DrillFault, "unplug">, fleet: DrillFleet): Choice | string {
  const notWhole = whyNotWhole(fleet);
  if (notWhole) return notWhole;
  const options = fault === "killLeader" ? leaders(fleet) : workers(fleet);
  if (options.length === 0) return "there is no other box that it could fall on";
  const refusals = options.map(({ victim }) => whyNotWithout(fleet, victim));
  const at = refusals.indexOf(undefined);
  return at < 0 ? refusals[0]! : options[at]!;
}

/** Boxes that a person must not unplug now, each with why; a sentence if none may be. */
export function whyNotUnplug(fleet: DrillFleet): ReadonlyMap<NodeId, string> | string {
  const notWhole = whyNotWhole(fleet);
  if (notWhole) return notWhole;
  const refusals = new Map<NodeId, string>();
  for (const box of fleet.boxes) {
    const reason = box.nodeId === fleet.self ? `${box.name} coordinates the drill` : whyNotWithout(fleet, box);
    if (reason) refusals.set(box.nodeId, reason);
  }
  return refusals.size < fleet.boxes.length ? refusals : [...refusals.values()].at(-1)!;
}

/** A drill tests one loss. While something is missing already it would be the second. */
function whyNotWhole({ boxes, voters, votersOutgoing, leader }: DrillFleet): string | undefined {
  if (votersOutgoing.length > 0) return "the fleet's membership is being changed";
  if (leader === undefined) return "nobody leads";
  const missing = boxes.filter(({ nodeId, isThere }) => voters.includes(nodeId) && !isThere).map(({ name }) => name);
  const unknown = voters.filter((nodeId) => !boxes.some((box) => box.nodeId === nodeId));
  const all = [...missing, ...unknown];
  return all.length === 0
    ? undefined
    : `${all.join(" and ")} cannot be reached, and a fault on top could cost the quorum`;
}

const leads = ({ role, isThere, isDrained }: DrillBox): boolean => role === "voter" && isThere && !isDrained;

/** The leader; if that is the box that coordinates, whoever takes the leadership from it. */
function leaders({ self, leader, boxes }: DrillFleet): Choice[] {
  const now = boxes.find(({ nodeId }) => nodeId === leader);
  if (now && now.nodeId !== self) return [{ victim: now }];
  const successors = boxes.filter((box) => box.nodeId !== self && leads(box));
  return successors.map((victim) => ({ victim, leaderFirst: victim }));
}

/** Boxes that compute and do not lead, those without a seat first; the leader itself only once this box has taken its place. */
function workers({ self, leader, boxes }: DrillFleet): Choice[] {
  const others = boxes.filter(
    ({ nodeId, role, isThere, computes }) => nodeId !== self && role !== "witness" && isThere && computes,
  );
  const plain = others.filter(({ nodeId }) => nodeId !== leader);
  const seatless = plain.filter(({ role }) => role !== "voter");
  const seated = plain.filter(({ role }) => role === "voter");
  const own = boxes.find(({ nodeId }) => nodeId === self);
  const fallen = own && leads(own) ? others.filter(({ nodeId }) => nodeId === leader) : [];
  return [
    ...[...seatless, ...seated].map((victim) => ({ victim })),
    ...fallen.map((victim) => ({ victim, leaderFirst: own! })),
  ];
}

/** A slow box, and one with a full disk, may be lost to the others as well, so every fault counts as a loss. */
function whyNotWithout({ voters, boxes }: DrillFleet, { nodeId, name, onlyCopies }: DrillBox): string | undefined {
  const left = boxes.filter((box) => box.isThere && box.nodeId !== nodeId && voters.includes(box.nodeId));
  const needed = Math.floor(voters.length / 2) + 1;
  if (left.length < needed)
    return `without ${name} only ${left.length} of ${voters.length} voters would be left, and ${needed} are needed`;
  if (!left.some(leads)) return `without ${name} no box would be left that can lead`;
  if (onlyCopies > 0) return `${name} holds the only copy of ${onlyCopies} inputs and results of jobs`;
  return undefined;
}
