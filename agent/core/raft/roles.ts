/** The transitions between roles (Raft paper, Figure 4, with the pre-candidate of thesis 9.6). */
import { invariant } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { Term } from "../../../shared/raft.ts";
import type { RaftState } from "./state.ts";
import { drawTimeout } from "./timing.ts";

export function becomeFollower(state: RaftState, term: Term, leader: NodeId | undefined): void {
  resetFor(state, term);
  state.role = "follower";
  state.leader = leader;
}

/** Asks whether an election could be won; promises nothing, so neither term nor vote change. */
export function becomePreCandidate(state: RaftState): void {
  invariant(state.role !== "leader", "a leader does not ask for pre-votes");
  resetFor(state, state.term);
  state.role = "preCandidate";
}

export function becomeCandidate(state: RaftState): void {
  invariant(state.role !== "leader", "a leader does not stand for election");
  resetFor(state, state.term + 1);
  state.role = "candidate";
  state.vote = state.id;
}

/** What a leader gathered or a candidate counted belongs to one candidacy; the vote belongs to the term. */
export function resetFor(state: RaftState, term: Term): void {
  invariant(term >= state.term, "the term never goes back");
  if (term > state.term) {
    state.term = term;
    state.vote = "";
    // Promises of the old term that nobody was told of yet: no one needs them any more.
    state.outboxAfterPersist = [];
  }
  state.leader = undefined;
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  state.announcementsLeft = 0;
  drawTimeout(state);
  state.votes.clear();
  state.peers.clear();
  state.hasWitness = false;
  state.reads.clear();
  state.transferee = undefined;
  state.uncommittedBytes = 0;
  state.broadcastDue = false;
}
