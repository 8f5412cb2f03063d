/** What is known, and what is at stake, when a fleet has lost its quorum for good. */
import type { ErrorBody } from "./errors.ts";
import type { NodeRole } from "./fleet.ts";
import type { JobId, NodeId } from "./ids.ts";

/** How far one node's log goes. */
export interface Standing {
  term: number;
  /** Term of its last entry. */
  lastTerm: number;
  lastIndex: number;
  commit: number;
  applied: number;
  leads: boolean;
  /** It has a log that a fleet could go on from. */
  keepsLog: boolean;
}

export interface Survivor {
  nodeId: NodeId;
  name: string;
  role: NodeRole;
  /** Absent: it is connected and did not say. */
  standing?: Standing;
}

export interface MissingNode {
  nodeId: NodeId;
  name: string;
  role: NodeRole;
  /** Since this agent last heard a byte of it; absent: never in this life of the agent. */
  silentMs?: number;
}

/** Bytes of a job of which no reachable node is known to hold a copy. */
export interface JobLoss {
  jobId: JobId;
  /** Items whose recorded output is lost. */
  results: number[];
  /** Items whose input is lost and which are not recorded: they cannot be computed any more. */
  inputs: number[];
}

/** What `skein recover` would do if it were told to go on. */
export interface RecoveryView {
  fleetName: string;
  self: NodeId;
  /** The furthest log first. */
  survivors: Survivor[];
  missing: MissingNode[];
  losses: JobLoss[];
  /** Why not, or not here; absent: it can go on. */
  refusal?: ErrorBody;
}

export interface RecoverRequest {
  /** Typed by a person who has read the view. */
  fleetName: string;
  /** The missing nodes of that view: if others are missing now, the person must look again. */
  missing: NodeId[];
}

export interface RecoverAnswer {
  recoveredBy: NodeId;
  removed: NodeId[];
  term: number;
  atIndex: number;
}
