import { expect, test } from "vitest";
import type { JobRecord } from "../../agent/core/ledger/index.ts";
import { modelsTogether } from "../../agent/runtime/models/together.ts";
import { demandChange, demandOf } from "../../agent/runtime/placement-demand.ts";

const NOW = 10_000_000;
const job = (pipeline: string, items: number, more: Partial<JobRecord> = {}): JobRecord =>
  ({
    pipeline,
    state: "running",
    inputs: Array.from({ length: items }),
    recordedCount: 0,
    submittedAtMs: NOW,
    ...more,
  }) as unknown as JobRecord;
const of = (...jobs: JobRecord[]): number => demandOf(["m:1"], jobs, NOW).get("m:1")!;

test("a model that nobody asks for is asked for a little, so that it has its place", () => {
  expect(of()).toBe(0.01);
  expect(of(job("other:1", 100))).toBe(0.01);
});

test("what waits is asked for within a minute, and what is done or paused waits no more", () => {
  expect(of(job("m:1", 600))).toBeCloseTo(0.01 + 10 + 1);
  expect(of(job("m:1", 600, { recordedCount: 300 }))).toBeCloseTo(0.01 + 5 + 1);
  expect(of(job("m:1", 600, { state: "paused" }))).toBeCloseTo(0.01 + 1);
  expect(of(job("m:1", 600, { state: "done" }))).toBeCloseTo(0.01 + 1);
});

test("what was handed in fades over ten minutes and is forgotten", () => {
  const before = (minutes: number) => of(job("m:1", 600, { state: "done", submittedAtMs: NOW - 60_000 * minutes }));
  expect(before(10)).toBeCloseTo(0.01 + 1 / Math.E);
  expect(before(60)).toBe(0.01);
  // A box whose clock is ahead hands in no more than another.
  expect(before(-60)).toBeCloseTo(0.01 + 1);
});

test("the change is that of the model that changed most, up or down alike", () => {
  const demand = (m: number, n: number) =>
    new Map([
      ["m:1", m],
      ["n:1", n],
    ]);
  expect(demandChange(demand(1, 1), demand(1.1, 1))).toBeCloseTo(1.1);
  expect(demandChange(demand(1, 1), demand(1.1, 0.5))).toBeCloseTo(2);
  expect(demandChange(new Map(), demand(0.01, 0.03))).toBeCloseTo(3);
});

test("the models that a pipeline runs together are those of its stages and of their files, as far as they are the fleet's", () => {
  const stage = (model: string, ...files: string[]) => ({
    runs: { kind: "model", model },
    files: Object.fromEntries(files.map((of, n) => [`f${n}`, { model: of, path: "vocabulary.txt" }])),
  });
  const compiled: Record<string, unknown> = {
    "read:1": { stages: [stage("det:1"), stage("rec:1", "words:1"), stage("rec:1"), stage("gone:1")] },
    "alone:1": { stages: [stage("det:1"), stage("det:1")] },
  };
  const all = (...names: string[]) => new Map(names.map((name) => [name, {}])) as never;
  const planning = { pipelines: all("read:1", "alone:1", "unread:1"), models: all("rec:1", "words:1", "det:1") };
  const known = { compiled: (name: string) => compiled[name] as never };
  expect(modelsTogether(planning, known)).toEqual([{ pipeline: "read:1", models: ["det:1", "rec:1", "words:1"] }]);
});
