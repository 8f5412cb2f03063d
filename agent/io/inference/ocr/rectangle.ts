import type { LeaningBox } from "./raster.ts";

export type Point = readonly [x: number, y: number];

const turn = (a: Point, b: Point, c: Point): number => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);

/** Andrew's monotone chain; corners in order, without repeats. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (sorted.length < 3) return sorted;
  const chain = (input: Point[]): Point[] => {
    const hull: Point[] = [];
    for (const point of input) {
      while (hull.length >= 2 && turn(hull.at(-2)!, hull.at(-1)!, point) <= 0) hull.pop();
      hull.push(point);
    }
    hull.pop();
    return hull;
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}

/** The smallest box at a given angle that holds all points. */
export function boxAtAngle(points: readonly Point[], angle: number): LeaningBox {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of points) {
    const along = x * cos + y * sin;
    const across = y * cos - x * sin;
    left = Math.min(left, along);
    right = Math.max(right, along);
    top = Math.min(top, across);
    bottom = Math.max(bottom, across);
  }
  const along = (left + right) / 2;
  const across = (top + bottom) / 2;
  return {
    centreX: along * cos - across * sin,
    centreY: along * sin + across * cos,
    width: right - left,
    height: bottom - top,
    angle,
  };
}

/** Folds a direction into (-45, 45] degrees: a box has two axes, and text runs along the flatter one. */
function foldAngle(angle: number): number {
  const quarter = Math.PI / 2;
  let folded = angle % quarter;
  if (folded > quarter / 2) folded -= quarter;
  if (folded <= -quarter / 2) folded += quarter;
  return folded;
}

/** The box of least area around a convex hull: one of its sides lies along a side of the hull (rotating calipers). */
export function smallestBox(hull: readonly Point[]): LeaningBox {
  let best = boxAtAngle(hull, 0);
  for (let at = 0; at < hull.length; at++) {
    const [a, b] = [hull[at]!, hull[(at + 1) % hull.length]!];
    const box = boxAtAngle(hull, foldAngle(Math.atan2(b[1] - a[1], b[0] - a[0])));
    if (box.width * box.height < best.width * best.height) best = box;
  }
  return best;
}

/** Corners of the upright rectangle around a leaning one. */
export function uprightBounds(box: LeaningBox): { left: number; top: number; right: number; bottom: number } {
  const cos = Math.abs(Math.cos(box.angle));
  const sin = Math.abs(Math.sin(box.angle));
  const halfWidth = (box.width * cos + box.height * sin) / 2;
  const halfHeight = (box.width * sin + box.height * cos) / 2;
  return {
    left: box.centreX - halfWidth,
    top: box.centreY - halfHeight,
    right: box.centreX + halfWidth,
    bottom: box.centreY + halfHeight,
  };
}
