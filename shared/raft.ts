/** The nouns of consensus that the core, the journal and the wire agree on, in the words of the Raft paper and etcd-io/raft. */
import type { NodeId } from "./ids.ts";

export type Term = number;
export type LogIndex = number;

/** Who counts. During a joint change `votersOutgoing` is the old half (thesis 4.3); otherwise it is empty. */
export interface ConfState {
  voters: NodeId[];
  votersOutgoing: NodeId[];
  learners: NodeId[];
  /** Demoted voters that become learners when the joint change is left. */
  learnersNext: NodeId[];
  autoLeave: boolean;
  /** Voters that keep digests instead of data: at most one. They vote and count, and never lead. */
  witnesses: NodeId[];
}

/**
 * `configuration` entries carry an encoded ConfState in `data`, taken up when appended (thesis 4.1), not when applied.
 * A `digest` stands in a witness' log for a normal entry whose data others keep; it says so itself, because a witness
 * receives entries before it has read that it is one.
 */
export interface RaftEntry {
  index: LogIndex;
  term: Term;
  kind: "normal" | "configuration" | "digest";
  data: Uint8Array;
}

/** What must be on disk before anyone is told of it. */
export interface HardState {
  term: Term;
  /** Empty if no vote was cast in this term. */
  vote: NodeId | "";
  commit: LogIndex;
}

export interface RaftSnapshot {
  index: LogIndex;
  term: Term;
  conf: ConfState;
  /** Empty for a witness. */
  data: Uint8Array;
}

/** A type's number on the wire is its place here: append only. */
export const RAFT_MESSAGE_TYPES = [
  "appendRequest",
  "appendResponse",
  "heartbeat",
  "heartbeatResponse",
  "voteRequest",
  "voteResponse",
  "preVoteRequest",
  "preVoteResponse",
  "snapshot",
  "timeoutNow",
  "readIndex",
  "readIndexResponse",
] as const;

export type RaftMessageType = (typeof RAFT_MESSAGE_TYPES)[number];

/** One shape for all, as in etcd-io/raft; a field that a type does not use is at its zero value. */
export interface RaftMessage {
  type: RaftMessageType;
  from: NodeId;
  to: NodeId;
  term: Term;
  /** Term of the entry at `index`. */
  logTerm: Term;
  index: LogIndex;
  entries: RaftEntry[];
  commit: LogIndex;
  reject: boolean;
  /** On a rejected append: where the follower's log may agree at the latest. */
  rejectHint: LogIndex;
  /** Identifies a heartbeat's read round, or a transfer. */
  context: Uint8Array;
  /** On a heartbeat: how many ticks of silence the leader would have its followers bear. 0 says nothing. */
  electionTicks: number;
  snapshot?: RaftSnapshot;
}
