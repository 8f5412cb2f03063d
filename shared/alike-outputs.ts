/** When two runs of one model gave the same, in numbers. */

/**
 * The largest difference of two runs' outputs, as a part of the largest value there is in that output; infinite where
 * they differ in number, in length, or in what is no number.
 */
export function outputDifference(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...a.map((one, n) => differenceOf(one, b[n]!)));
}

export const alikeOutputs = (a: readonly Float64Array[], b: readonly Float64Array[], tolerance: number): boolean =>
  outputDifference(a, b) <= tolerance;

function differenceOf(a: Float64Array, b: Float64Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let difference = 0;
  for (let at = 0; at < a.length; at++) {
    const [one, other] = [a[at]!, b[at]!];
    if (Object.is(one, other) && !Number.isFinite(one)) continue;
    if (!Number.isFinite(one) || !Number.isFinite(other)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(one), Math.abs(other));
    difference = Math.max(difference, Math.abs(one - other));
  }
  return difference === 0 ? 0 : difference / largest;
}
