/** Scenarios that come out otherwise because this core was built otherwise, each with the reason. */
const REASONS: Record<string, string> = {
  confchange_v1_remove_leader:
    "a removal counts from its append (thesis 4.1): the leader is no voter at once and needs both others, " +
    "and it steps down as soon as the removal is committed instead of leading on",
  confchange_v1_remove_leader_stepdown:
    "a removal counts from its append (thesis 4.1): the leader is no voter at once and needs both others, " +
    "and what it appended after the removal is left to its successor to commit",
};

const APPENDED =
  "a change of membership counts from its append: a newcomer is written to before the change is committed, a removed node no more";
const SYNCED = "a Ready with a snapshot owes an fsync here (MustSync=true); etcd-io/raft leaves that to its storage";

/** The states are equal; who is told what, and when, is not, in this many words. */
const TEXT_REASONS: Record<string, string> = {
  confchange_disable_validation: APPENDED,
  confchange_v1_add_single: APPENDED,
  confchange_v2_add_double_auto: APPENDED,
  confchange_v2_add_double_implicit: APPENDED,
  confchange_v2_add_single_auto: APPENDED,
  confchange_v2_add_single_explicit: APPENDED,
  confchange_v2_replace_leader: APPENDED,
  confchange_v2_replace_leader_stepdown: APPENDED,
  prevote_checkquorum: "a pre-candidate that grants a better candidate's pre-vote gives way to it at once",
  probe_and_replicate: "a new commit index goes first to the peer whose answer brought it, then to the others",
  snapshot_succeed_via_app_resp: SYNCED,
  snapshot_succeed_via_app_resp_behind: SYNCED,
};

const nameOf = (file: string): string => file.replace(/^.*\/|\.txt$/g, "");

/** Why the states a scenario comes to may differ, or undefined if they must not. */
export const reasonFor = (file: string): string | undefined => REASONS[nameOf(file)];
/** Why its text may differ although its states must not. */
export const textReasonFor = (file: string): string | undefined => TEXT_REASONS[nameOf(file)];
