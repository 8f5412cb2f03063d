/** What a leader is asked to change in the fleet: its members, and who leads. */
import type { NodeId } from "../../../shared/ids.ts";
import type { LogIndex, Term } from "../../../shared/raft.ts";
import { type ConfChange, changeConf, isFullVoter } from "./confchange.ts";
import { send } from "./messages.ts";
import { appendConf, hasCommittedInTerm, sendAppend } from "./replication.ts";
import type { RaftState } from "./state.ts";

export type ConfChangeAnswer =
  | { accepted: true; index: LogIndex; term: Term }
  | { accepted: false; reason: "notLeader" | "pending" | "noCommitInTerm" | "invalid"; detail?: string };

export function proposeConfChange(state: RaftState, change: ConfChange): ConfChangeAnswer {
  if (state.role !== "leader") return { accepted: false, reason: "notLeader" };
  // Two leaders' uncommitted changes could have quorums that do not meet; an entry of the own term rules out the other.
  if (!hasCommittedInTerm(state)) return { accepted: false, reason: "noCommitInTerm" };
  if (state.log.confPending || state.transferee) return { accepted: false, reason: "pending" };
  const outcome = changeConf(state.log.conf, change);
  if ("invalid" in outcome) return { accepted: false, reason: "invalid", detail: outcome.invalid };
  return { accepted: true, index: appendConf(state, outcome.conf), term: state.term };
}

/** Begins to hand over (thesis 3.10). Nothing is proposed meanwhile; after one election timeout it is given up. */
export function transferLeadership(state: RaftState, to: NodeId): boolean {
  if (state.role !== "leader" || to === state.id || !isFullVoter(state.log.conf, to)) return false;
  if (state.transferee === to) return true;
  const peer = state.peers.get(to)!;
  state.transferee = to;
  state.electionElapsed = 0;
  if (peer.match === state.log.last) send(state, "timeoutNow", to);
  else sendAppend(state, to, peer, true);
  return true;
}
