/** Elections: PreVote (thesis 9.6), votes, and the stickiness that keeps a live leader in office (thesis 4.2.3). */
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { isFullVoter, isVoter, votersOf } from "./confchange.ts";
import { becomeLeader } from "./leading.ts";
import { isTransfer, send, transferContext } from "./messages.ts";
import { voteResult } from "./quorum.ts";
import { becomeCandidate, becomeFollower, becomePreCandidate } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { allowMoreTime } from "./timing.ts";

export function tickElection(state: RaftState): void {
  state.electionElapsed += 1;
  // A node that may not stand goes on counting: its patience with a silent leader must end too, or it would never vote.
  if (state.electionElapsed < state.electionTimeout || !mayCampaign(state)) return;
  if (state.role === "candidate") allowMoreTime(state);
  campaign(state);
}

/** Asks for pre-votes, if this node may stand at all. */
export function campaign(state: RaftState): void {
  if (state.role === "leader" || !mayCampaign(state)) return;
  becomePreCandidate(state);
  // It promises nothing, so it counts at once; outside the configuration it counts nowhere.
  state.votes.set(state.id, true);
  for (const voter of votersOf(state.log.conf)) {
    if (voter === state.id) continue;
    send(state, "preVoteRequest", voter, { term: state.term + 1, index: state.log.last, logTerm: state.log.lastTerm });
  }
  countVotes(state);
}

/** A real election. The own vote counts when it is on disk, and the requests leave then. */
export function standForElection(state: RaftState, transfer: boolean): void {
  becomeCandidate(state);
  const context = transfer ? transferContext() : new Uint8Array(0);
  for (const voter of votersOf(state.log.conf)) {
    if (voter === state.id) continue;
    send(state, "voteRequest", voter, { index: state.log.last, logTerm: state.log.lastTerm, context });
  }
}

/** The old leader hands over: no pre-vote, and the voters do not hold on to it. */
export function takeOver(state: RaftState): void {
  if (mayCampaign(state)) standForElection(state, true);
}

/** Own term and vote are on disk. */
export function ownVoteDurable(state: RaftState): void {
  if (state.votes.has(state.id)) return;
  state.votes.set(state.id, true);
  countVotes(state);
}

/** A request that a live leader makes pointless: answering would let a node that lost its link unseat it. */
export function holdsToLeader(state: RaftState, message: RaftMessage): boolean {
  if (message.type !== "voteRequest" && message.type !== "preVoteRequest") return false;
  return state.leader !== undefined && state.electionElapsed < state.electionTicks && !isTransfer(message);
}

export function takeVoteRequest(state: RaftState, message: RaftMessage): void {
  const isPreVote = message.type === "preVoteRequest";
  const type = isPreVote ? "preVoteResponse" : "voteResponse";
  const free =
    state.vote === message.from ||
    (state.vote === "" && state.leader === undefined) ||
    (isPreVote && message.term > state.term);
  if (!free || !state.log.isUpToDate(message.index, message.logTerm)) {
    send(state, type, message.from, { reject: true });
    return;
  }
  // The answer to a pre-vote names the term asked for: its sender is not in that term yet, and neither are we.
  send(state, type, message.from, { term: message.term });
  if (isPreVote) {
    if (state.role === "preCandidate" && yieldsTo(state, message)) becomeFollower(state, state.term, undefined);
    return;
  }
  state.electionElapsed = 0;
  state.vote = message.from;
}

/**
 * Survivors that miss their leader in the same instant would all win the pre-vote and then split the votes. The better
 * log goes on, or between equal ones the larger id; the others have lost one attempt, not the next.
 */
function yieldsTo({ id, log }: RaftState, { from, index, logTerm }: RaftMessage): boolean {
  return logTerm !== log.lastTerm || index !== log.last || from > id;
}

export function takeVoteResponse(state: RaftState, message: RaftMessage): void {
  const expected = state.role === "preCandidate" ? "preVoteResponse" : "voteResponse";
  if (message.type !== expected || (state.role !== "preCandidate" && state.role !== "candidate")) return;
  // A grant of an earlier round of pre-votes.
  if (state.role === "preCandidate" && !message.reject && message.term !== state.term + 1) return;
  recordVote(state, message.from, !message.reject);
}

function recordVote(state: RaftState, from: NodeId, granted: boolean): void {
  if (state.votes.has(from) || !isVoter(state.log.conf, from)) return;
  state.votes.set(from, granted);
  countVotes(state);
}

function countVotes(state: RaftState): void {
  const result = voteResult(state.log.conf, (id) => state.votes.get(id));
  if (result === "lost") becomeFollower(state, state.term, undefined);
  else if (result === "won" && state.role === "preCandidate") standForElection(state, false);
  // Without its own vote on disk, a crash could let this node lead twice in one term.
  else if (result === "won" && state.votes.has(state.id)) becomeLeader(state);
}

/**
 * May stand for election: a voter with the data, of the newest configuration, or of the one before while the newest is not known to be
 * committed, because its log may be the only one that can lead on (thesis 4.2.2). Not while a snapshot is being saved, and not with a
 * disk that answers no more: its better log would win pre-vote after pre-vote and its own vote would never count.
 */
export function mayCampaign({ log, id, diskTicks, electionTicks }: RaftState): boolean {
  if (log.snapshotUnsaved || diskTicks >= electionTicks) return false;
  if (isFullVoter(log.conf, id)) return true;
  return log.confPending && log.confs.previous !== undefined && isFullVoter(log.confs.previous, id);
}

/** The leader's link died: vote for others at once, and campaign soon, but not all in the same tick. */
export function forgetLeader(state: RaftState): void {
  if (state.role !== "follower" || state.leader === undefined) return;
  state.leader = undefined;
  const ticksLeft = 1 + Math.floor((state.random() * state.electionTicks) / 2);
  state.electionElapsed = Math.max(state.electionElapsed, state.electionTimeout - ticksLeft);
}
