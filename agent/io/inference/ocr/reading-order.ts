import type { LeaningBox } from "./raster.ts";

/** A box in the page's own directions: the page's lean is taken out, so that lines are level and columns upright. */
interface Placed {
  box: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Boxes that stand beside each other, left to right. */
export type Row = number[];

/** Prose runs in long lines; cells of a table and labels of a form do not, and are read across. */
const proseAspectMin = 7;
const proseLinesMin = 3;

const middle = (placed: Placed): number => (placed.top + placed.bottom) / 2;
const heightOf = (placed: Placed): number => placed.bottom - placed.top;

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function placeBoxes(boxes: readonly LeaningBox[], lean: number): Placed[] {
  const cos = Math.cos(lean);
  const sin = Math.sin(lean);
  return boxes.map((box, index) => {
    const x = box.centreX * cos + box.centreY * sin;
    const y = box.centreY * cos - box.centreX * sin;
    const [halfWidth, halfHeight] = [box.width / 2, box.height / 2];
    return { box: index, left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight };
  });
}

/** Boxes are of one row if their middles are closer than half the lower one's height. */
function rowsOf(placed: readonly Placed[]): Row[] {
  const rows: Placed[][] = [];
  for (const box of [...placed].sort((a, b) => middle(a) - middle(b) || a.left - b.left)) {
    const row = rows.at(-1);
    const first = row?.[0];
    if (row && first && middle(box) - middle(first) < Math.min(heightOf(box), heightOf(first)) / 2) row.push(box);
    else rows.push([box]);
  }
  return rows.map((row) => row.sort((a, b) => a.left - b.left || a.top - b.top).map(({ box }) => box));
}

/** Lines of a column: boxes that overlap in height count as one, as long as they are together. */
function isProse(side: readonly Placed[]): boolean {
  if (side.length < proseLinesMin) return false;
  const aspects = side.map((placed) => (placed.right - placed.left) / heightOf(placed));
  return median(aspects) >= proseAspectMin;
}

/** A stretch of the page between two boxes that cross a gutter. */
interface Zone {
  boxes: Placed[];
  /** Set where both sides of the gutter are prose: read the left one to its end, then the right one. */
  columns?: [left: Placed[], right: Placed[]];
}

function zonesAt(x: number, sorted: readonly Placed[]): Zone[] {
  const zones: Zone[] = [];
  let open: Placed[] = [];
  const close = (): void => {
    if (open.length === 0) return;
    const left = open.filter((placed) => placed.right <= x);
    const right = open.filter((placed) => placed.left >= x);
    zones.push(isProse(left) && isProse(right) ? { boxes: open, columns: [left, right] } : { boxes: open });
    open = [];
  };
  for (const placed of sorted) {
    if (placed.left < x && placed.right > x) {
      close();
      zones.push({ boxes: [placed] });
    } else open.push(placed);
  }
  close();
  return zones;
}

function readBlock(placed: readonly Placed[]): Row[] {
  const sorted = [...placed].sort((a, b) => middle(a) - middle(b) || a.left - b.left);
  const step = Math.max(1, median(sorted.map(heightOf)) / 2);
  const gutters = new Set(sorted.map(({ right }) => (Math.floor(right / step) + 1) * step));
  let best: Zone[] = [];
  let bestCount = 0;
  for (const x of [...gutters].sort((a, b) => a - b)) {
    const zones = zonesAt(x, sorted);
    const count = zones.reduce((sum, zone) => sum + (zone.columns ? zone.boxes.length : 0), 0);
    if (count > bestCount) [best, bestCount] = [zones, count];
  }
  if (bestCount === 0) return rowsOf(sorted);
  const rows: Row[] = [];
  let across: Placed[] = [];
  for (const zone of best) {
    if (!zone.columns) {
      across.push(...zone.boxes);
      continue;
    }
    rows.push(...rowsOf(across), ...readBlock(zone.columns[0]), ...readBlock(zone.columns[1]));
    across = [];
  }
  return [...rows, ...rowsOf(across)];
}

/**
 * The order a person reads in: columns of prose one after the other, everything else (headings, tables, forms) row by
 * row. `lean` is the page's, in radians. Answers with indexes into `boxes`.
 */
export function readingOrder(boxes: readonly LeaningBox[], lean: number): Row[] {
  return readBlock(placeBoxes(boxes, lean));
}
