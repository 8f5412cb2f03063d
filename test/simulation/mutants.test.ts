import { expect, test } from "vitest";
import { dataBeside, falseAlarms, judge, type Verdict } from "../core/raft/mutants/gate.ts";
import { MUTANTS, STUDY_COUNT } from "../core/raft/mutants/mutants.ts";

/** Two of them at once keep two cores busy; most end at their first layer, within a second. */
const AT_ONCE = 2;
const INIT = { simulatorSeconds: 10, ...dataBeside() };

/** Of the study's thirty every third, and those of which it is said who must catch them; `npm run mutants` plants them all, and the others. */
const CHOSEN = MUTANTS.filter(
  ({ number, alsoBy }) => number <= STUDY_COUNT && (number % 3 === 1 || alsoBy !== undefined),
);

test("faults planted in the core are caught, and that of Figure 8 by the exhaustive search", async () => {
  expect(await falseAlarms({ ...INIT, layers: ["data"] })).toEqual([]);
  const queue = [...CHOSEN];
  const verdicts: Verdict[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) verdicts.push(await judge(next, INIT));
    }),
  );
  expect(verdicts.filter(({ fault }) => fault !== undefined)).toEqual([]);
  const missed = verdicts.filter(({ caughtBy }) => caughtBy.length === 0).map(({ mutant }) => mutant.name);
  expect(missed).toEqual([]);
}, 240_000);
