import type { NodePart, Presence } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";

/** A box of the roster as the leader sees it. */
export interface MembershipNode {
  nodeId: NodeId;
  name: string;
  part: NodePart;
  presence: Presence;
  /** For how long it has not been fresh; 0 while it is. */
  absentForMs: number;
  /** It follows the log, answers, and holds nearly all of it. */
  isCaughtUp: boolean;
}

export interface MembershipInput {
  /** The leader. */
  self: NodeId;
  /** In the order of admission. */
  roster: readonly MembershipNode[];
  /** Full ones and witnesses. */
  voters: readonly NodeId[];
  /** Those of the voters that are witnesses, be they off the roster by now. */
  witnesses: readonly NodeId[];
  learners: readonly NodeId[];
  /** Nodes that answer now, whether or not they are on the roster; the leader is one. */
  reachable: ReadonlySet<NodeId>;
  /** A change is under way, or the configuration is joint. */
  isChanging: boolean;
  /** Full voters at most. */
  votersMax: number;
  voterGoneAfterMs: number;
}

export interface MembershipStep {
  kind: "addVoter" | "addWitness" | "addLearner" | "remove";
  node: NodeId;
}

/** Steps that are taken together: more than one is one joint change. */
export interface MembershipChange {
  steps: MembershipStep[];
  /** A sentence's end: "cellar is gone, and dock has caught up". */
  because: string;
}

/** Away for so long that its seat is another's. The leader is never away to itself. */
export const isLost = ({ self, voterGoneAfterMs }: MembershipInput, node: MembershipNode): boolean =>
  node.nodeId !== self && node.presence === "gone" && node.absentForMs >= voterGoneAfterMs;
