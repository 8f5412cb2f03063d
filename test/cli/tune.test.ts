import { afterEach, beforeEach, expect, test } from "vitest";
import { plainChoice } from "../../shared/session-choice.ts";
import type { TuningTrial, TuningView } from "../../shared/tuning.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];
const plain = plainChoice(2);
const found = { ...plain, batch: 8, graphLevel: "layout", variant: "int8" } as const;
const trial = (choice: TuningTrial["choice"], itemsPerSecond: number): TuningTrial => ({
  choice,
  itemsPerSecond,
  runMs: 10,
  memoryPeakBytes: 50e6,
  memorySettledBytes: 40e6,
});
const head = { model: "tiny:1", seconds: 20, tolerance: 1e-3, startedAtMs: 1 } as const;
const away = { ...trial(found, 900), difference: 0.01, out: "its outputs are 1 % away, and 0.1 % is allowed" };
const shape = { stage: "shape", runMs: 500, trials: [trial(plain, 100), away], kept: 1, untried: 3 } as const;
const final = {
  stage: "final",
  runMs: 2_000,
  trials: [trial(found, 240), trial(plain, 100)],
  kept: 2,
  untried: 0,
} as const;
const ended: TuningView = {
  ...head,
  state: "ended",
  rungs: [
    { ...shape, trials: [...shape.trials] },
    { ...final, trials: [...final.trials] },
  ],
  result: {
    choice: found,
    itemsPerSecond: 240,
    found: trial(found, 240),
    before: trial(plain, 100),
    defaults: { choice: { ...plain, executors: 1, threads: 2, spinning: true }, out: "it crashed" },
    adopted: true,
  },
};

test("a search is shown rung by rung, and ends with what it gained and what it costs in memory", async () => {
  const under = { ...ended, state: "waiting" as const };
  pretend.face.tunings = [under, under, ended];
  const { code, out, err } = await skein(["tune", "tiny:1", "--seconds", "20", ...api()]);
  expect(code).toBe(0);
  expect(pretend.face.calls).toContain("tune tiny:1 20 0.001");
  expect(err).toContain("Trying how tiny:1 is best run here, for about 20 s of trials.");
  expect(err.match(/real work goes first/g)).toHaveLength(1);
  expect(err).toContain(
    "shape     2 choices for 0.5 s each, 1 out, 3 not tried for lack of time, 1 kept; best: 100 items/s, 2 executors x 1 thread, batch 1",
  );
  expect(err).toContain("out: 2 executors x 1 thread, batch 8, level layout, int8: its outputs are 1 % away");
  expect(err.match(/final {5}2 choices/g)).toHaveLength(1);
  expect(out).toMatch(/^found +240 items\/s +80 MB +100 MB +2 executors x 1 thread, batch 8, level layout, int8$/m);
  expect(out).toMatch(/^used before +100 items\/s +80 MB +100 MB +2 executors x 1 thread, batch 1$/m);
  expect(out).toMatch(/^onnxruntime's defaults +- +- +- +it crashed$/m);
  expect(out).toContain("over onnxruntime's defaults: unknown; over what was used before: 2.40 times.");
  expect(out).toContain("It is used from now on.");
});

test("as JSON it is the whole search; a gain that is too small is said so", async () => {
  pretend.face.tunings = [{ ...ended, result: { ...ended.result!, adopted: false } }];
  const json = await skein(["tune", "tiny:1", "--json", ...api()]);
  expect(JSON.parse(json.out)).toEqual(pretend.face.tunings[0]);
  expect(json.err).toBe("");
  expect((await skein(["tune", "tiny:1", ...api()])).out).toContain("what was used before stays");
});

test("a model with a slash in its name, one that is not there, and options out of range", async () => {
  pretend.face.tunings = [{ ...ended, model: "ocr/det" }];
  expect((await skein(["tune", "ocr/det", "--tolerance", "0.02", ...api()])).code).toBe(0);
  expect(pretend.face.calls).toContain("tune ocr/det 60 0.02");
  pretend.face.tunings = [{ ...ended, model: "ocr/det", state: "failed", reason: "it crashed" }];
  const failed = await skein(["tune", "ocr/det", ...api()]);
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining("it crashed")]);
  for (const wrong of [
    ["--seconds", "1"],
    ["--seconds", "x"],
    ["--tolerance", "2"],
    ["--tolerance", "x"],
  ])
    expect((await skein(["tune", "ocr/det", ...wrong, ...api()])).code).toBe(2);
});
