/**
 * Whether a fleet that lost its quorum may be recovered from this node, and from which one if not: the furthest log must be
 * chosen, or what a survivor knows to be committed could be lost. Judges only; what is asked and done is the runtime's.
 */
export { type RecoveryFacts, refusalOf, survivorsInOrder } from "./recovery.ts";
