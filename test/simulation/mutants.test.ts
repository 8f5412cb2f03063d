import { expect, test } from "vitest";
import { dataBeside, falseAlarms, judge, type Verdict } from "../core/raft/mutants/gate.ts";
import { MUTANTS, STUDY_COUNT } from "../core/raft/mutants/mutants.ts";

/** Two of them at once keep two cores busy; most end at their first layer, within a second. */
const AT_ONCE = 2;
const INIT = { simulatorSeconds: 10, ...dataBeside() };

// The study's thirty, which take about a minute; `npm run mutants` runs the others too.
test("faults planted in the core are caught, and that of Figure 8 by the exhaustive search", async () => {
  expect(await falseAlarms({ ...INIT, layers: ["data"] })).toEqual([]);
  const queue = MUTANTS.filter(({ number }) => number <= STUDY_COUNT);
  const verdicts: Verdict[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) verdicts.push(await judge(next, INIT));
    }),
  );
  expect(verdicts.filter(({ fault }) => fault !== undefined)).toEqual([]);
  const caught = verdicts.filter(({ caughtBy }) => caughtBy.length > 0);
  expect(caught.length).toBeGreaterThanOrEqual(STUDY_COUNT - 1);
}, 240_000);
