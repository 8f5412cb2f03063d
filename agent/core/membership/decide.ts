import type { NodeId } from "../../../shared/ids.ts";
import {
  isLost,
  type MembershipChange,
  type MembershipInput,
  type MembershipNode,
  type MembershipStep,
} from "./input.ts";
import { votersNext } from "./voters.ts";

/**
 * The next change towards the fleet as it should be, or undefined if it is so or nothing can be done now. Followed until
 * it says no more, it comes to rest: every change removes one of a finite number of reasons for change, and a box that is
 * only late for a moment is no reason.
 */
export function decideMembership(input: MembershipInput): MembershipChange | undefined {
  if (input.isChanging) return undefined;
  return strayLearner(input) ?? votersNext(input) ?? learnersNext(input);
}

/** Takes no vote away, so it needs no thought. */
function strayLearner({ learners, roster }: MembershipInput): MembershipChange | undefined {
  const stray = learners.find((nodeId) => !roster.some((node) => node.nodeId === nodeId));
  return stray && { steps: [{ kind: "remove", node: stray }], because: "a learner is off the roster" };
}

/**
 * Learners are voters to be: as many as there are seats, free ones and those of voters that are gone. Whoever has no seat
 * before it gets no log.
 */
function learnersNext(input: MembershipInput): MembershipChange | undefined {
  const { roster, voters, votersMax } = input;
  const full = roster.filter((node) => node.part === "full");
  const seated = full.filter((node) => voters.includes(node.nodeId));
  const gone = seated.filter((node) => isLost(input, node));
  const seats = Math.max(0, votersMax - seated.length) + gone.length;
  const learners = roster.filter((node) => input.learners.includes(node.nodeId));
  if (learners.length > seats) {
    const [last] = learners.toReversed().sort((a, b) => worth(a) - worth(b));
    return last && change("remove", last, "no voter's seat is open");
  }
  if (learners.filter((node) => node.presence !== "gone").length >= seats) return undefined;
  const next = full.find((node) => node.presence === "fresh" && !isMember(input, node.nodeId));
  if (!next) return undefined;
  // One that is gone makes room for one that is there: the configuration never holds more learners than seats.
  const lost = learners.length === seats && learners.find((node) => node.presence === "gone");
  return lost
    ? change("remove", lost, `it is gone, and ${next.name} is there`)
    : change("addLearner", next, gone[0] ? `${gone[0].name} is gone` : "a voter's seat is open");
}

const worth = (node: MembershipNode): number => (node.presence === "gone" ? 0 : node.isCaughtUp ? 2 : 1);

const isMember = ({ voters, learners }: MembershipInput, nodeId: NodeId): boolean =>
  voters.includes(nodeId) || learners.includes(nodeId);

const change = (kind: MembershipStep["kind"], node: MembershipNode, because: string): MembershipChange => ({
  steps: [{ kind, node: node.nodeId }],
  because: `${node.name}: ${because}`,
});
