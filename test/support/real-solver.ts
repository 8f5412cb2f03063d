/** The real solver for a test file; it is closed behind the last test. */
import { afterAll } from "vitest";
import { createSolver } from "../../agent/io/solver/index.ts";
import type { Solver } from "../../agent/ports/index.ts";

export function realSolver(): Solver {
  const solver = createSolver({ telemetry: { log: () => {} } });
  afterAll(() => solver.close());
  return solver;
}
