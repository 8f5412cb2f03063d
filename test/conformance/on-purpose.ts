/** Scenarios that come out otherwise because this core was built otherwise, each with the reason. */
const REASONS: Record<string, string> = {
  confchange_v1_remove_leader:
    "a removal counts from its append (thesis 4.1): the leader is no voter at once and needs both others, " +
    "and it steps down as soon as the removal is committed instead of leading on",
  confchange_v1_remove_leader_stepdown:
    "a removal counts from its append (thesis 4.1): the leader is no voter at once and needs both others, " +
    "and what it appended after the removal is left to its successor to commit",
};

/** Why a scenario may differ, or undefined if it must not. */
export function reasonFor(file: string): string | undefined {
  return REASONS[file.replace(/^.*\/|\.txt$/g, "")];
}
