/** Quorum arithmetic over one majority or, during a joint change, over two that must both agree (thesis 4.3). */
import type { LogIndex } from "../../../shared/raft.ts";

type Halves<Id extends string> = { voters: readonly Id[]; votersOutgoing: readonly Id[] };

export type VoteResult = "won" | "lost" | "pending";

/**
 * The largest index that a majority of each half has acknowledged. An empty half agrees to everything, so two empty
 * halves give Infinity.
 */
export function committedIndex<Id extends string>(conf: Halves<Id>, ackedBy: (id: Id) => LogIndex): LogIndex {
  return Math.min(majorityIndex(conf.voters, ackedBy), majorityIndex(conf.votersOutgoing, ackedBy));
}

function majorityIndex<Id extends string>(voters: readonly Id[], ackedBy: (id: Id) => LogIndex): LogIndex {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const acked = voters.map(ackedBy).sort((a, b) => b - a);
  // With n sorted downwards, the entry at position n/2 is held by n/2 + 1 voters: a majority for odd and even n.
  return acked[Math.floor(voters.length / 2)]!;
}

/** What the votes amount to: `voteOf` is undefined for a voter not yet heard. Both halves must be won; one lost loses all. */
export function voteResult<Id extends string>(conf: Halves<Id>, voteOf: (id: Id) => boolean | undefined): VoteResult {
  const incoming = majorityVote(conf.voters, voteOf);
  const outgoing = majorityVote(conf.votersOutgoing, voteOf);
  if (incoming === outgoing) return incoming;
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return "pending";
}

function majorityVote<Id extends string>(voters: readonly Id[], voteOf: (id: Id) => boolean | undefined): VoteResult {
  // An empty half wins, so that the other half decides alone.
  if (voters.length === 0) return "won";
  let granted = 0;
  let unheard = 0;
  for (const voter of voters) {
    const vote = voteOf(voter);
    if (vote === undefined) unheard += 1;
    else if (vote) granted += 1;
  }
  const needed = Math.floor(voters.length / 2) + 1;
  if (granted >= needed) return "won";
  return granted + unheard >= needed ? "pending" : "lost";
}
