/**
 * Who votes, who follows, who only works. The roster says who belongs to the fleet; this room says what the leader should
 * change next in Raft's configuration so that it fits: at most a few voters, an odd number where that helps, a voter that
 * stays away replaced by a box that is there, and never a step that the voters at hand could not agree on.
 */
export { decideMembership } from "./decide.ts";
export type { MembershipChange, MembershipInput, MembershipNode, MembershipStep } from "./input.ts";
