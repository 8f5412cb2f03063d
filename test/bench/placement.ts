/**
 * Placement of 20 models on 100 boxes: what is served against what no placement could serve (the linear relaxation), by the
 * greedy rule alone and by the solver within its time, and what comes of it when the solver is killed or hangs.
 */
import { fileURLToPath } from "node:url";
import { askWhere, choose, greedy, placementProgram, type Question } from "../../agent/core/planner/index.ts";
import { createSolver } from "../../agent/io/solver/index.ts";
import type { Solver } from "../../agent/ports/index.ts";
import { searchPlacement } from "../../agent/runtime/placement-search.ts";
import { SkeinError } from "../../shared/errors.ts";
import { drawFleet } from "../support/pretend-fleets.ts";
import { median } from "./figures.ts";

const SEEDS = Number(process.env.SKEIN_BENCH_SEEDS ?? 8);
const [MODELS, NODES] = [20, 100];
/** The memory of the boxes, against what they are drawn with: the less, the fewer placements there are at all. */
const MEMORY = [1, 0.5];
const OCCASION = { term: 1, madeAtMs: 0, because: "a bench" };
const telemetry = { log: () => {} };

interface Round {
  greedyMs: number;
  greedyShare: number;
  share: number;
  seconds: number;
  gap: number;
}

/** As the leader does it. */
async function place(question: Question, solver: Solver): Promise<Round> {
  const startedMs = performance.now();
  const quick = greedy(question);
  const greedyMs = performance.now() - startedMs;
  const found = await searchPlacement(solver, question, quick, undefined);
  const { served, bound } = choose(question, { greedy: quick, ...found, solveSeconds: 0 }, OCCASION);
  const seconds = (performance.now() - startedMs) / 1_000;
  return { greedyMs, greedyShare: quick.served.share / bound, share: served / bound, seconds, gap: found.gap! };
}

const span = (values: number[], digits: number): string =>
  `median ${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

async function tellShares(): Promise<void> {
  const solver = createSolver({ telemetry });
  // The first call of anything is slower, and an agent has made it long ago.
  for (let i = 0; i < 3; i++) await place(askWhere(drawFleet(99, 5, 10)), solver);
  for (const memory of MEMORY) {
    const rounds: Round[] = [];
    for (let seed = 1; seed <= SEEDS; seed++)
      rounds.push(await place(askWhere(drawFleet(seed, MODELS, NODES, memory)), solver));
    const of = (key: "greedyMs" | "greedyShare" | "share" | "seconds" | "gap"): number[] =>
      rounds.map((one) => one[key]);
    console.log(`${MODELS} models on ${NODES} boxes, memory times ${memory}, ${SEEDS} seeds:`);
    console.log(`  served, of the linear bound     ${span(of("share"), 3)} (target 0.98)`);
    console.log(`  in all                          ${span(of("seconds"), 2)} s (target 5)`);
    console.log(`  what the search left open       ${span(of("gap"), 4)}`);
    console.log(`  greedy alone, of the bound      ${span(of("greedyShare"), 3)}`);
    console.log(`  greedy alone                    ${span(of("greedyMs"), 1)} ms (target 50)`);
  }
  await solver.close();
}

/** The plan comes whatever becomes of the solver. */
async function tellFailures(): Promise<void> {
  const question = askWhere(drawFleet(1, MODELS, NODES));
  const childFile = fileURLToPath(new URL("../io/solver/child-that-hangs.ts", import.meta.url));
  const childThatDies = fileURLToPath(new URL("../io/solver/child-that-dies.ts", import.meta.url));
  for (const [what, file] of [
    ["hangs", childFile],
    ["dies", childThatDies],
  ] as const) {
    const solver = createSolver({ telemetry, childFile: file });
    const startedMs = performance.now();
    const quick = greedy(question);
    const plan = choose(question, { greedy: quick, solveSeconds: 0 }, OCCASION);
    const greedyMs = performance.now() - startedMs;
    const reason = await solver.solve(placementProgram(question, quick, true).program, { timeLimitMs: 1_000 }).then(
      () => "it answered",
      (error: unknown) => SkeinError.from(error).message,
    );
    const waitedMs = performance.now() - startedMs;
    console.log(
      `solver ${what}: the greedy plan (${plan.replicas.length} models placed) is there after ${greedyMs.toFixed(0)} ms and stands; given up after ${(waitedMs / 1_000).toFixed(1)} s: ${reason}`,
    );
    await solver.close();
  }
}

await tellShares();
await tellFailures();
