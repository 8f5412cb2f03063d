import { expect, test } from "vitest";
import { overFastestAlone, SMALL_JOBS } from "./small-jobs.ts";

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed + 1);

/** A hundredth is left for hand-overs under 10 ms, which are not told apart. */
test.each(SMALL_JOBS)(
  "a job of %i items on boxes of speed 1 : 0.5 : 0.25 never ends later than on the best of them alone",
  (items) => {
    for (const seed of SEEDS) expect(overFastestAlone(items, seed), `seed ${seed}`).toBeLessThanOrEqual(1.01);
  },
);

test("a job of 20 items gains by sharing", () => {
  const ratios = SEEDS.map((seed) => overFastestAlone(20, seed)).sort((a, b) => a - b);
  expect(ratios[SEEDS.length >> 1]).toBeLessThan(0.75);
});
