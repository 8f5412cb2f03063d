/** How far a box is on its way out: drained for a while, or leaving for good. */
import type { NodeId } from "./ids.ts";

export interface DrainView {
  nodeId: NodeId;
  name: string;
  drained: boolean;
  leads: boolean;
  isReachable: boolean;
  /** Items leased to it, or still in its hands. */
  itemsAtWork: number;
}

export interface LeaveView {
  /** `left`: off the roster and out of the voters; its agent stops now. */
  state: "waiting" | "left";
  nodeId: NodeId;
  fleetName: string;
  itemsAtWork: number;
  /** As `owed` below. */
  copiesOwed: number;
  onlyHere: number;
}

/** What a box must not take with it. */
export interface CopiesOwed {
  /** Blobs it holds that have too few copies elsewhere yet. */
  owed: number;
  /** Of these, the ones that nobody else holds. */
  onlyHere: number;
}
