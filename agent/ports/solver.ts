import type { Program, Solution, SolveOptions } from "../../shared/program.ts";

/** Solves linear and mixed-integer programs in a process of its own, so that one that hangs or dies costs an answer and nothing else. */
export interface Solver {
  /**
   * Programs wait in call order. A search that ran out of time answers with the best it found, or with `none`.
   * @throws SOLVER_FAILED when the process died, could not be started, or did not answer a second after its time.
   */
  solve(program: Program, options: SolveOptions): Promise<Solution>;
  close(): Promise<void>;
}
