import fc from "fast-check";
import { expect, test } from "vitest";
import { type EndedJob, jobsToForget } from "../../../agent/core/replication/index.ts";
import type { JobId } from "../../../shared/ids.ts";

const DAY_MS = 24 * 3_600_000;
const NOW_MS = Date.UTC(2026, 5, 1);
const RULES = { nowMs: NOW_MS, keepDays: 30, keepMax: 100, jobsMax: 10, itemsMax: 50 };
const job = (name: string, daysAgo: number | undefined, items = 1): EndedJob => ({
  jobId: name as JobId,
  items,
  endedAtMs: daysAgo === undefined ? undefined : NOW_MS - daysAgo * DAY_MS,
});

test("what ended longer ago than is kept goes, oldest first, and what is open stays", () => {
  const jobs = [job("new", 1), job("old", 31), job("open", undefined), job("oldest", 300), job("edge", 30)];
  expect(jobsToForget(jobs, RULES)).toEqual(["oldest", "old"]);
});

test("with 0 days jobs are kept for ever, but not more than so many", () => {
  const jobs = [job("c", 1), job("a", 900), job("b", 20), job("open", undefined)];
  expect(jobsToForget(jobs, { ...RULES, keepDays: 0 })).toEqual([]);
  expect(jobsToForget(jobs, { ...RULES, keepDays: 0, keepMax: 1 })).toEqual(["a", "b"]);
});

test("a job that a box dated before its clock was set is not old because of that", () => {
  const born1970 = { jobId: "a" as JobId, items: 1, endedAtMs: 5_000 };
  expect(jobsToForget([born1970, job("b", 40)], RULES)).toEqual(["b"]);
});

test("one batch is bounded in jobs and in items, and a single large job still goes", () => {
  const many = Array.from({ length: 40 }, (_, i) => job(`j${i}`, 100 - i, 10));
  expect(jobsToForget(many, RULES)).toEqual(["j0", "j1", "j2", "j3", "j4"]);
  expect(jobsToForget(many, { ...RULES, itemsMax: 1e6 })).toHaveLength(10);
  expect(jobsToForget([job("huge", 50, 4_000), job("next", 40)], RULES)).toEqual(["huge"]);
});

test("batch after batch, all that is due goes and nothing else", () => {
  const days = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(days, fc.integer({ min: 1, max: 80 })), { maxLength: 60 }),
      fc.nat(40),
      (all, keepMax) => {
        let jobs = all.map(([daysAgo, items], i) => job(`j${i}`, daysAgo, items));
        const rules = { ...RULES, keepMax: keepMax + 1 };
        for (let gone = jobsToForget(jobs, rules); gone.length > 0; gone = jobsToForget(jobs, rules))
          jobs = jobs.filter(({ jobId }) => !gone.includes(jobId));
        const ended = jobs.flatMap(({ endedAtMs }) => endedAtMs ?? []);
        expect(ended.length).toBeLessThanOrEqual(keepMax + 1);
        expect(ended.every((endedAtMs) => NOW_MS - endedAtMs <= 30 * DAY_MS)).toBe(true);
        const young = all.filter(([daysAgo]) => daysAgo !== undefined && daysAgo <= 30).length;
        expect(ended.length).toBe(Math.min(young, keepMax + 1));
      },
    ),
  );
});
