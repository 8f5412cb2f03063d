import type { NodeId } from "../../../shared/ids.ts";
import { isWitness } from "./confchange.ts";
import type { RaftStatus } from "./state.ts";

/** A voter this close to the end of the log catches up within a transfer's time. */
const CLOSE_ENTRIES = 64;

/** Whom a leader best hands over to: a full voter that answers and has nearly everything, the furthest first. */
export function successorOf(status: RaftStatus, unfit: (node: NodeId) => boolean = () => false): NodeId | undefined {
  const { conf, id, lastIndex, progress } = status;
  const matchOf = (node: NodeId): number => progress.get(node)?.match ?? 0;
  const isClose = (node: NodeId): boolean =>
    progress.get(node)?.isHeard === true && matchOf(node) >= lastIndex - CLOSE_ENTRIES;
  return conf.voters
    .filter((node) => node !== id && !isWitness(conf, node) && isClose(node) && !unfit(node))
    .sort((a, b) => matchOf(b) - matchOf(a) || (a < b ? -1 : 1))[0];
}
