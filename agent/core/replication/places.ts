import type { BlobHash, NodeId } from "../../../shared/ids.ts";

/** A node as a place to keep copies. */
export interface CopyPlace {
  nodeId: NodeId;
  /** Reachable and answering. */
  live: boolean;
  diskFreeBytes: number;
  /** The failure domain that people say it is in; without one it is its own. */
  zone?: string;
  /** May be switched off soon: gets copies only when nobody else can. */
  drained?: true;
  /** Drained for good: its copies are read from and count no more. */
  leaving?: true;
}

/** How many copies a fleet of this size can hold at all. */
export const copiesPossible = (wanted: number, places: readonly CopyPlace[]): number =>
  Math.min(wanted, places.filter((place) => !place.leaving).length);

/** How many of these holders will still be there. */
export function copiesStaying(holders: Iterable<NodeId>, places: readonly CopyPlace[]): number {
  const leaving = new Set(places.filter((place) => place.leaving).map((place) => place.nodeId));
  return [...holders].filter((nodeId) => !leaving.has(nodeId)).length;
}

/** What fails together. */
export const zoneOf = ({ zone, nodeId }: CopyPlace): string => (zone === undefined ? nodeId : `zone ${zone}`);

/** How many of these places are in each zone. */
export function crowds(places: Iterable<CopyPlace>): Map<string, number> {
  const count = new Map<string, number>();
  for (const place of places) count.set(zoneOf(place), (count.get(zoneOf(place)) ?? 0) + 1);
  return count;
}

/**
 * Where to put copies, best first: live nodes with room, those in a zone with fewer copies before others, drained ones
 * last; then those that are likely to need it. Among equals the blob's own hash decides, and draws a disk as often as it has free space, so that copies spread
 * without anyone keeping count: weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash
 * Tables", SPAA 2005, the logarithmic method).
 */
export function copyTargets(
  blob: BlobHash,
  places: readonly CopyPlace[],
  holders: readonly NodeId[],
  diskFreeBytesMin: number,
  likely: ReadonlySet<NodeId> = NOBODY,
): NodeId[] {
  const rest = places
    .filter((place) => place.live && !place.leaving && place.diskFreeBytes >= diskFreeBytesMin)
    .filter((place) => !holders.includes(place.nodeId))
    .map((place) => ({ place, score: scoreOf(blob, place, diskFreeBytesMin) }))
    .sort((a, b) => Number(likely.has(b.place.nodeId)) - Number(likely.has(a.place.nodeId)) || b.score - a.score);
  const crowd = crowds(places.filter((place) => !place.leaving && holders.includes(place.nodeId)));
  // Each place of a zone comes after as many as the zone has before it: to take the least crowded one by one is to sort by that.
  const ranked = [...rest.filter(({ place }) => !place.drained), ...rest.filter(({ place }) => place.drained)].map(
    ({ place }) => {
      const before = crowd.get(zoneOf(place)) ?? 0;
      crowd.set(zoneOf(place), before + 1);
      return { nodeId: place.nodeId, rank: (place.drained ? 2 * places.length : 0) + before };
    },
  );
  return ranked.sort((a, b) => a.rank - b.rank).map(({ nodeId }) => nodeId);
}

export const NOBODY: ReadonlySet<NodeId> = new Set();

/** How much this blob belongs on this node: the larger, the more. */
export function scoreOf(blob: BlobHash, place: CopyPlace, diskFreeBytesMin: number): number {
  const weight = Math.max(1, place.diskFreeBytes - diskFreeBytesMin);
  return weight / -Math.log((mix(blob, place.nodeId) + 0.5) / 2 ** 32);
}

/** FNV-1a over both names, finished as in MurmurHash3, so that its upper bits are as good as its lower ones. No secret. */
function mix(blob: BlobHash, nodeId: NodeId): number {
  let hash = 0x811c9dc5;
  for (const text of [blob, nodeId])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
