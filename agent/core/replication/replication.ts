import type { BlobHash, NodeId } from "../../../shared/ids.ts";

/** A node as a place to keep copies. */
export interface CopyPlace {
  nodeId: NodeId;
  /** Reachable and answering. */
  live: boolean;
  diskFreeBytes: number;
  /** May be switched off soon: gets copies only when nobody else can. */
  drained?: true;
  /** Drained for good: its copies are read from and count no more. */
  leaving?: true;
}

export interface CopyOrder {
  blob: BlobHash;
  /** Live holders to copy from. */
  from: NodeId[];
  to: NodeId;
}

/** How many copies a fleet of this size can hold at all. */
export const copiesPossible = (wanted: number, places: readonly CopyPlace[]): number =>
  Math.min(wanted, places.filter((place) => !place.leaving).length);

/** How many of these holders will still be there. */
export function copiesStaying(holders: Iterable<NodeId>, places: readonly CopyPlace[]): number {
  const leaving = new Set(places.filter((place) => place.leaving).map((place) => place.nodeId));
  return [...holders].filter((nodeId) => !leaving.has(nodeId)).length;
}

/**
 * Where to put copies, best first: live nodes with room, in an order drawn by the blob's own hash (rendezvous hashing),
 * so that copies spread without anyone keeping count; drained ones come last.
 */
export function copyTargets(
  blob: BlobHash,
  places: readonly CopyPlace[],
  holders: readonly NodeId[],
  diskFreeBytesMin: number,
): NodeId[] {
  return places
    .filter((place) => place.live && !place.leaving && place.diskFreeBytes >= diskFreeBytesMin)
    .filter((place) => !holders.includes(place.nodeId))
    .map((place) => ({ ...place, weight: mix(blob, place.nodeId) }))
    .sort((a, b) => Number(a.drained ?? false) - Number(b.drained ?? false) || a.weight - b.weight)
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
  const wanted = copiesPossible(
    input.wanted,
    input.places.filter((place) => place.live),
  );
  const orders: CopyOrder[] = [];
  for (const [blob, holders] of input.holders) {
    const from = [...holders].filter((nodeId) => live.has(nodeId));
    const staying = copiesStaying(from, input.places);
    if (from.length === 0 || staying >= wanted) continue;
    const targets = copyTargets(blob, input.places, [...holders], input.diskFreeBytesMin);
    for (const to of targets.slice(0, wanted - staying)) orders.push({ blob, from, to });
    if (orders.length >= input.ordersMax) return orders.slice(0, input.ordersMax);
  }
  return orders;
}

/** What would be short of copies without this node: blobs it holds, and those of them that no live node beside it holds. */
export function copiesOwed(input: {
  holders: Iterable<readonly [BlobHash, ReadonlySet<NodeId>]>;
  places: readonly CopyPlace[];
  wanted: number;
  node: NodeId;
}): { owed: number; onlyHere: number } {
  const others = input.places.filter((place) => place.live && place.nodeId !== input.node);
  const live = new Set(others.map((place) => place.nodeId));
  const wanted = copiesPossible(input.wanted, others);
  const elsewhere = [...input.holders]
    .filter(([, holders]) => holders.has(input.node))
    .map(([, holders]) =>
      copiesStaying(
        [...holders].filter((nodeId) => live.has(nodeId)),
        others,
      ),
    );
  return {
    owed: elsewhere.filter((copies) => copies < wanted).length,
    onlyHere: elsewhere.filter((copies) => copies === 0).length,
  };
}

/** Rendezvous weight: FNV-1a over both names. Stable, spread, and no secret. */
function mix(blob: BlobHash, nodeId: NodeId): number {
  let hash = 0x811c9dc5;
  for (const text of [blob, nodeId])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
