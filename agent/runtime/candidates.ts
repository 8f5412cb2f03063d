import type { JobCandidate } from "../../shared/decision.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import type { Dispatch } from "../core/dispatch/index.ts";
import { expectedHandOverMs, whyNotFor } from "./workers.ts";
import type { Workforce } from "./workforce.ts";

/** Where the inputs of a job lie, and how fast they come from there. */
export interface InputPlaces {
  /** Nodes that have every input. */
  holders: ReadonlySet<NodeId>;
  /** To each other node from whichever holder is fastest, as measured. */
  linkTo: ReadonlyMap<NodeId, number>;
  /** Of all holders together: each can send at least as fast as its fastest link was. */
  uplinkBytesPerSecond?: number;
}

export function inputPlaces(
  blobs: readonly BlobHash[],
  holdersOf: (blob: BlobHash) => Iterable<NodeId>,
  nodes: readonly NodeView[],
): InputPlaces {
  const counts = new Map<NodeId, number>();
  for (const blob of blobs) for (const nodeId of holdersOf(blob)) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const whole = [...counts].filter(([, count]) => count === blobs.length).map(([nodeId]) => nodeId);
  const sources = new Set(whole.length > 0 ? whole : counts.keys());
  const linkTo = new Map<NodeId, number>();
  const uplinks = new Map<NodeId, number>();
  const measured = (from: NodeId, to: NodeId, bytesPerSecond: number): void => {
    linkTo.set(to, Math.max(linkTo.get(to) ?? 0, bytesPerSecond));
    uplinks.set(from, Math.max(uplinks.get(from) ?? 0, bytesPerSecond));
  };
  for (const { nodeId, report } of nodes)
    for (const link of report?.links ?? [])
      if (sources.has(link.nodeId) && !sources.has(nodeId)) measured(link.nodeId, nodeId, link.bytesPerSecond);
      else if (sources.has(nodeId) && !sources.has(link.nodeId)) measured(nodeId, link.nodeId, link.bytesPerSecond);
  const uplink = [...uplinks.values()].reduce((sum, one) => sum + one, 0);
  return { holders: new Set(whole), linkTo, ...(uplink > 0 && { uplinkBytesPerSecond: rounded(uplink) }) };
}

/** Every node as it stands, for one pipeline. Figures are rounded as they are kept, so that a plan can be made again from them. */
export function candidatesOf(
  nodes: readonly NodeView[],
  pipeline: string,
  places: InputPlaces,
  { dispatch, workforce }: { dispatch: Dispatch; workforce: Workforce },
): JobCandidate[] {
  const ruling = workforce.ruling();
  return nodes.map((node): JobCandidate => {
    const { nodeId, name, report } = node;
    const whyNot = whyNotFor(pipeline, node, ruling);
    const { factor, because } = workforce.deratingOf(node);
    const link = places.linkTo.get(nodeId);
    const holdsInputs = places.holders.has(nodeId);
    return {
      nodeId,
      name,
      ...(report && { profile: report.hardware.profile }),
      itemsPerSecond: rounded(speedOf(node, pipeline, dispatch)),
      executors: report?.executors ?? 0,
      derating: factor,
      ...(because !== undefined && { deratedBecause: because }),
      handOverMs: rounded(handOverMsOf(node, dispatch)),
      itemsQueued: dispatch.table.itemsLeasedTo(nodeId),
      holdsInputs,
      ...(!holdsInputs && link !== undefined && { linkBytesPerSecond: rounded(link) }),
      memoryFreeBytes: report?.vitals.memoryFreeBytes ?? 0,
      ...(report?.vitals.temperatureC !== undefined && { temperatureC: rounded(report.vitals.temperatureC) }),
      eligible: whyNot === undefined,
      ...(whyNot !== undefined && { whyNot }),
    };
  });
}

/** What this leader saw of it, or what it reports. */
function speedOf({ nodeId, report }: NodeView, pipeline: string, dispatch: Dispatch): number {
  const worker = dispatch.table.nodes.get(nodeId);
  const reported = report?.rates.find((rate) => rate.pipeline === pipeline)?.itemsPerSecond ?? 0;
  return (worker && dispatch.rateOf(worker, pipeline)) ?? reported;
}

function handOverMsOf(node: NodeView, dispatch: Dispatch): number {
  const measured = dispatch.handOverSeconds(node.nodeId);
  return measured === undefined ? expectedHandOverMs(node) : 1_000 * measured;
}

/** What one input takes to each node that does not have them, where its link was measured. */
export const transfersOf = (nodes: readonly JobCandidate[], bytesPerItem: number): Map<NodeId, number> =>
  new Map(
    nodes.flatMap(({ nodeId, linkBytesPerSecond }): [NodeId, number][] =>
      linkBytesPerSecond ? [[nodeId, bytesPerItem / linkBytesPerSecond]] : [],
    ),
  );

/** Six digits: more than any of it was measured to, and half the bytes. */
export const rounded = (value: number): number => Number(value.toPrecision(6));
