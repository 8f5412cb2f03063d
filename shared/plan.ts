import type { JobId, NodeId } from "./ids.ts";

/** One node's share of a job, and why. */
export interface PlanShare {
  nodeId: NodeId;
  name: string;
  /** Items the first wave expects it to do; a whole number. */
  items: number;
  itemsPerSecond: number;
  /** A sentence for people. */
  reason: string;
}

/** Placements and shares one leader worked out at one moment. */
export interface Plan {
  jobId: JobId;
  madeAtMs: number;
  term: number;
  shares: PlanShare[];
  /** Seconds until the last node ends, by the closed form. */
  expectedSeconds: number;
  /** What the best single node would need. */
  singleBestSeconds: number;
  /** True if the work is kept whole on one node because sharing would not pay. */
  keptWhole: boolean;
  /** The plan in a sentence or two. */
  summary: string;
}
