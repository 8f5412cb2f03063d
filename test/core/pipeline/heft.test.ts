import { describe, expect, test } from "vitest";
import { type GraphTask, heft, type Transfer, upwardRanks } from "../../../agent/core/pipeline/heft.ts";
import { steadyRate } from "../../../agent/core/pipeline/steady-rate.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** What crosses costs as much as it is large. */
const plain: Transfer = { seconds: (bytes, from, to) => (from === to ? 0 : bytes), meanSeconds: (bytes) => bytes };

/** Figure 2 and table 1 of Topcuoglu, Hariri and Wu (2002). */
const SECONDS = [
  [14, 16, 9],
  [13, 19, 18],
  [11, 13, 19],
  [13, 8, 17],
  [12, 13, 10],
  [13, 16, 9],
  [7, 15, 11],
  [5, 11, 14],
  [18, 12, 20],
  [21, 7, 16],
];
const EDGES: [from: number, to: number, bytes: number][] = [
  [1, 2, 18],
  [1, 3, 12],
  [1, 4, 9],
  [1, 5, 11],
  [1, 6, 14],
  [2, 8, 19],
  [2, 9, 16],
  [3, 7, 23],
  [4, 8, 27],
  [4, 9, 23],
  [5, 9, 13],
  [6, 8, 15],
  [7, 10, 17],
  [8, 10, 11],
  [9, 10, 13],
];
const paper: GraphTask[] = SECONDS.map((seconds, place) => ({
  seconds,
  after: EDGES.filter(([, to]) => to === place + 1).map(([from, , bytes]) => ({ task: from - 1, bytes })),
}));

describe("HEFT", () => {
  test("gives the upward ranks and the schedule of 80 of the paper's own example", () => {
    const ranks = upwardRanks(paper, plain).map((rank) => Number(rank.toFixed(1)));
    // Table 2 of the paper, cut to a digit there.
    expect(ranks.map(Math.floor)).toEqual([108, 77, 80, 80, 69, 63, 42, 35, 44, 14]);
    const { makespan, placed } = heft(paper, plain);
    expect(makespan).toBe(80);
    expect(placed[9]).toEqual({ processor: 1, begins: 73, ends: 80 });
  });

  test("places nothing where it cannot run, and tells when a task can run nowhere", () => {
    const tasks = [
      { seconds: [1, NEVER], after: [] },
      { seconds: [NEVER, 1], after: [{ task: 0, bytes: 5 }] },
    ];
    expect(heft(tasks, plain).makespan).toBe(7);
    expect(heft([{ seconds: [NEVER, NEVER], after: [] }], plain).makespan).toBe(NEVER);
  });

  test("fills a gap between two tasks with one that fits", () => {
    const tasks = [
      { seconds: [10, 10], after: [] },
      { seconds: [NEVER, 4], after: [{ task: 0, bytes: 3 }] },
      { seconds: [NEVER, 2], after: [] },
    ];
    const { placed, makespan } = heft(tasks, { seconds: (bytes) => bytes, meanSeconds: (bytes) => bytes });
    expect(makespan).toBe(17);
    expect(placed[2]).toEqual({ processor: 1, begins: 0, ends: 2 });
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "is sound, and within twice of the best schedule there is, on small graphs (seed %i)",
    (seed) => {
      const { random } = seededRandomness(seed);
      for (let round = 0; round < 12; round++) {
        const tasks = Array.from(
          { length: 5 },
          (_, place): GraphTask => ({
            seconds: [1 + 9 * random(), 1 + 9 * random()],
            after: Array.from({ length: place }, (_, task) => ({ task, bytes: 4 * random() })).filter(
              () => random() < 0.4,
            ),
          }),
        );
        const { makespan, placed } = heft(tasks, plain);
        for (const [place, task] of tasks.entries()) {
          const { processor, begins, ends } = placed[place]!;
          expect(ends - begins).toBeCloseTo(task.seconds[processor]!);
          for (const { task: before, bytes } of task.after)
            expect(begins).toBeGreaterThanOrEqual(
              placed[before]!.ends + plain.seconds(bytes, placed[before]!.processor, processor) - 1e-9,
            );
        }
        const best = bestOf(tasks);
        expect(makespan).toBeGreaterThanOrEqual(best - 1e-9);
        expect(makespan).toBeLessThanOrEqual(2 * best);
      }
    },
  );
});

/** Every order that the graph allows, on every processor. */
function bestOf(tasks: readonly GraphTask[]): number {
  let best = NEVER;
  const ends: number[] = [];
  const on: number[] = [];
  const next = (left: readonly number[], free: readonly number[]): void => {
    if (left.length === 0) best = Math.min(best, Math.max(...ends));
    for (const task of left) {
      const { after, seconds } = tasks[task]!;
      if (after.some(({ task: before }) => left.includes(before))) continue;
      for (const processor of free.keys()) {
        const ready = after.map(({ task: one, bytes }) => ends[one]! + plain.seconds(bytes, on[one]!, processor));
        ends[task] = Math.max(free[processor]!, ...ready) + seconds[processor]!;
        on[task] = processor;
        const end = ends[task]!;
        if (end < best)
          next(
            left.filter((one) => one !== task),
            free.map((one, place) => (place === processor ? end : one)),
          );
      }
    }
  };
  next([...tasks.keys()], [0, 0]);
  return best;
}

describe("the steady rate", () => {
  test("is that of the executors where all can do all", () => {
    expect(steadyRate({ seconds: [[0.5, 1]], executors: [2, 1] })).toBeCloseTo(5);
  });

  test("gives each worker what it is best at", () => {
    // One does a in 1 s and b in 4, the other the reverse: each its own, and an item a second.
    expect(
      steadyRate({
        seconds: [
          [1, 4],
          [4, 1],
        ],
        executors: [1, 1],
      }),
    ).toBeCloseTo(1);
    // Whole items would be at 2/5.
    expect(steadyRate({ seconds: [[5, 5]], executors: [1, 1] })).toBeCloseTo(0.4);
  });

  test("divides a worker's time between kinds of work", () => {
    // b only on the second, which has to leave the more of a to the first: a = x, 1 on the first; r = 1 + y, y + r = 1.5.
    expect(
      steadyRate({
        seconds: [
          [1, 1],
          [NEVER, 1],
        ],
        executors: [1, 1.5],
      }),
    ).toBeCloseTo(1.25);
  });

  test("is 0 where some work can be done nowhere", () => {
    expect(steadyRate({ seconds: [[1], [NEVER]], executors: [4] })).toBe(0);
  });
});
