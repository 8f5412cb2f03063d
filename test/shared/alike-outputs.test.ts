import { expect, test } from "vitest";
import { alikeOutputs, outputDifference } from "../../shared/alike-outputs.ts";

const of = (...values: number[]): Float64Array => Float64Array.from(values);

test("the difference of two outputs is a part of the largest value in either, equal ones counted", () => {
  expect(outputDifference([of(100, 1)], [of(100, 2)])).toBeCloseTo(0.01);
  expect(outputDifference([of(0, 0)], [of(0, 0)])).toBe(0);
  expect(outputDifference([of(1), of(100, 1)], [of(1.5), of(100, 2)])).toBeCloseTo(1 / 3);
});

test("outputs of other numbers, lengths, or where one is no number, are not alike at any tolerance", () => {
  for (const [a, b] of [
    [[of(1)], [of(1), of(1)]],
    [[of(1)], [of(1, 2)]],
    [[of(1)], [of(Number.NaN)]],
    [[of(Number.POSITIVE_INFINITY)], [of(1)]],
    [[of(Number.POSITIVE_INFINITY)], [of(Number.NEGATIVE_INFINITY)]],
  ] as const)
    expect(alikeOutputs(a, b, 1e9)).toBe(false);
  expect(alikeOutputs([of(Number.NaN, Number.POSITIVE_INFINITY)], [of(Number.NaN, Number.POSITIVE_INFINITY)], 0)).toBe(
    true,
  );
});
