/** The solver's process: one program after the other, until the agent lets go of it. */
import { setPriority } from "node:os";
import highsModule, { type Highs, type Model, type ModelData } from "highs";
import type { Solution } from "../../../shared/program.ts";
import type { FlatProgram, SolverAnswer, SolverQuestion } from "./protocol.ts";

/** A solution within this of what was proved is as good as proved. */
const SAME_GAP = 1e-6;

process.title = "skein-solver";
// It ends when the agent says so or is gone, and not by a signal meant for the whole group.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Below the agent and its executors: a plan may be late, a heartbeat or a page may not.
setPriority(15);

function answer(message: SolverAnswer): void {
  // An error here means that the agent is gone; "disconnect" follows.
  process.send?.(message, () => {});
}

function modelOf(highs: Highs, program: FlatProgram): ModelData {
  const { cost, lower, upper, whole, rowLower, rowUpper, starts, columns, coefficients } = program;
  const { minimize, maximize } = highs.constants.objectiveSense;
  const [numRows, numCols] = [rowLower.length, cost.length];
  return {
    numCols,
    numRows,
    sense: program.maximise ? maximize : minimize,
    colCost: cost,
    colLower: lower,
    colUpper: upper,
    rowLower,
    rowUpper,
    matrix: { format: "csr", numRows, numCols, starts, indices: columns, values: coefficients },
    ...(whole && { integrality: whole }),
  };
}

type Found = Omit<Solution, "values" | "prices"> & { values: Float64Array; prices: Float64Array };

function solve(highs: Highs, { program, options }: SolverQuestion): Found {
  const startedMs = performance.now();
  const { timeLimitMs, gap, start } = options;
  return highs.withModel(modelOf(highs, program), (model) => {
    model.options.set({ output_flag: false, time_limit: timeLimitMs / 1_000, ...(gap && { mip_rel_gap: gap }) });
    if (start) model.setSolution({ colValue: start });
    model.run();
    const { unboundedOrInfeasible } = highs.constants.modelStatus;
    // Presolve cannot tell the two apart; the search itself can.
    if (model.getModelStatus() === unboundedOrInfeasible) {
      model.options.set({ presolve: "off" });
      model.run();
    }
    return { ...read(highs, model, program), seconds: (performance.now() - startedMs) / 1_000 };
  });
}

function read(highs: Highs, model: Model, program: FlatProgram): Omit<Found, "seconds"> {
  const { optimal, infeasible, unbounded, unboundedOrInfeasible, empty } = highs.constants.modelStatus;
  const status = model.getModelStatus();
  const open = program.maximise ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const nothing = { objective: 0, values: new Float64Array(), prices: new Float64Array(), bound: open };
  if (status === infeasible) return { status: "infeasible", ...nothing };
  if (status === unbounded || status === unboundedOrInfeasible) return { status: "unbounded", ...nothing };
  const isFeasible = model.info.get("primal_solution_status") === highs.constants.solutionStatus.feasible;
  const isDone = status === optimal || status === empty;
  const isWhole = program.whole !== undefined;
  const proved = isWhole ? Number(model.info.get("mip_dual_bound")) : open;
  if (!isDone && !isFeasible) return { status: "none", ...nothing, bound: proved };
  const { colValue, rowDual } = model.getSolution();
  const objective = model.getObjectiveValue();
  const bound = isWhole ? proved : isDone ? objective : open;
  const isProved = isDone && Math.abs(bound - objective) <= SAME_GAP * Math.max(1, Math.abs(objective));
  return {
    status: isProved ? "optimal" : "feasible",
    objective,
    values: colValue,
    prices: isWhole || !isDone ? new Float64Array() : rowDual,
    bound,
  };
}

// Its types describe the CommonJS build; an import gets the ESM one, whose default is the loader itself.
const loadHighs = highsModule as unknown as typeof highsModule.default;
const highs = await loadHighs();
process.on("message", (question: SolverQuestion) => {
  const { id } = question;
  try {
    answer({ id, solution: solve(highs, question) });
  } catch (error) {
    answer({ id, reason: error instanceof Error ? error.message : String(error) });
  }
});
answer({ id: 0 });
