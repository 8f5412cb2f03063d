import type { FleetRecovery, FleetView, NodeView } from "../../shared/fleet.ts";
import { isBlobHash, type NodeId } from "../../shared/ids.ts";
import type { JobShare, JobView, Receipt, RecordedResult } from "../../shared/job.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { FleetIdentity } from "./membership.ts";
import type { FleetStatus } from "./standing.ts";

/** What people and clients are shown, made from what this node has agreed on and hears. Reads only. */

export function jobView(job: JobRecord, nodes: readonly NodeView[], leased: ReadonlyMap<NodeId, number>): JobView {
  return {
    jobId: job.jobId,
    pipeline: job.pipeline,
    state: job.state,
    submittedAtMs: job.submittedAtMs,
    ...(job.endedAtMs === undefined ? {} : { endedAtMs: job.endedAtMs }),
    items: job.inputs.length,
    itemsRecorded: job.recordedCount,
    itemsFailed: job.failedCount,
    shares: sharesOf(job, nodes, leased),
    duplicatesIgnored: job.duplicatesIgnored,
    idempotencyKey: job.idempotencyKey,
  };
}

function sharesOf(job: JobRecord, nodes: readonly NodeView[], leased: ReadonlyMap<NodeId, number>): JobShare[] {
  const shards = new Map<NodeId, Set<string>>();
  const items = new Map<NodeId, number>();
  for (const result of job.results) {
    if (!result) continue;
    items.set(result.node, (items.get(result.node) ?? 0) + 1);
    shards.set(result.node, (shards.get(result.node) ?? new Set()).add(result.shardId));
  }
  const names = new Map(nodes.map((node) => [node.nodeId, node.name]));
  const everyone = new Set([...names.keys(), ...items.keys()]);
  return [...everyone].map((nodeId) => ({
    nodeId,
    name: names.get(nodeId) ?? nodeId,
    itemsRecorded: items.get(nodeId) ?? 0,
    itemsLeased: leased.get(nodeId) ?? 0,
    shardsRecorded: shards.get(nodeId)?.size ?? 0,
  }));
}

/** In the order of the inputs, with the holders known now. */
export const resultsOf = (job: JobRecord, ledger: Ledger): RecordedResult[] =>
  job.results.flatMap((result) =>
    result ? [{ ...result, holders: result.output ? ledger.holdersOf(result.output) : [] }] : [],
  );

/** The receipt counts copies by asking every reachable node, not by believing the record. */
export async function receiptOf(
  view: JobView,
  job: JobRecord,
  ledger: Ledger,
  blobAccess: BlobAccess,
  reachable: readonly NodeId[],
): Promise<Receipt> {
  const recorded = resultsOf(job, ledger);
  const outputs = recorded.map((result) => result.output).filter(isBlobHash);
  const held = await blobAccess.whoHolds(outputs, reachable);
  const results = recorded.map((result) => ({
    ...result,
    holders: result.output ? (held.get(result.output) ?? []) : [],
  }));
  const copies = results.filter((result) => result.output).map((result) => result.holders.length);
  return {
    job: view,
    submittedAtIndex: job.submittedAtIndex,
    results,
    copiesMin: copies.length > 0 ? Math.min(...copies) : 0,
    copiesMax: copies.length > 0 ? Math.max(...copies) : 0,
  };
}

/** Voters this node can speak with, itself included, against how many it takes. */
export function quorumOf(
  status: FleetStatus,
  self: NodeId,
  nodes: readonly NodeView[],
): { has: boolean; reachable: number; needed: number; voters: number; missing: string[] } {
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const isReachable = (nodeId: NodeId): boolean => {
    const link = byId.get(nodeId)?.link;
    return nodeId === self || (link !== undefined && link.state !== "down");
  };
  const halves = [status.conf.voters, status.conf.votersOutgoing].filter((half) => half.length > 0);
  const voters = [...new Set(halves.flat())];
  const missing = voters.filter((nodeId) => !isReachable(nodeId)).map((nodeId) => byId.get(nodeId)?.name ?? nodeId);
  return {
    has: halves.length > 0 && halves.every((half) => half.filter(isReachable).length > half.length / 2),
    reachable: voters.length - missing.length,
    needed: Math.floor(voters.length / 2) + 1,
    voters: voters.length,
    missing,
  };
}

export function fleetView(
  identity: FleetIdentity,
  self: NodeId,
  status: FleetStatus,
  nodes: NodeView[],
  recovered: FleetRecovery | undefined,
): FleetView {
  const quorum = quorumOf(status, self, nodes);
  return {
    fleetId: identity.fleetId,
    fleetName: identity.fleetName,
    self,
    term: status.term,
    ...(status.leader ? { leader: status.leader } : {}),
    hasQuorum: quorum.has,
    votersMissing: quorum.missing,
    commitIndex: status.commit,
    nodes,
    ...(recovered && { recovered }),
  };
}
