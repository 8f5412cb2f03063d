/** What the agent and its solver say to each other, over a channel with structured clone: flat arrays, which it copies fastest. */
import type { Program, Solution, SolveOptions } from "../../../shared/program.ts";

export interface FlatProgram {
  maximise: boolean;
  cost: Float64Array;
  lower: Float64Array;
  upper: Float64Array;
  /** 1 for a whole column; absent if there is none. */
  whole?: Int32Array;
  rowLower: Float64Array;
  rowUpper: Float64Array;
  /** Row by row: where each begins in the two lists behind, and where the last one ends. */
  starts: Int32Array;
  columns: Int32Array;
  coefficients: Float64Array;
}

export interface SolverQuestion {
  id: number;
  program: FlatProgram;
  options: Omit<SolveOptions, "start"> & { start?: Float64Array };
}

/** `id` 0: it is loaded, and takes questions. */
export type SolverAnswer =
  | { id: number }
  | { id: number; solution: Omit<Solution, "values" | "prices"> & { values: Float64Array; prices: Float64Array } }
  | { id: number; reason: string };

export function flatten({ sense, columns, rows }: Program): FlatProgram {
  const terms = rows.reduce((sum, row) => sum + row.terms.length, 0);
  const starts = new Int32Array(rows.length + 1);
  const indices = new Int32Array(terms);
  const coefficients = new Float64Array(terms);
  let at = 0;
  for (const [r, row] of rows.entries()) {
    for (const [column, coefficient] of row.terms) {
      indices[at] = column;
      coefficients[at++] = coefficient;
    }
    starts[r + 1] = at;
  }
  return {
    maximise: sense === "maximise",
    cost: Float64Array.from(columns, ({ cost }) => cost),
    lower: Float64Array.from(columns, ({ lower }) => lower),
    upper: Float64Array.from(columns, ({ upper }) => upper),
    ...(columns.some(({ integer }) => integer) && {
      whole: Int32Array.from(columns, ({ integer }) => (integer ? 1 : 0)),
    }),
    rowLower: Float64Array.from(rows, ({ lower }) => lower),
    rowUpper: Float64Array.from(rows, ({ upper }) => upper),
    starts,
    columns: indices,
    coefficients,
  };
}
