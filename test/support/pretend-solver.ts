/** A solver that never finds anything in its time: what stands then is what the fleet thinks of without it. */
import type { Solver } from "../../agent/ports/index.ts";

export const pretendSolver: Solver = {
  solve: async ({ sense }) => ({
    status: "none",
    objective: 0,
    values: [],
    prices: [],
    bound: sense === "maximise" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
    seconds: 0,
  }),
  close: async () => {},
};
