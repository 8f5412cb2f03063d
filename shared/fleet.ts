import type { CapacityReport } from "./capacity.ts";
import type { FleetId, NodeId } from "./ids.ts";
import type { Labels } from "./labels.ts";
import type { ScrubView } from "./scrub.ts";

/** What a box was set up to be: one that does everything, or one that only votes. */
export type NodePart = "full" | "witness";

/** A node's part in consensus. A worker has none: it gets no log. A witness votes and keeps no ledger. */
export type NodeRole = "voter" | "learner" | "worker" | "witness";

/** fresh: take work to it · late: silent for longer than its rhythm, no new work · gone: count it out. */
export type Presence = "fresh" | "late" | "gone";

/** One node as the ledger knows it. */
export interface RosterNode {
  nodeId: NodeId;
  name: string;
  /** Multiaddrs without `/p2p`, last known. */
  addresses: string[];
  admittedAtIndex: number;
  /** Absent: full. */
  part?: NodePart;
  /** Gets no new work and does not lead, so that it can be switched off; absent: takes part in full. */
  drained?: true;
  /** Drained for good: its copies no longer count. */
  leaving?: true;
  /** Absent: none. */
  labels?: Labels;
}

/** The link from this node to a peer, from heartbeats on the lanes. */
export interface LinkView {
  nodeId: NodeId;
  state: "up" | "suspect" | "down";
  /** Median of the last heartbeats' round trips; absent until one was measured. */
  rttMs?: number;
  /** Since a byte was last heard. */
  silentMs: number;
}

/** What this node believes of one node. */
export interface NodeView {
  nodeId: NodeId;
  name: string;
  isSelf: boolean;
  isLeader: boolean;
  role: NodeRole;
  presence: Presence;
  drained?: true;
  leaving?: true;
  labels?: Labels;
  link?: LinkView;
  /** The newest report; absent until one arrived. */
  report?: CapacityReport;
  /** Where this node leads: how far its forecasts were off there. */
  predictionErrors?: PredictionError[];
}

/** Of shards of one pipeline on one node: the time from the lease to the last report, as the leader foretold it with the lease. */
export interface PredictionError {
  pipeline: string;
  /** Median of |foretold - real| / real over the newest shards. */
  median: number;
  shards: number;
}

/** What this node believes of the fleet. */
export interface FleetView {
  fleetId: FleetId;
  fleetName: string;
  self: NodeId;
  term: number;
  leader?: NodeId;
  hasQuorum: boolean;
  /** Names of voters this node cannot reach. */
  votersMissing: string[];
  commitIndex: number;
  nodes: NodeView[];
  /** The last time this fleet was recovered without its quorum. */
  recovered?: FleetRecovery;
  /** Of this node's own disk. */
  scrub: ScrubView;
}

/** What the ledger keeps of a recovery. */
export interface FleetRecovery {
  recoveredBy: NodeId;
  recoveredAtMs: number;
  /** Taken off the roster for good. */
  removed: { nodeId: NodeId; name: string }[];
  atIndex: number;
}
