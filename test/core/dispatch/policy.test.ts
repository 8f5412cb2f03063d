import { expect, test } from "vitest";
import { median, quantile } from "../../bench/figures.ts";
import { simulatePolicy } from "./policy.ts";
import { POLICY_CASES } from "./policy-cases.ts";

const SEEDS = Array.from({ length: 7 }, (_, seed) => seed + 1);

/** The bounded form of `npm run bench -- dispatch`. */
test.each(POLICY_CASES)(
  "$name: a job of 2,000 items on 20 nodes ends close to the fluid bound",
  ({ setting, atMost }) => {
    const outcomes = SEEDS.map((seed) => simulatePolicy({ ...setting, items: 2_000 }, seed));
    const ratios = outcomes.map(({ makespanSeconds, boundSeconds }) => makespanSeconds / boundSeconds);
    expect(median(ratios)).toBeLessThanOrEqual(atMost.median);
    expect(quantile(ratios, 0.95)).toBeLessThanOrEqual(atMost.p95);
    expect(Math.max(...outcomes.map(({ repeatedPart }) => repeatedPart))).toBeLessThan(0.02);
    expect(median(outcomes.map(({ predictionError }) => predictionError))).toBeLessThanOrEqual(0.1);
  },
);
