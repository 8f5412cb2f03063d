import type { BlobHash, NodeId } from "../../../shared/ids.ts";

/** A node as a place to keep copies. */
export interface CopyPlace {
  nodeId: NodeId;
  /** Reachable and answering. */
  live: boolean;
  diskFreeBytes: number;
}

export interface CopyOrder {
  blob: BlobHash;
  /** Live holders to copy from. */
  from: NodeId[];
  to: NodeId;
}

/** How many copies a fleet of this size can hold at all. */
export const copiesPossible = (wanted: number, places: readonly CopyPlace[]): number => Math.min(wanted, places.length);

/**
 * Where to put copies, best first: live nodes with room, in an order drawn by the blob's own hash (rendezvous hashing),
 * so that copies spread without anyone keeping count.
 */
export function copyTargets(
  blob: BlobHash,
  places: readonly CopyPlace[],
  holders: readonly NodeId[],
  diskFreeBytesMin: number,
): NodeId[] {
  return places
    .filter((place) => place.live && place.diskFreeBytes >= diskFreeBytesMin && !holders.includes(place.nodeId))
    .map((place) => ({ nodeId: place.nodeId, weight: mix(blob, place.nodeId) }))
    .sort((a, b) => a.weight - b.weight)
    .map((place) => place.nodeId);
}

/**
 * What to copy so that every blob has `wanted` live copies again. A blob with no live holder waits: nobody can copy it.
 * At most `ordersMax` at a time, so that a repair never floods the fleet.
 */
export function repairs(input: {
  holders: Iterable<readonly [BlobHash, ReadonlySet<NodeId>]>;
  places: readonly CopyPlace[];
  wanted: number;
  diskFreeBytesMin: number;
  ordersMax: number;
}): CopyOrder[] {
  const live = new Set(input.places.filter((place) => place.live).map((place) => place.nodeId));
  const wanted = Math.min(input.wanted, live.size);
  const orders: CopyOrder[] = [];
  for (const [blob, holders] of input.holders) {
    const from = [...holders].filter((nodeId) => live.has(nodeId));
    if (from.length === 0 || from.length >= wanted) continue;
    const targets = copyTargets(blob, input.places, [...holders], input.diskFreeBytesMin);
    for (const to of targets.slice(0, wanted - from.length)) orders.push({ blob, from, to });
    if (orders.length >= input.ordersMax) return orders.slice(0, input.ordersMax);
  }
  return orders;
}

/** Rendezvous weight: FNV-1a over both names. Stable, spread, and no secret. */
function mix(blob: BlobHash, nodeId: NodeId): number {
  let hash = 0x811c9dc5;
  for (const text of [blob, nodeId])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
