/** Every message enters here: what its term means first (Raft paper 5.1), then what its type asks of this node's role. */
import type { RaftMessage, RaftMessageType } from "../../../shared/raft.ts";
import { holdsToLeader, takeOver, takeVoteRequest, takeVoteResponse } from "./elections.ts";
import { heardLeader } from "./following.ts";
import { stepLeader } from "./leading.ts";
import { messageFault, send } from "./messages.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";

/** Sent by the leader of the message's term and by nobody else. */
const FROM_LEADER: ReadonlySet<RaftMessageType> = new Set(["appendRequest", "heartbeat", "snapshot"]);

/**
 * A term further ahead than any fleet gets while a box is away (a term a second for a century). Believing one would let
 * a single bad message use up the terms there are.
 */
const TERM_LEAP_MAX = 2 ** 32;

export function step(state: RaftState, message: RaftMessage): void {
  if (messageFault(message, state.id) || message.term > state.term + TERM_LEAP_MAX) return;
  if (message.term < state.term) {
    answerOldTerm(state, message);
    return;
  }
  if (message.term > state.term) {
    if (holdsToLeader(state, message)) return;
    if (!asksOfFuture(message)) becomeFollower(state, message.term, undefined);
  }
  dispatch(state, message);
}

/** Pre-votes speak of a term that nobody is in yet, so they move nobody into it. A refusal names the refuser's own term. */
const asksOfFuture = ({ type, reject }: RaftMessage): boolean =>
  type === "preVoteRequest" || (type === "preVoteResponse" && !reject);

/**
 * Without an answer two nodes could stay stuck: a leader of an old term would never learn of the new one, and a
 * pre-candidate of an old term would never be able to win one.
 */
function answerOldTerm(state: RaftState, message: RaftMessage): void {
  if (FROM_LEADER.has(message.type)) send(state, "appendResponse", message.from);
  else if (message.type === "preVoteRequest") send(state, "preVoteResponse", message.from, { reject: true });
}

function dispatch(state: RaftState, message: RaftMessage): void {
  switch (message.type) {
    case "preVoteRequest":
    case "voteRequest":
      takeVoteRequest(state, message);
      break;
    case "preVoteResponse":
    case "voteResponse":
      takeVoteResponse(state, message);
      break;
    case "appendRequest":
    case "heartbeat":
    case "snapshot":
      fromLeader(state, message);
      break;
    case "timeoutNow":
      // Only the leader of this term may ask for an election past everyone's stickiness.
      if (state.role === "follower" && state.leader === message.from) takeOver(state);
      break;
    case "readIndexResponse":
      if (state.leader === message.from) state.readStates.push({ context: message.context, index: message.index });
      break;
    default:
      if (state.role === "leader") stepLeader(state, message);
  }
}

function fromLeader(state: RaftState, message: RaftMessage): void {
  // A term has one leader; whoever else speaks as one in it is not sound.
  if (state.role === "leader" || (state.leader !== undefined && state.leader !== message.from)) return;
  if (state.role !== "follower") becomeFollower(state, message.term, message.from);
  heardLeader(state, message);
}
