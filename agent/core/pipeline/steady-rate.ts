/** Kinds of work that each item brings, and who can do them. */
export interface SteadyWork {
  /** By kind, by worker: seconds of one executor that an item takes there; Infinity where it cannot be done. */
  seconds: readonly (readonly number[])[];
  /** By worker. */
  executors: readonly number[];
}

const SMALLEST = 1e-9;

/**
 * Items a second that workers can reach together for ever, each giving its time to whatever kinds of work it likes: the
 * linear program  max r,  sum over workers x(k,w) = r,  sum over kinds seconds(k,w) x(k,w) <= executors(w),  solved exactly by the
 * simplex method on a dense tableau with Bland's rule (no cycles). Everything idle is a solution, so there is no first phase.
 */
export function steadyRate({ seconds, executors }: SteadyWork): number {
  const pairs = seconds.flatMap((row, kind) =>
    row.flatMap((lasts, worker) => (Number.isFinite(lasts) ? [{ kind, worker, lasts }] : [])),
  );
  if (seconds.some((row) => !row.some(Number.isFinite))) return 0;
  const [kinds, workers] = [seconds.length, executors.length];
  const width = 1 + pairs.length + kinds + workers + 1;
  const row = (slack: number, limit: number): Float64Array => {
    const made = new Float64Array(width);
    made[1 + pairs.length + slack] = 1;
    made[width - 1] = limit;
    return made;
  };
  const rows = [
    ...seconds.map((_, kind) => row(kind, 0)),
    ...executors.map((count, worker) => row(kinds + worker, count)),
  ];
  for (let kind = 0; kind < kinds; kind++) rows[kind]![0] = 1;
  for (const [place, { kind, worker, lasts }] of pairs.entries()) {
    rows[kind]![1 + place] = -1;
    rows[kinds + worker]![1 + place] = Math.max(lasts, SMALLEST);
  }
  const gain = new Float64Array(width);
  gain[0] = 1;
  const basis = rows.map((_, place) => 1 + pairs.length + place);
  while (pivot(rows, gain, basis));
  return -gain[width - 1]!;
}

/** One step of the simplex method; false at the optimum. */
function pivot(rows: Float64Array[], gain: Float64Array, basis: number[]): boolean {
  const width = gain.length;
  const enters = gain.findIndex((one, place) => place < width - 1 && one > SMALLEST);
  if (enters < 0) return false;
  const leaves = tightest(rows, basis, enters);
  if (leaves < 0) return false;
  const chosen = rows[leaves]!;
  const by = chosen[enters]!;
  for (let place = 0; place < width; place++) chosen[place] = chosen[place]! / by;
  for (const other of [...rows, gain]) {
    const times = other[enters]!;
    if (other === chosen || times === 0) continue;
    for (let place = 0; place < width; place++) other[place] = other[place]! - times * chosen[place]!;
  }
  basis[leaves] = enters;
  return true;
}

/** The row that limits the entering column most; among equals that of the first column in the basis (Bland). */
function tightest(rows: readonly Float64Array[], basis: readonly number[], enters: number): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const [place, row] of rows.entries()) {
    if (row[enters]! <= SMALLEST) continue;
    const limit = row[row.length - 1]! / row[enters]!;
    if (limit < least - SMALLEST || (limit <= least + SMALLEST && basis[place]! < basis[best]!))
      [best, least] = [place, limit];
  }
  return best;
}
