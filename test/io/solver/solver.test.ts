import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { createSolver, type SolverOptions } from "../../../agent/io/solver/index.ts";
import type { Solver } from "../../../agent/ports/index.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Program } from "../../../shared/program.ts";

const opened: Solver[] = [];
const ends: string[] = [];
function open(options: Partial<SolverOptions> = {}): Solver {
  const log = (_level: string, event: string, facts?: object): void => {
    if (event === "solverEnded") ends.push((facts as { reason: string }).reason);
  };
  const solver = createSolver({ telemetry: { log }, ...options });
  opened.push(solver);
  return solver;
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((solver) => solver.close()));
  ends.length = 0;
});

const TIME = { timeLimitMs: 5_000 };
const child = (name: string): string => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
const solverPids = (): number[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("skein-solver"));

/** Doors and windows: three works with 4, 12 and 18 hours, 3 and 5 to earn (Hillier and Lieberman's Wyndor Glass). */
const works = (hours: [number, number, number], integer = false): Program => ({
  sense: "maximise",
  columns: [3, 5].map((cost) => ({ cost, lower: 0, upper: Number.POSITIVE_INFINITY, integer })),
  rows: [
    { lower: Number.NEGATIVE_INFINITY, upper: hours[0], terms: [[0, 1]] },
    { lower: Number.NEGATIVE_INFINITY, upper: hours[1], terms: [[1, 2]] },
    {
      lower: Number.NEGATIVE_INFINITY,
      upper: hours[2],
      terms: [
        [0, 3],
        [1, 2],
      ],
    },
  ],
});

test("a linear program comes back with its optimum and its shadow prices", async () => {
  const { seconds, ...solution } = await open().solve(works([4, 12, 18]), TIME);
  expect(solution).toEqual({ status: "optimal", objective: 36, values: [2, 6], prices: [0, 1.5, 1], bound: 36 });
  expect(seconds).toBeLessThan(5);
});

test("a shadow price is what one more of the row brings", async () => {
  const solver = open();
  expect((await solver.solve(works([4, 13, 18]), TIME)).objective).toBeCloseTo(37.5);
  expect((await solver.solve(works([4, 12, 19]), TIME)).objective).toBeCloseTo(37);
});

test("whole columns are whole, and have no prices", async () => {
  const solution = await open().solve(works([4, 12, 17], true), TIME);
  expect(solution).toMatchObject({ status: "optimal", objective: 33, values: [1, 6], prices: [], bound: 33 });
});

test("a start that is the best is no worse after the search, and one that is not feasible does no harm", async () => {
  const solver = open();
  expect(await solver.solve(works([4, 12, 17], true), { ...TIME, start: [1, 6] })).toMatchObject({ objective: 33 });
  expect(await solver.solve(works([4, 12, 17], true), { ...TIME, start: [99, 99] })).toMatchObject({ objective: 33 });
});

test("infeasible and unbounded are told apart, with whole columns and without", async () => {
  const solver = open();
  const open_ = Number.POSITIVE_INFINITY;
  for (const integer of [false, true]) {
    expect(await solver.solve(works([4, 12, -1], integer), TIME)).toMatchObject({ status: "infeasible", values: [] });
    expect(await solver.solve(works([4, open_, open_], integer), TIME)).toMatchObject({
      status: "unbounded",
      values: [],
    });
  }
});

test("a wrong program or start is refused with the reason, and the next one is solved", async () => {
  const solver = open();
  const wrong = works([4, 12, 18]);
  wrong.rows[0]!.terms = [[7, 1]];
  await expect(solver.solve(wrong, TIME)).rejects.toMatchObject({
    code: "SOLVER_FAILED",
    message: expect.stringContaining("a column that is not there"),
  });
  await expect(solver.solve(works([4, 12, 18]), { ...TIME, start: [1] })).rejects.toMatchObject({
    code: "SOLVER_FAILED",
  });
  await expect(solver.solve(works([4, 12, Number.NaN]), TIME)).rejects.toMatchObject({ code: "SOLVER_FAILED" });
  expect(await solver.solve(works([4, 12, 18]), TIME)).toMatchObject({ objective: 36 });
});

test("a killed process costs the program that it was at; those behind it are solved by the next", async () => {
  const solver = open();
  await solver.solve(works([4, 12, 18]), TIME);
  const [pid] = solverPids();
  const hard = solver.solve(hardProgram(), { timeLimitMs: 20_000 });
  const behind = solver.solve(works([4, 12, 18]), TIME);
  process.kill(pid!, "SIGKILL");
  await expect(hard).rejects.toMatchObject({ code: "SOLVER_FAILED", message: expect.stringContaining("SIGKILL") });
  expect(await behind).toMatchObject({ objective: 36 });
  expect(solverPids()).not.toContain(pid);
});

test("one that hangs is killed when its time is over, and the next program has a new one", async () => {
  const times = { startMs: 5_000, lateMs: 50, idleMs: 60_000 };
  const solver = open({ childFile: child("child-that-hangs"), times });
  await expect(solver.solve(works([4, 12, 18]), { timeLimitMs: 50 })).rejects.toMatchObject({
    code: "SOLVER_FAILED",
    message: expect.stringContaining("did not answer within 100 ms"),
  });
  await expect(solver.solve(works([4, 12, 18]), { timeLimitMs: 50 })).rejects.toMatchObject({ code: "SOLVER_FAILED" });
  expect(ends).toHaveLength(2);
});

test("one that cannot start says why", async () => {
  const solver = open({ childFile: child("no-such-child") });
  await expect(solver.solve(works([4, 12, 18]), TIME)).rejects.toMatchObject({
    message: expect.stringContaining("no-such-child"),
  });
});

test("a search that runs out of time answers with the best so far and what is proved", async () => {
  const solution = await open().solve(hardProgram(), { timeLimitMs: 300 });
  expect(solution.status).toBe("feasible");
  expect(solution.bound).toBeGreaterThanOrEqual(solution.objective);
});

test("no more programs wait than may, and a closed one takes none", async () => {
  const solver = open();
  const waiting = Array.from({ length: LIMITS.solverWaitingMax }, () => solver.solve(works([4, 12, 18]), TIME));
  await expect(solver.solve(works([4, 12, 18]), TIME)).rejects.toMatchObject({
    message: expect.stringContaining("wait"),
  });
  await Promise.all(waiting);
  await solver.close();
  await expect(solver.solve(works([4, 12, 18]), TIME)).rejects.toMatchObject({
    message: expect.stringContaining("closed"),
  });
  expect(solverPids()).toEqual([]);
});

test("it ends when it had nothing to do for a while, and starts again for the next program", async () => {
  const solver = open({ times: { startMs: 5_000, lateMs: 1_000, idleMs: 20 } });
  await solver.solve(works([4, 12, 18]), TIME);
  await expect.poll(() => ends, { timeout: 5_000 }).toEqual(["it had nothing to do"]);
  expect(await solver.solve(works([4, 12, 18]), TIME)).toMatchObject({ objective: 36 });
});

/** A market split (Cornuéjols and Dawande): small, and no search ends in a minute. */
function hardProgram(): Program {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % 100;
  };
  const size = 40;
  const rows = Array.from({ length: 5 }, (_, r) => {
    const weights = Array.from({ length: size }, random);
    const half = Math.floor(weights.reduce((sum, weight) => sum + weight, 0) / 2);
    const terms = weights.map((weight, c): [number, number] => [c, weight]);
    // What is over and what is missing, to be made small.
    terms.push([size + 2 * r, 1], [size + 2 * r + 1, -1]);
    return { lower: half, upper: half, terms };
  });
  const columns = [
    ...Array.from({ length: size }, () => ({ cost: 0, lower: 0, upper: 1, integer: true })),
    ...Array.from({ length: 10 }, () => ({ cost: -1, lower: 0, upper: Number.POSITIVE_INFINITY })),
  ];
  return { sense: "maximise", columns, rows };
}
