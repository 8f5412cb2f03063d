import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Program, Solution, SolveOptions } from "../../../shared/program.ts";
import type { Solver, Telemetry } from "../../ports/index.ts";
import { flatten } from "./protocol.ts";
import { SolverProcess, type SolverTimes } from "./solver-process.ts";

export interface SolverOptions {
  telemetry: Telemetry;
  /** Default: as in shared/limits.ts. */
  times?: SolverTimes;
  /** Default: child.ts. For tests of processes that break. */
  childFile?: string;
}

export const createSolver = (options: SolverOptions): Solver => new HighsSolver(options);

const failed = (reason: string): SkeinError => new SkeinError("SOLVER_FAILED", { reason });

class HighsSolver implements Solver {
  readonly #options: SolverOptions;
  #process: SolverProcess | undefined;
  /** Ends when all that was asked before is answered. */
  #before: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(options: SolverOptions) {
    this.#options = options;
  }

  async solve(program: Program, options: SolveOptions): Promise<Solution> {
    const reason = faultOf(program, options);
    if (reason) throw failed(reason);
    if (this.#closed) throw failed("it is closed");
    if (this.#waiting >= LIMITS.solverWaitingMax) throw failed(`${this.#waiting} programs wait for it already`);
    this.#waiting++;
    const answer = this.#before.then(() => this.#solveNow(program, options));
    this.#before = answer.catch(() => {});
    return answer.finally(() => this.#waiting--);
  }

  async #solveNow(program: Program, options: SolveOptions): Promise<Solution> {
    if (this.#closed) throw failed("it is closed");
    if (!this.#process?.usable) this.#process = this.#start();
    const { start, ...rest } = options;
    const question = {
      program: flatten(program),
      options: { ...rest, ...(start && { start: Float64Array.from(start) }) },
    };
    const { values, prices, ...solution } = await this.#process.ask(question);
    if (values.length !== 0 && values.length !== program.columns.length)
      throw failed("its answer is of another program");
    return { ...solution, values: [...values], prices: [...prices] };
  }

  #start(): SolverProcess {
    const { telemetry, times, childFile } = this.#options;
    const child = new SolverProcess({ ...(times && { times }), ...(childFile && { childFile }) });
    void child.ended.then((reason) => {
      if (this.#process === child) this.#process = undefined;
      telemetry.log("debug", "solverEnded", { reason });
    });
    return child;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#process;
    child?.kill("it is closed");
    await child?.ended;
    await this.#before;
  }
}

/** Checked here, where a wrong program is still the fault of whoever wrote it. */
function faultOf({ columns, rows }: Program, { start }: SolveOptions): string | undefined {
  if (columns.length + rows.length > LIMITS.solverColumnsMax)
    return `a program of ${columns.length} columns and ${rows.length} rows is too large for it`;
  if (start && start.length !== columns.length) return "the start has a value for each column";
  const isWrong = rows.some(({ terms }) => terms.some(([column]) => !(column >= 0 && column < columns.length)));
  return isWrong ? "a row names a column that is not there" : undefined;
}
