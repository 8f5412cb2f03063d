import type { NodeView } from "../../../shared/fleet.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { loadingBytes } from "../../../shared/model-files.ts";
import type { Planning } from "../../core/ledger/index.ts";

/**
 * Where the files of each model are likely to be needed next: on nodes that could run it and do not yet, which are those
 * that the planner would take if it wanted another replica, or lost one. Copies of the files go there first, so that a
 * replica begins with what is on its own disk.
 */
export function likelyNext(planning: Planning, nodes: () => NodeView[]): Map<BlobHash, Set<NodeId>> {
  const likely = new Map<BlobHash, Set<NodeId>>();
  if (planning.models.size === 0) return likely;
  const able = nodes().filter(
    ({ drained, leaving, report }) => report !== undefined && report.executors > 0 && !drained && !leaving,
  );
  const placement = planning.placements.at(-1)?.replicas ?? [];
  for (const [pipeline, { manifest }] of planning.models) {
    const placed = placement.find((replicas) => replicas.pipeline === pipeline)?.nodes ?? [];
    const neededBytes = loadingBytes(manifest.files);
    const next = able.filter(
      ({ nodeId, report }) => !placed.includes(nodeId) && report!.hardware.memoryUsableBytes >= neededBytes,
    );
    for (const { blob } of manifest.files) {
      const known = likely.get(blob) ?? new Set();
      for (const { nodeId } of next) known.add(nodeId);
      likely.set(blob, known);
    }
  }
  return likely;
}
