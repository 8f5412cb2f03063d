import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState } from "../../../shared/raft.ts";
import type { MissingNode, Standing, Survivor } from "../../../shared/recovery.ts";

export interface RecoveryFacts {
  self: NodeId;
  /** The newest in this node's log. */
  conf: ConfState;
  /** Everyone who is connected, this node included. */
  survivors: readonly Survivor[];
  missing: readonly MissingNode[];
}

/** The furthest log first: by its last term, then by its length (Raft paper 5.4.1); between equal ones the order of ids. */
export function survivorsInOrder(survivors: readonly Survivor[]): Survivor[] {
  return [...survivors].sort(
    (a, b) => compareLogs(a.standing, b.standing) || (a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0),
  );
}

function compareLogs(a: Standing | undefined, b: Standing | undefined): number {
  if (!a?.keepsLog || !b?.keepsLog) return Number(b?.keepsLog ?? false) - Number(a?.keepsLog ?? false);
  return b.lastTerm - a.lastTerm || b.lastIndex - a.lastIndex;
}

/** Why the fleet is not to be recovered, or not from this node; undefined if it may be. */
export function refusalOf(facts: RecoveryFacts): SkeinError | undefined {
  const { self, conf, survivors, missing } = facts;
  const refuse = (reason: string, more: object = {}): SkeinError =>
    new SkeinError("RECOVERY_REFUSED", { reason, ...more });
  const leader = survivors.find((node) => node.standing?.leads);
  if (leader) return refuse(`${leader.name} leads it, so nothing needs to be recovered`, { leader: leader.nodeId });
  const isReachable = (nodeId: NodeId): boolean => survivors.some((node) => node.nodeId === nodeId);
  const halves = [conf.voters, conf.votersOutgoing].filter((half) => half.length > 0);
  if (halves.length > 0 && halves.every((half) => half.filter(isReachable).length > half.length / 2))
    return refuse("a quorum of its voters is reachable and will elect a leader by itself");
  if (missing.length === 0) return refuse("nobody of its roster is missing");
  const silent = survivors.filter((node) => !node.standing);
  if (silent.length > 0) {
    const names = silent.map((node) => node.name).join(", ");
    return refuse(`${names} is connected but did not say how far its log goes; let it answer, or switch it off`);
  }
  const [furthest] = survivorsInOrder(survivors);
  if (!furthest?.standing?.keepsLog) return refuse("no box that is reachable has the fleet's log");
  const own = survivors.find((node) => node.nodeId === self)?.standing;
  if (!own || compareLogs(own, furthest.standing) !== 0)
    return refuse(`the log of ${furthest.name} goes further than this box's; run it there`, { runOn: furthest.nodeId });
  return undefined;
}
