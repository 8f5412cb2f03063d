/** Connected areas of a probability map, found row by row (runs joined by union-find, 8 neighbours). */
export interface Component {
  /** Map pixels in it. */
  area: number;
  /** Mean probability over it. */
  score: number;
  /** For each of its rows, top to bottom: y, first x, last x. Enough for its convex hull. */
  rows: number[];
}

/** Runs of one map, in columns: cheaper than an object for each of tens of thousands of runs. */
class Runs {
  readonly y: number[] = [];
  readonly first: number[] = [];
  readonly last: number[] = [];
  readonly sum: number[] = [];
  private readonly parent: number[] = [];

  get count(): number {
    return this.y.length;
  }

  push(y: number, first: number, last: number, sum: number): number {
    this.y.push(y);
    this.first.push(first);
    this.last.push(last);
    this.sum.push(sum);
    return this.parent.push(this.parent.length) - 1;
  }

  rootOf(run: number): number {
    let root = run;
    while (this.parent[root] !== root) root = this.parent[root]!;
    for (let at = run; at !== root; ) {
      const next = this.parent[at]!;
      this.parent[at] = root;
      at = next;
    }
    return root;
  }

  join(a: number, b: number): void {
    const [low, high] = [this.rootOf(a), this.rootOf(b)].sort((x, y) => x - y) as [number, number];
    this.parent[high] = low;
  }
}

function runsOf(map: Float32Array, width: number, height: number, threshold: number): Runs {
  const runs = new Runs();
  let above = 0;
  for (let y = 0; y < height; y++) {
    const rowStart = runs.count;
    let touching = above;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (map[at]! <= threshold) continue;
      const first = x;
      let sum = 0;
      for (; x < width && map[at]! > threshold; x++, at++) sum += map[at]!;
      const run = runs.push(y, first, x - 1, sum);
      while (touching < rowStart && runs.last[touching]! < first - 1) touching++;
      for (let other = touching; other < rowStart && runs.first[other]! <= x; other++) runs.join(run, other);
    }
    above = rowStart;
  }
  return runs;
}

/** In the order of their topmost pixels. */
export function componentsOf(map: Float32Array, width: number, height: number, threshold: number): Component[] {
  const runs = runsOf(map, width, height, threshold);
  const byRoot = new Map<number, Component>();
  for (let run = 0; run < runs.count; run++) {
    const root = runs.rootOf(run);
    let component = byRoot.get(root);
    if (!component) {
      component = { area: 0, score: 0, rows: [] };
      byRoot.set(root, component);
    }
    component.area += runs.last[run]! - runs.first[run]! + 1;
    component.score += runs.sum[run]!;
    const { rows } = component;
    const sameRow = rows.length > 0 && rows.at(-3) === runs.y[run];
    if (sameRow) rows[rows.length - 1] = runs.last[run]!;
    else rows.push(runs.y[run]!, runs.first[run]!, runs.last[run]!);
  }
  for (const component of byRoot.values()) component.score /= component.area;
  return [...byRoot.values()];
}
