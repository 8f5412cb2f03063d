import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Axes,
  batched,
  defaultsChoice,
  finer,
  plainness,
  Search,
  shapes,
  type TrialEnd,
  type TrialWanted,
} from "../../../agent/core/tuning/index.ts";
import { plainChoice, type SessionChoice } from "../../../shared/session-choice.ts";
import { gainOver } from "../../../shared/tuning.ts";

const outputs = [Float64Array.of(1, -2, 0.5)];

/** A box and a model: how quick each choice is really. */
type Box = (choice: SessionChoice) => number;

const overheadMs = 300;
const measured = (itemsPerSecond: number, { choice, runMs }: TrialWanted): TrialEnd => ({
  tookMs: overheadMs + runMs,
  itemsPerSecond,
  runMs: (choice.executors * choice.batch * 1_000) / itemsPerSecond,
  memoryPeakBytes: 2e8,
  memorySettledBytes: 1e8,
  outputs,
});

function searched(
  init: Partial<ConstructorParameters<typeof Search>[0]> & { axes: Axes },
  answer: (wanted: TrialWanted) => TrialEnd,
) {
  const before = plainChoice(init.axes.cores);
  const search = new Search({ before, budgetMs: 60_000, tolerance: 1e-3, ...init });
  const tried: TrialWanted[] = [];
  let spentMs = 0;
  for (let wanted = search.next(); wanted; ) {
    tried.push(wanted);
    const end = answer(wanted);
    spentMs += end.tookMs;
    wanted = search.next(end);
  }
  return { search, tried, spentMs };
}

/** Uniform from 0 to 1, by a seed. */
function chance(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * A box as measured ones are: each axis has its factor, batches gain up to some size and then lose, more threads pay less
 * than more executors or the other way about, and every choice has a whim of its own.
 */
function boxOf(seed: number): Box {
  const next = chance(seed);
  for (let warm = 0; warm < 8; warm++) next();
  const speed = 10 ** (1.5 + next() * 3);
  const threadsPay = 0.5 + next() * 0.6;
  const bestBatch = 2 ** Math.floor(next() * 6);
  const batchGain = 1 + next() * 0.6;
  const batchLoss = 0.7 + next() * 0.25;
  const spin = 0.85 + next() * 0.35;
  const pattern = 0.95 + next() * 0.1;
  const int8 = 0.6 + next() * 2;
  const levels = {
    disabled: 0.5 + next() * 0.4,
    basic: 0.7 + next() * 0.3,
    extended: 0.8 + next() * 0.2,
    layout: 0.9 + next() * 0.15,
    all: 1,
  };
  const whims = new Map<string, number>();
  return (choice) => {
    const key = JSON.stringify(choice);
    if (!whims.has(key)) whims.set(key, 1 + (next() - 0.5) * 0.03);
    const steps = Math.log2(choice.batch);
    const most = Math.log2(bestBatch);
    const batch = batchGain ** Math.min(steps, most) * batchLoss ** Math.max(0, steps - most);
    const split = choice.executors * choice.threads ** Math.log2(1 + threadsPay);
    const factors = [
      split,
      batch,
      levels[choice.graphLevel],
      choice.memoryPattern ? pattern : 1,
      choice.variant === "int8" ? int8 : 1,
    ];
    if (choice.threads > 1 && choice.spinning) factors.push(spin);
    return factors.reduce((so, factor) => so * factor, speed * whims.get(key)!);
  };
}

/** Of what can be chosen at all, what is best. */
const bestOf = (box: Box, axes: Axes): number => Math.max(...finer(batched(shapes(axes), axes), axes).map(box));

describe("on simulated boxes", () => {
  test("it finds a choice within 5 % of the best of all, for 98 of 100 boxes, with timings 4 % off", () => {
    const boxes = 300;
    let found = 0;
    for (let seed = 1; seed <= boxes; seed++) {
      const box = boxOf(seed);
      const noise = chance(seed + 77_777);
      const axes = { cores: 2 ** (seed % 4), batches: seed % 5 !== 0, int8: seed % 3 === 0 };
      const { search } = searched({ axes, budgetMs: 90_000 }, (wanted) => {
        // Short runs are noisier.
        const spread = 0.04 * Math.max(1, Math.sqrt(300 / wanted.runMs));
        return measured(box(wanted.choice) * (1 + (noise() + noise() - 1) * spread), wanted);
      });
      if (box(search.result!.choice) >= bestOf(box, axes) * 0.95) found++;
    }
    expect(found / boxes).toBeGreaterThanOrEqual(0.98);
  });

  test("it keeps to its budget, tries nothing that oversubscribes the cores, and never takes what is slower than what was used", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 16 }),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 10_000, max: 200_000 }),
        (seed, cores, batches, int8, budgetMs) => {
          const box = boxOf(seed);
          const axes = { cores, batches, int8 };
          const { search, tried, spentMs } = searched({ axes, budgetMs }, (wanted) =>
            measured(box(wanted.choice), wanted),
          );
          expect(spentMs).toBeLessThanOrEqual(budgetMs * 1.3 + 4 * (overheadMs + 3_000));
          for (const { choice } of tried) {
            expect(choice.executors * choice.threads).toBeLessThanOrEqual(cores);
            if (!batches) expect(choice.batch).toBe(1);
            if (!int8) expect(choice.variant).toBe("graph");
          }
          const { result } = search;
          expect(gainOver(result!, "before")).toBeGreaterThanOrEqual(0.99);
          expect(gainOver(result!, "defaults")).toBeGreaterThanOrEqual(0.99);
          expect(result!.adopted).toBe(gainOver(result!, "before")! > 1.03);
        },
      ),
      { seed: 5, numRuns: 150 },
    );
  });
});

const axes: Axes = { cores: 2, batches: true, int8: true };

test("what changes the outputs by more than is allowed is out and said so, however quick it is", () => {
  const away = [Float64Array.of(1, -2, 0.52)];
  const { search } = searched({ axes, tolerance: 5e-3 }, (wanted) => ({
    ...measured(wanted.choice.variant === "int8" ? 900 : 100, wanted),
    outputs: wanted.choice.variant === "int8" ? away : outputs,
  }));
  expect(search.result!.choice.variant).toBe("graph");
  const outs = search.rungs
    .flatMap(({ trials }) => trials)
    .filter(({ choice }) => choice.variant === "int8" && choice.batch === 1);
  expect(outs[0]!.out).toBe("its outputs are 1 % away, and 0.5 % is allowed");
  const allowed = searched({ axes, tolerance: 2e-2 }, (wanted) => ({
    ...measured(wanted.choice.variant === "int8" ? 900 : 100, wanted),
    outputs: wanted.choice.variant === "int8" ? away : outputs,
  }));
  expect(allowed.search.result!.choice.variant).toBe("int8");
});

test("of choices that are as quick the plainest is taken, and then what was used stays in use", () => {
  const { search } = searched({ axes }, (wanted) => measured(100 + (plainness(wanted.choice, 2) % 0.5), wanted));
  expect(search.result).toMatchObject({ choice: plainChoice(2), adopted: false });
});

test("larger batches are not tried once one could not be run, or was worse than its half", () => {
  const large = ({ batch }: SessionChoice): boolean => batch >= 8;
  const { search, tried } = searched({ axes }, (wanted) =>
    large(wanted.choice) ? { refused: "it needs more memory", tookMs: 500 } : measured(100, wanted),
  );
  expect(tried.filter(({ choice }) => choice.batch > 8)).toEqual([]);
  expect(tried.filter(({ choice }) => choice.batch === 8)).not.toEqual([]);
  expect(search.rungs.flatMap(({ trials }) => trials).some(({ out }) => out === "a batch of 8 is out")).toBe(true);
  const worse = searched({ axes }, (wanted) => measured(100 / wanted.choice.batch, wanted));
  expect(worse.tried.filter(({ choice }) => [4, 16, 32].includes(choice.batch))).toEqual([]);
});

test("a pipeline that runs one item on every executor is tried in its finer choices only, and against the defaults", () => {
  const fixed = { executors: 4, threads: 1, batch: 1, memoryPattern: false };
  const own: Axes = { cores: 4, batches: true, int8: false, fixed };
  const { tried } = searched({ axes: own }, (wanted) => measured(100, wanted));
  const others = tried.filter(({ choice }) => JSON.stringify(choice) !== JSON.stringify(defaultsChoice(4)));
  expect(new Set(others.map(({ choice }) => choice.graphLevel)).size).toBe(5);
  for (const { choice } of others) expect(choice).toMatchObject(fixed);
});

test("a model that cannot be run even as it is plainest has no result", () => {
  const { search, tried } = searched({ axes }, () => ({ refused: "it crashed", tookMs: 100 }));
  expect(tried).toHaveLength(1);
  expect(search.result).toBeUndefined();
});

test("defaults that cannot be run leave the gain over them unknown", () => {
  const { search } = searched({ axes }, (wanted) =>
    wanted.choice.spinning ? { refused: "it needs more memory", tookMs: 100 } : measured(100, wanted),
  );
  expect(gainOver(search.result!, "defaults")).toBeUndefined();
  expect(search.result!.defaults.out).toBe("it needs more memory");
});
