/** Which copies to make, and where: enough of them, on live nodes with room, spread by rendezvous hashing. Decides only; copying is io. */
export {
  type CopyOrder,
  type CopyPlace,
  copiesOwed,
  copiesPossible,
  copiesStaying,
  copyTargets,
  repairs,
} from "./replication.ts";
