import { expect, test } from "vitest";
import { outputDifference } from "../../shared/same-output.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const difference = (one: unknown, other: unknown) => outputDifference("p:1", bytes(one), bytes(other));

test("what two boxes made of an item of a pipeline is the same within the tolerance of its numbers, and else not", () => {
  const made = { label: "card", scores: [0.25, 3_000], more: { none: null } };
  expect(difference(made, { ...made, scores: [0.2503, 3_001] })).toBeUndefined();
  expect(difference(made, { ...made, scores: [0.26, 3_000] })).toBe("it.scores.0 is 0.26 and not 0.25");
  expect(difference(made, { ...made, label: "loan" })).toBe("it.label is another");
  expect(difference(made, { ...made, scores: [0.25] })).toBe("it.scores is another");
  expect(difference(made, { label: "card", scores: [0.25, 3_000], less: {} })).toBe("it.more is another");
  expect(difference({ a: [] }, { a: {} })).toBe("it.a is another");
});
