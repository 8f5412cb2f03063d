/**
 * Which columns and rows the arrows take between the layers of a drawing in a terminal. What keeps them apart: no two of them
 * stand in one column of a gap. Columns where arrows leave a box, reach a box, or pass by boxes differ modulo 3; where an
 * arrow goes straight down instead, the column is its own at both ends.
 */
import type { Layout, PlacedArrow, PlacedBox } from "./layout.ts";

/** One arrow's way through the gap below a layer: down at `from`, along row `track`, down at `to`. */
export interface Crossing {
  from: number;
  to: number;
  /** From 0; absent where it goes straight. */
  track?: number;
  reachesBox: boolean;
  isCondition: boolean;
}

export interface Routes {
  layers: PlacedBox[][];
  /** Below each layer but the last. */
  gaps: { crossings: Crossing[]; tracks: number }[];
}

const LEAVES = 0;
const REACHES = 1;
const PASSES = 2;
const CLASSES = 3;
/** A step aside of so little is no step worth drawing. */
const STRAIGHT_WITHIN = 2;

/** What a box needs inside its border for so many arrows on one side. */
export const widthForArrows = (arrows: number): number => CLASSES * arrows + 1;

export function routesOf({ boxes, arrows }: Layout): Routes {
  const middles = [...new Set(boxes.map(middleOf))].sort((a, b) => a - b);
  const layers = middles.map((middle) => boxes.filter((box) => middleOf(box) === middle));
  const layerOf = new Map(layers.flatMap((layer, i) => layer.map(({ id }) => [id, i] as const)));
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const leaves = anchors(boxes, arrows, "from", LEAVES);
  const reaches = anchors(boxes, arrows, "to", REACHES);
  const at = new Map(arrows.map((arrow) => [arrow, leaves.get(arrow)!]));
  const gaps = layers.slice(0, -1).map((_, layer) => {
    const inGap = arrows.filter(({ from, to }) => layerOf.get(from)! <= layer && layerOf.get(to)! > layer);
    const passed = new Set<number>();
    const before = inGap.map((arrow) => at.get(arrow)!);
    const crossings = inGap.map((arrow): Crossing => {
      const from = at.get(arrow)!;
      const reachesBox = layerOf.get(arrow.to) === layer + 1;
      const to = reachesBox
        ? reachColumn(from, reaches.get(arrow)!, byId.get(arrow.to)!, arrows)
        : passColumn(from, xAt(arrow, middles[layer + 1]!), layers[layer + 1]!, new Set([...passed, ...before]));
      if (!reachesBox) passed.add(to);
      at.set(arrow, to);
      return { from, to, reachesBox, isCondition: arrow.isCondition };
    });
    return { crossings, tracks: giveTracks(crossings) };
  });
  return { layers, gaps };
}

const middleOf = ({ y, height }: PlacedBox): number => Math.round(2 * y + height) / 2;
const spanOf = ({ x, width }: PlacedBox): [left: number, right: number] => [Math.round(x), Math.round(x) + width - 1];
const isInside = (column: number, box: PlacedBox): boolean => {
  const [left, right] = spanOf(box);
  return column > left && column < right;
};

/** Where arrows leave or reach their boxes: spread over the width, in the order of where they come from or go to. */
function anchors(
  boxes: readonly PlacedBox[],
  arrows: readonly PlacedArrow[],
  end: "from" | "to",
  kind: number,
): Map<PlacedArrow, number> {
  const columns = new Map<PlacedArrow, number>();
  for (const box of boxes) {
    const own = arrows.filter((arrow) => arrow[end] === box.id);
    const neighbour = ({ points }: PlacedArrow): number => (end === "from" ? points[1]! : points.at(-2)!).x;
    own.sort((a, b) => neighbour(a) - neighbour(b));
    const [left, right] = spanOf(box);
    const free = rangeOf(left + 1, right - 1).filter((column) => column % CLASSES === kind);
    for (const [i, arrow] of own.entries())
      columns.set(arrow, free[Math.floor(((i + 0.5) * free.length) / own.length)]!);
  }
  return columns;
}

const rangeOf = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Straight down where that is nearly so, or where the arrow is the only one to reach the box. */
function reachColumn(from: number, wished: number, box: PlacedBox, arrows: readonly PlacedArrow[]): number {
  const isOnly = arrows.filter(({ to }) => to === box.id).length === 1;
  const isStraight = isInside(from, box) && (isOnly || Math.abs(from - wished) <= STRAIGHT_WITHIN);
  return isStraight ? from : wished;
}

/** `taken` are the columns of other arrows above and below this layer. */
function passColumn(from: number, wished: number, layer: readonly PlacedBox[], taken: ReadonlySet<number>): number {
  const isFree = (column: number): boolean => {
    const isTaken = taken.has(column) && column !== from;
    return column >= 0 && !isTaken && !layer.some((box) => isInside(column, box) || spanOf(box).includes(column));
  };
  if (Math.abs(from - wished) <= STRAIGHT_WITHIN + 1 && isFree(from)) return from;
  const near = Math.round((wished - PASSES) / CLASSES) * CLASSES + PASSES;
  for (let step = 0; ; step += CLASSES) {
    const free = [near - step, near + step].find((column) => isFree(column) && column !== from);
    if (free !== undefined) return free;
  }
}

/** An arrow bends where it passes a layer, so between two bends it is straight. */
function xAt({ points }: PlacedArrow, y: number): number {
  const after = points.findIndex((point) => point.y >= y);
  const [a, b] = [points[Math.max(0, after - 1)]!, points[after]!];
  return b.y === a.y ? b.x : a.x + ((b.x - a.x) * (y - a.y)) / (b.y - a.y);
}

/** Rows in which no two overlap, short ways first so that long ones do not cut them; gives how many. */
function giveTracks(crossings: readonly Crossing[]): number {
  const tracks: [number, number][][] = [];
  const bent = crossings.filter(({ from, to }) => from !== to);
  for (const crossing of bent.sort((a, b) => Math.abs(a.from - a.to) - Math.abs(b.from - b.to))) {
    const [left, right] = [Math.min(crossing.from, crossing.to), Math.max(crossing.from, crossing.to)];
    const free = tracks.findIndex((track) => track.every(([from, to]) => right < from || left > to));
    crossing.track = free < 0 ? tracks.length : free;
    tracks[crossing.track] ??= [];
    tracks[crossing.track]!.push([left, right]);
  }
  return tracks.length;
}
