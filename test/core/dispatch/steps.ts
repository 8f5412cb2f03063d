/** Short words for tests of the dispatch core. */
import type { Dispatch, DispatchEffect, DispatchNode } from "../../../agent/core/dispatch/index.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { JobPriority } from "../../../shared/job.ts";
import { job } from "../../support/nouns.ts";

export const X = job("x");

export const worker = (nodeId: NodeId, rate: number, more: Partial<DispatchNode> = {}): DispatchNode => ({
  nodeId,
  name: nodeId.slice(-1),
  executors: 1,
  rates: new Map([["ocr", rate]]),
  eligible: true,
  suspect: false,
  ...more,
});

/** Silent, but not gone. */
export const silent = (node: DispatchNode): DispatchNode => ({ ...node, eligible: false, suspect: true });

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const leases = (effects: DispatchEffect[]) => effects.filter((effect) => effect.kind === "leaseShard");
export const backs = (effects: DispatchEffect[]) => effects.filter((effect) => effect.kind === "takeBackShard");

export interface OpenOptions {
  jobId?: JobId;
  items?: number;
  priority?: JobPriority;
  deadlineAtMs?: number;
  paused?: boolean;
}

export function open(dispatch: Dispatch, options: OpenOptions = {}, nowMs = 0): DispatchEffect[] {
  const {
    jobId = X,
    items = 1,
    priority = "normal",
    deadlineAtMs = Number.POSITIVE_INFINITY,
    paused = false,
  } = options;
  const about = { pipeline: "ocr", priority, deadlineAtMs, paused };
  return dispatch.step({ kind: "jobOpened", jobId, items: range(items), ...about }, nowMs);
}

export const nodesAre = (dispatch: Dispatch, nodes: DispatchNode[], nowMs = 0): DispatchEffect[] =>
  dispatch.step({ kind: "nodesChanged", nodes }, nowMs);

export function opened(dispatch: Dispatch, items: number, nodes: DispatchNode[]): DispatchEffect[] {
  nodesAre(dispatch, nodes);
  return open(dispatch, { items });
}

export const report = (dispatch: Dispatch, node: NodeId, item: number, durationMs: number, nowMs: number, jobId = X) =>
  dispatch.step({ kind: "itemReported", node, jobId, item, durationMs }, nowMs);

export const recorded = (dispatch: Dispatch, node: NodeId, items: number[], nowMs: number, jobId = X) =>
  dispatch.step({ kind: "itemsRecorded", jobId, items, node }, nowMs);

export const failed = (dispatch: Dispatch, node: NodeId, item: number, nowMs: number, killed = false) =>
  dispatch.step({ kind: "itemFailed", node, jobId: X, item, killed, because: "it broke" }, nowMs);

/** Reports and records everything a node has, one item after the other. Returns when it is done. */
export function workThrough(dispatch: Dispatch, node: NodeId, itemMs: number, fromMs: number, items = 1e9): number {
  let nowMs = fromMs;
  for (let done = 0; done < items; done++) {
    const shard = dispatch.table.shardsOf(node)[0];
    if (!shard) break;
    const [item] = shard.items;
    nowMs += itemMs;
    report(dispatch, node, item!, itemMs, nowMs, shard.jobId);
    recorded(dispatch, node, [item!], nowMs, shard.jobId);
  }
  return nowMs;
}
