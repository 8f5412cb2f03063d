/**
 * Consensus: who leads, which entries are agreed, who counts. Pure and synchronous, in the shape of etcd-io/raft:
 * messages and ticks go in, messages and a Ready come out. Entries are bytes to it, time is a count of ticks, chance is an
 * argument. Past etcd: a configuration counts when it is appended (thesis 4.1), a removed leader always steps down, and a
 * candidate's requests wait for its own vote to be on disk.
 */
export {
  type ConfChange,
  type ConfChangeStep,
  type ConfOutcome,
  changeConf,
  EMPTY_CONF,
  isFullVoter,
  isJoint,
  isVoter,
  isWitness,
  membersOf,
  votersOf,
} from "./confchange.ts";
export { FOUNDING_HARD_STATE, foundingEntries } from "./founding.ts";
export type { ConfChangeAnswer } from "./membership.ts";
export { committedIndex, type VoteResult, voteResult } from "./quorum.ts";
export { type ProposeAnswer, Raft } from "./raft.ts";
export {
  type ProgressStatus,
  RAFT_LIMITS,
  type RaftConfig,
  type RaftLimits,
  type RaftRole,
  type RaftStatus,
  type ReadState,
  type Ready,
  type SoftState,
} from "./state.ts";
export { successorOf } from "./successor.ts";
export type { RaftTiming } from "./timing.ts";
