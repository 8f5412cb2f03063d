import type { PlanRequest } from "../../../agent/core/planner/index.ts";
import type { JobCandidate } from "../../../shared/decision.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";

/** A box that holds the inputs and does one item a second. */
export const candidate = (name: string, facts: Partial<JobCandidate> = {}): JobCandidate => ({
  nodeId: `12D3KooW-${name}` as NodeId,
  name,
  itemsPerSecond: 1,
  executors: 1,
  derating: 1,
  handOverMs: 0,
  itemsQueued: 0,
  holdsInputs: true,
  memoryFreeBytes: 1e9,
  eligible: true,
  ...facts,
});

export const planRequest = (
  items: number,
  nodes: readonly JobCandidate[],
  more: Partial<PlanRequest> = {},
): PlanRequest => ({ jobId: "job-1" as JobId, term: 3, nowMs: 1000, items, bytesPerItem: 0, nodes, ...more });
