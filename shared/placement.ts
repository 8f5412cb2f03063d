import type { ModelState } from "./capacity.ts";
import type { PlacementDecision } from "./decision.ts";
import type { NodeId } from "./ids.ts";

/** Where models stand, as it was decided last and as the boxes report it now. */
export interface PlacementView {
  /** Absent until models were placed for the first time. */
  decision?: Omit<PlacementDecision, "nodes" | "models" | "before" | "rules" | "replicas">;
  models: PlacedModel[];
}

export interface PlacedModel {
  /** `name:version` */
  pipeline: string;
  bytes: number;
  /** Items a second that were asked for when that was decided; absent for a model that came since. */
  demandPerSecond?: number;
  nodes: PlacedOn[];
}

export interface PlacedOn {
  nodeId: NodeId;
  name: string;
  /** `waiting`: it is meant to stand there and nothing was reported yet. `leaving`: it does, and shall no more. */
  state: ModelState["state"] | "waiting" | "leaving";
  reason?: string;
  /** Share of its files that is there, 0 to 1. */
  fetched: number;
}
