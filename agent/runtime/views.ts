import type { LinkFigures } from "../../shared/box.ts";
import type { FleetRecovery, FleetView, LinkView, NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { JobShare, JobView, RecordedResult } from "../../shared/job.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
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
    priority: job.priority,
    copies: job.copies,
    ...(job.deadlineAtMs === undefined ? {} : { deadlineAtMs: job.deadlineAtMs }),
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

/** Whether this node can speak with a majority of the voters, itself included. Asked before each proposal, so it is cheap. */
export function hasQuorum({ conf }: FleetStatus, self: NodeId, links: readonly LinkView[]): boolean {
  const halves = [conf.voters, conf.votersOutgoing].filter((half) => half.length > 0);
  return halves.length > 0 && halves.every((half) => reachableOf(half, self, links).length > half.length / 2);
}

const reachableOf = (nodes: readonly NodeId[], self: NodeId, links: readonly LinkView[]): NodeId[] =>
  nodes.filter((nodeId) => nodeId === self || links.some((link) => link.nodeId === nodeId && link.state !== "down"));

/** The voters that this node can speak with against how many it takes, for people. */
export function quorumFacts(
  { conf }: FleetStatus,
  self: NodeId,
  links: readonly LinkView[],
  nameOf: (nodeId: NodeId) => string,
): { reachable: number; needed: number; voters: number; missing: string[] } {
  const voters = [...new Set([...conf.voters, ...conf.votersOutgoing])];
  const reachable = reachableOf(voters, self, links);
  return {
    reachable: reachable.length,
    needed: Math.floor(voters.length / 2) + 1,
    voters: voters.length,
    missing: voters.filter((nodeId) => !reachable.includes(nodeId)).map(nameOf),
  };
}

export function fleetView(
  identity: FleetIdentity,
  self: NodeId,
  status: FleetStatus,
  nodes: NodeView[],
  recovered: FleetRecovery | undefined,
): Omit<FleetView, "scrub"> {
  const links = nodes.flatMap(({ link }) => link ?? []);
  const nameOf = (nodeId: NodeId): string => nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId;
  return {
    fleetId: identity.fleetId,
    fleetName: identity.fleetName,
    self,
    term: status.term,
    ...(status.leader ? { leader: status.leader } : {}),
    hasQuorum: hasQuorum(status, self, links),
    votersMissing: quorumFacts(status, self, links, nameOf).missing,
    commitIndex: status.commit,
    nodes,
    ...(recovered && { recovered }),
  };
}

/** The links of this node, as measured from here. */
export const linkFigures = (
  nodes: readonly NodeView[],
  speedOf: (nodeId: NodeId) => Pick<LinkFigures, "bytesPerSecond" | "from"> | undefined,
): LinkFigures[] =>
  nodes.flatMap(({ nodeId, name, link }) =>
    link === undefined
      ? []
      : [
          {
            nodeId,
            name,
            state: link.state,
            ...(link.rttMs !== undefined && { rttMs: link.rttMs }),
            ...speedOf(nodeId),
          },
        ],
  );
