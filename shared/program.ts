/** A linear or mixed-integer program as data: what core/planner writes, io/solver solves. */

export interface Column {
  /** In the objective. */
  cost: number;
  lower: number;
  /** Infinity: none. */
  upper: number;
  integer?: boolean;
}

/** lower <= sum of coefficient * column <= upper. */
export interface Row {
  lower: number;
  upper: number;
  terms: [column: number, coefficient: number][];
}

export interface Program {
  sense: "minimise" | "maximise";
  columns: Column[];
  rows: Row[];
}

export interface SolveOptions {
  /** Milliseconds of wall time; the best found by then is the answer. */
  timeLimitMs: number;
  /** Relative gap at which a solution is good enough, e.g. 0.02. */
  gap?: number;
  /** A feasible solution to begin with, one value a column. */
  start?: number[];
}

export interface Solution {
  /** `feasible`: something was found, and the time or the gap ended the search. `none`: nothing was by then. */
  status: "optimal" | "feasible" | "infeasible" | "unbounded" | "none";
  objective: number;
  /** One a column; empty without a solution. */
  values: number[];
  /** Shadow prices, one a row: by how much the objective grows if the row's bound does; empty for a program with whole columns. */
  prices: number[];
  /** What no solution can beat, as proved so far. */
  bound: number;
  seconds: number;
}
