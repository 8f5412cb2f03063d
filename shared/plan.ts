import type { JobId, NodeId } from "./ids.ts";

/** whole on one node · over the nodes that have the inputs, so that nothing moves · over all that end it sooner. */
export const WAYS = ["one", "stay", "split"] as const;
export type Way = (typeof WAYS)[number];

/** A way that was compared, at its best. */
export interface PlanWay {
  way: Way;
  seconds: number;
  /** Nodes that get something. */
  nodes: number;
  /** Of `one`: which node. */
  name?: string;
}

/** One node's share of a job, and why. */
export interface PlanShare {
  nodeId: NodeId;
  name: string;
  /** Items the first wave expects it to do; a whole number. */
  items: number;
  /** As measured, before heat and battery. */
  itemsPerSecond: number;
  /** A sentence for people. */
  reason: string;
  /**
   * What its share takes, or one item where it has none: computing, the way of its inputs there (both go on at once), what
   * waits there before, and handing over. 0 where nothing was measured.
   */
  computeSeconds: number;
  transferSeconds: number;
  queueSeconds: number;
  handOverSeconds: number;
  /** Share of its speed that heat and battery leave, 0 to 1. */
  derating: number;
  /** When its last item ends, or one item if it had one; 0 where nothing was measured. */
  endSeconds: number;
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
  /** The ways compared, the simplest first; empty if nobody can take work. */
  ways: PlanWay[];
  chosen: Way;
  /** No split of whole items ends sooner. */
  boundSeconds: number;
}
