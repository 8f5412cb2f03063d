import { expect, test } from "vitest";
import { live, replay } from "./life.ts";

/**
 * Seeds in which a fault comes to light that a node or this core once had, or that was planted; each with the fault.
 * Whoever changes what a seed draws finds others with `npm run mutants -- --layers simulator`.
 */
const RECORDED: [seed: number, fault: string][] = [
  [51, "a leader led on after its removal was committed"],
  [9, "a vote went to a candidate that lacked a committed entry"],
  [43, "a new leader answered a read before its commit index was certain"],
  [77, "a node that may not campaign held on to a silent leader for ever and never voted"],
  [19, "the only node that could lead did not campaign, because its own removal was on its disk, uncommitted"],
  [682, "a change of membership counted on although its entry was cut off"],
  [429, "a joint configuration committed with its new half alone"],
  [2932, "a leader that was being removed gave the witness entries that nobody who stayed had, and nobody could lead"],
];
/** `npm run simulate` goes on for as long as wanted. */
const FRESH_MS = 5_000;

test.each(RECORDED)("seed %i stays sound: %s", (seed) => {
  expect(live(seed), replay(seed)).not.toHaveProperty("failure");
});

test("fresh seeds stay sound in the storm and mend in the calm", () => {
  const first = Date.now() % 1_000_000_000;
  const endAtMs = performance.now() + FRESH_MS;
  let committed = 0;
  for (let seed = first; performance.now() < endAtMs; seed += 1) {
    const life = live(seed);
    expect(life, replay(seed)).not.toHaveProperty("failure");
    committed += life.committed;
  }
  expect(committed).toBeGreaterThan(0);
});

test("the same seed lives the same life", () => {
  const story = (): string[] => {
    const lines: string[] = [];
    live(316, undefined, (line) => lines.push(line));
    return lines;
  };
  expect(story()).toEqual(story());
});
