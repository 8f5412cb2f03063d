/**
 * Which copies to make and where, which to drop, and which jobs to forget: enough of them, on live nodes with room, in
 * different failure domains, spread by weighted rendezvous hashing. Decides only; copying and removing is io.
 */
export { type CopyPlace, copiesPossible, copiesStaying, copyTargets } from "./places.ts";
export { type CopyOrder, copiesOwed, type DropOrder, type Orders, ordersFor, type Survey, survey } from "./repairs.ts";
export { type EndedJob, jobsToForget } from "./retention.ts";
