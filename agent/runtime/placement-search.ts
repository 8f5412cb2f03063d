import { TIMING } from "../../shared/limits.ts";
import type { Solution } from "../../shared/program.ts";
import {
  type Answers,
  boundOf,
  type Candidate,
  candidate,
  isBetter,
  placementProgram,
  type Question,
  readPlacement,
  readShares,
  rounded,
  sharesProgram,
  sureOf,
} from "../core/planner/index.ts";
import type { Solver } from "../ports/index.ts";

/** How near to what is proved the search goes on to. */
const GAP = 0.01;
/** For the linear programs, of milliseconds each. */
const LINEAR_MS = 1_000;

export type Found = Pick<Answers, "solved" | "bound" | "gap" | "standing">;

/**
 * The linear relaxation first, for the bound and for a placement rounded from it; then the whole program, begun at the best that
 * is known. What stands is told with what it serves to the last digit: the quick figure is a little low, and that must not move
 * a model. @throws SOLVER_FAILED
 */
export async function searchPlacement(
  solver: Solver,
  question: Question,
  base: Candidate,
  standing: Candidate | undefined,
): Promise<Found> {
  const exact = standing && (await exactly(solver, question, standing));
  const relaxed = placementProgram(question, base, true);
  const linear = await solver.solve(relaxed.program, { timeLimitMs: LINEAR_MS });
  const bound = boundOf(relaxed, linear);
  const round = bound === undefined ? undefined : rounded(question, sureOf(question, relaxed, linear));
  const known = [base, round, exact].filter((one) => one !== undefined);
  const program = placementProgram(question, bestOf(known));
  const options = { timeLimitMs: TIMING.placementSolveMs, gap: GAP, start: program.start };
  const solution = await solver.solve(program.program, options);
  const found = readPlacement(question, program, solution);
  const answers = [round, found].filter((one) => one !== undefined);
  return {
    ...(answers.length > 0 && { solved: bestOf(answers) }),
    ...(bound !== undefined && { bound }),
    ...(found && { gap: gapOf(solution) }),
    ...(exact && { standing: exact }),
  };
}

const bestOf = (all: readonly Candidate[]): Candidate => all.reduce((best, one) => (isBetter(one, best) ? one : best));

async function exactly(solver: Solver, question: Question, standing: Candidate): Promise<Candidate> {
  const { models, nodes, rate } = question;
  const works = models.map(({ pipeline, demandPerSecond }, m) => ({
    id: pipeline,
    amount: demandPerSecond,
    rates: nodes.map((_, i) => (standing.placed[m * nodes.length + i] ? rate[m * nodes.length + i]! : 0)),
  }));
  const shares = readShares(works, await solver.solve(sharesProgram(works), { timeLimitMs: LINEAR_MS }));
  if (!shares || shares.share <= standing.served.share) return standing;
  const time = Float64Array.from(works.flatMap(({ id }) => shares.time.get(id)!));
  return candidate(question, standing.placed, { ...standing.served, share: shares.share, time });
}

const gapOf = ({ bound, objective }: Solution): number =>
  Math.max(0, bound - objective) / Math.max(Math.abs(objective), 1e-9);
