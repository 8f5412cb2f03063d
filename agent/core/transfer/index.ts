/** Which piece of a large blob to ask of whom, so that a slow, broken or lying holder costs no more than the pieces it was asked for. */
export { TokenBucket } from "./bucket.ts";
export { PieceTable } from "./pieces.ts";
export { type PiecesHeld, SwarmTable } from "./swarm.ts";
export type { Assignment } from "./under-way.ts";
