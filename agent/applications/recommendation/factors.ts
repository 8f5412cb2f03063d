/**
 * A recommender of few numbers: which pages go together, solved in one step, then cut into two rows of factors per page.
 * EASE: H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019.
 */

/** Square, row by row. */
export type Matrix = Float64Array[];

/** How much more likely a visit to `j` makes what a visit to `i` tells: weights[i][j], none on the diagonal. */
export function togetherness(people: readonly (readonly number[])[], pages: number, regularisation: number): Matrix {
  const both: Matrix = Array.from({ length: pages }, () => new Float64Array(pages));
  for (const person of people) for (const i of person) for (const j of person) both[i]![j]!++;
  for (let i = 0; i < pages; i++) both[i]![i]! += regularisation;
  const inverse = inverted(both);
  return inverse.map((row, i) => row.map((value, j) => (i === j ? 0 : -value / inverse[j]![j]!)));
}

/** By Gauss and Jordan with the largest pivot. */
function inverted(matrix: Matrix): Matrix {
  const size = matrix.length;
  const rows = matrix.map((row, i) => {
    const wide = new Float64Array(2 * size);
    wide.set(row);
    wide[size + i] = 1;
    return wide;
  });
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let i = column + 1; i < size; i++)
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const lead = rows[column]!;
    const divisor = lead[column]!;
    for (let k = 0; k < lead.length; k++) lead[k]! /= divisor;
    for (const row of rows) {
      const factor = row[column]!;
      if (row !== lead && factor !== 0) for (let k = 0; k < row.length; k++) row[k]! -= factor * lead[k]!;
    }
  }
  return rows.map((row) => row.slice(size));
}

export interface Factors {
  width: number;
  /** [pages, width]: what a visit says of the visitor. */
  taken: Float32Array;
  /** [pages, width]: what a page is to visitors; its product with a profile is the page's score. */
  given: Float32Array;
}

/**
 * Two rows per page whose products are nearest to the weights. The diagonal is free, as nobody is told to visit a page again:
 * each round fills it with what the factors make of it. Same numbers every time.
 */
export function factorised(weights: Matrix, width: number, rounds = 8): Factors {
  const size = weights.length;
  const filled = weights.map((row) => row.slice());
  let basis: Matrix = Array.from({ length: width }, (_, k) =>
    Float64Array.from({ length: size }, (_, i) => Math.sin((i + 1) * (k + 1))),
  );
  let projected: Matrix = [];
  for (let round = 0; round < rounds; round++) {
    for (let step = 0; step < 12; step++) basis = orthonormal(times(times(basis, filled, true), filled, false));
    projected = times(basis, filled, true);
    for (let i = 0; i < size; i++) filled[i]![i] = basis.reduce((sum, b, k) => sum + projected[k]![i]! * b[i]!, 0);
  }
  const laid = (rows: Matrix): Float32Array =>
    Float32Array.from({ length: size * width }, (_, at) => rows[at % width]![Math.floor(at / width)]!);
  return { width, taken: laid(projected), given: laid(basis) };
}

/** Each row times the matrix, or times it transposed. */
function times(rows: Matrix, matrix: Matrix, isTransposed: boolean): Matrix {
  return rows.map((row) => {
    if (isTransposed)
      return Float64Array.from(matrix, (line) => line.reduce((sum, value, j) => sum + value * row[j]!, 0));
    const sum = new Float64Array(row.length);
    matrix.forEach((line, i) => {
      for (let j = 0; j < line.length; j++) sum[j]! += row[i]! * line[j]!;
    });
    return sum;
  });
}

/** By Gram and Schmidt, twice over for rounding's sake. */
function orthonormal(rows: Matrix): Matrix {
  const done: Matrix = [];
  for (const row of rows) {
    for (let again = 0; again < 2; again++)
      for (const other of done) {
        const along = other.reduce((sum, value, i) => sum + value * row[i]!, 0);
        for (let i = 0; i < row.length; i++) row[i]! -= along * other[i]!;
      }
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    done.push(row.map((value) => value / length));
  }
  return done;
}

/** The ten best pages that were not visited. */
export function topTenBy({ width, taken, given }: Factors, visited: readonly number[]): number[] {
  const profile = new Float64Array(width);
  for (const page of visited) for (let k = 0; k < width; k++) profile[k]! += taken[page * width + k]!;
  const scores = Array.from({ length: given.length / width }, (_, page) => {
    let score = 0;
    for (let k = 0; k < width; k++) score += profile[k]! * given[page * width + k]!;
    return { page, score };
  });
  const open = scores.filter(({ page }) => !visited.includes(page));
  return open
    .sort((a, b) => b.score - a.score || a.page - b.page)
    .slice(0, 10)
    .map(({ page }) => page);
}
