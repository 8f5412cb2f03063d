import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import {
  type CopyPlace,
  copiesPossible,
  copiesStaying,
  copyTargets,
  crowds,
  NOBODY,
  scoreOf,
  zoneOf,
} from "./places.ts";

export interface CopyOrder {
  blob: BlobHash;
  /** Live holders to copy from. */
  from: NodeId[];
  to: NodeId;
}

export interface DropOrder {
  blob: BlobHash;
  node: NodeId;
  /** Live holders that stay: as many as are wanted, or more. */
  staying: NodeId[];
  wanted: number;
}

export interface Orders {
  copies: CopyOrder[];
  drops: DropOrder[];
}

/** What is the same for every blob that is looked at in one go. */
export interface Survey {
  readonly places: readonly CopyPlace[];
  readonly live: ReadonlyMap<NodeId, CopyPlace>;
  /** Live places that stay: no blob can have more copies. */
  readonly stayingCount: number;
  /** Some places share a zone and others are elsewhere: only then is there anything to spread. */
  readonly isZoned: boolean;
  readonly diskFreeBytesMin: number;
}

export function survey(places: readonly CopyPlace[], diskFreeBytesMin: number): Survey {
  const live = new Map(places.filter((place) => place.live).map((place) => [place.nodeId, place]));
  const staying = [...live.values()].filter((place) => !place.leaving);
  const zones = crowds(staying).size;
  return { places, live, stayingCount: staying.length, isZoned: zones > 1 && zones < staying.length, diskFreeBytesMin };
}

/**
 * What is to be done about one blob. First, enough copies; a blob with no live holder waits, for nobody can copy it. Then,
 * if `tidy`: one in another zone when all are in the same, one where it is likely to be needed next when none is there, and
 * after that the surplus goes, so that never fewer than `wanted` live copies stay and never fewer zones than those could be
 * in.
 */
export function ordersFor(
  blob: BlobHash,
  holders: Iterable<NodeId>,
  wanted: number,
  { places, live, stayingCount, isZoned, diskFreeBytesMin }: Survey,
  tidy: boolean,
  likely: ReadonlySet<NodeId> = NOBODY,
): Orders {
  const all = [...holders];
  const from = all.filter((nodeId) => live.has(nodeId));
  const staying = from.map((nodeId) => live.get(nodeId)!).filter((place) => !place.leaving);
  const missing = Math.min(wanted, stayingCount) - staying.length;
  if (from.length === 0 || (missing <= 0 && !tidy)) return NOTHING;
  const copyTo = (targets: NodeId[]): Orders => ({ copies: targets.map((to) => ({ blob, from, to })), drops: [] });
  const targets = (): NodeId[] => copyTargets(blob, places, all, diskFreeBytesMin, likely);
  if (missing > 0) return copyTo(targets().slice(0, missing));
  if (isZoned && wanted > 1 && crowds(staying).size === 1) {
    const elsewhere = targets().find((nodeId) => {
      const place = live.get(nodeId)!;
      return !place.drained && zoneOf(place) !== zoneOf(staying[0]!);
    });
    if (elsewhere !== undefined) return copyTo([elsewhere]);
  }
  if (likely.size > 0 && !staying.some(({ nodeId }) => likely.has(nodeId))) {
    const next = targets().find((nodeId) => likely.has(nodeId) && !live.get(nodeId)!.drained);
    if (next !== undefined) return copyTo([next]);
  }
  if (staying.length <= Math.max(1, wanted)) return NOTHING;
  return { copies: [], drops: surplus(blob, staying, Math.max(1, wanted), diskFreeBytesMin, likely) };
}

const NOTHING: Orders = { copies: [], drops: [] };

/**
 * Which copies go: of those whose zone is not missed, one on a nearly full disk, else a drained one, else one where it is not
 * likely to be needed, else the one that belongs there least.
 */
function surplus(
  blob: BlobHash,
  places: readonly CopyPlace[],
  wanted: number,
  diskFreeBytesMin: number,
  likely: ReadonlySet<NodeId>,
): DropOrder[] {
  const kept = [...places];
  const gone: NodeId[] = [];
  const worth = (place: CopyPlace): number[] => [
    Number(place.diskFreeBytes >= diskFreeBytesMin),
    Number(!place.drained),
    Number(likely.has(place.nodeId)),
    scoreOf(blob, place, diskFreeBytesMin),
  ];
  while (kept.length > wanted) {
    const zones = crowds(kept);
    const mayGo = kept.filter((place) => zones.size > wanted || zones.get(zoneOf(place))! > 1);
    const least = mayGo.reduce((a, b) => (isLess(worth(b), worth(a)) ? b : a));
    kept.splice(kept.indexOf(least), 1);
    gone.push(least.nodeId);
  }
  const staying = kept.map((place) => place.nodeId);
  return gone.map((node) => ({ blob, node, staying, wanted }));
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, at) => value !== b[at]);
  return i >= 0 && a[i]! < b[i]!;
}

/** What would be short of copies without this node: blobs it holds, and those of them that no live node beside it holds. */
export function copiesOwed(input: {
  holders: Iterable<readonly [BlobHash, ReadonlySet<NodeId>]>;
  wantedOf: (blob: BlobHash) => number;
  places: readonly CopyPlace[];
  node: NodeId;
}): { owed: number; onlyHere: number } {
  const others = input.places.filter((place) => place.live && place.nodeId !== input.node);
  const live = new Set(others.map((place) => place.nodeId));
  let [owed, onlyHere] = [0, 0];
  for (const [blob, holders] of input.holders) {
    if (!holders.has(input.node)) continue;
    const elsewhere = [...holders].filter((nodeId) => live.has(nodeId));
    const copies = copiesStaying(elsewhere, others);
    if (copies < copiesPossible(input.wantedOf(blob), others)) owed++;
    if (copies === 0) onlyHere++;
  }
  return { owed, onlyHere };
}
