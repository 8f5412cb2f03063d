import { expect, test } from "vitest";
import { StageTimes } from "../../../agent/runtime/pipelines/stage-times.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CompiledPipeline, CompiledStage } from "../../../shared/pipeline/compiled.ts";
import { segmentNamed } from "../../../shared/pipeline/segment.ts";
import { checkStageTimes } from "../../../shared/stage-time.ts";

const stage = (name: string, more: Partial<CompiledStage>): CompiledStage => ({
  ...{ name, runs: { kind: "operator", operator: "core/pass@1" }, in: { value: { stage: -1, port: "in" } } },
  ...{ with: {}, files: {}, map: [], onError: "fail", keep: "auto", send: {}, gives: { value: "json" } },
  ...more,
});
const list = { stage: 0, port: "value" };
const PIPELINE: CompiledPipeline = {
  reference: "p:1",
  says: "",
  inputs: [{ name: "in", type: "json" }],
  stages: [stage("make", {}), stage("each", { in: { value: list }, map: ["value"], over: list })],
  outputs: { out: { stage: 1, port: "value" } },
};
const outcome = (seconds: number, runs: number) => ({
  output: new Uint8Array(),
  durationMs: 0,
  stages: [
    { stage: 0, runs: 1, ms: 500, outputBytes: 100 },
    { stage: 1, runs, ms: 1_000 * seconds, outputBytes: 10 * runs },
  ],
});

test("a whole run tells what an element takes and how long its list is; a cut one is told the length", () => {
  const times = new StageTimes(() => {});
  times.learn(segmentNamed(PIPELINE, "p:1"), outcome(4, 8));
  expect(times.all()).toEqual([
    { pipeline: "p:1", stage: 0, seconds: 0.5, outputBytes: 100, elements: 8 },
    { pipeline: "p:1", stage: 1, seconds: 0.5, outputBytes: 10 },
  ]);
  const [made] = outcome(0, 0).stages;
  times.learn(segmentNamed(PIPELINE, "p:1/0"), {
    output: new Uint8Array(),
    durationMs: 0,
    stages: [made!],
    elements: [18],
  });
  expect(times.all().find((one) => one.stage === 0)).toMatchObject({ elements: 8 + 0.3 * 10 });
});

test("what did not run tells nothing, and a change is told once it is worth it", () => {
  let told = 0;
  const times = new StageTimes(() => told++);
  const whole = segmentNamed(PIPELINE, "p:1");
  times.learn(whole, { ...outcome(0, 0), stages: outcome(0, 0).stages.slice(1) });
  expect(times.all()).toEqual([]);
  times.learn(whole, outcome(1, 10));
  const once = told;
  times.learn(whole, outcome(1.01, 10));
  expect(told).toBe(once);
  times.learn(whole, outcome(9, 10));
  expect(told).toBeGreaterThan(once);
});

test("the stages that ran last are kept, and a peer's word is bounded", () => {
  const times = new StageTimes(() => {});
  for (let n = 0; n < LIMITS.stageTimesToldMax; n++)
    times.learn(segmentNamed({ ...PIPELINE, reference: `p:${n + 1}` }, `p:${n + 1}`), outcome(1, 2));
  expect(times.all().length).toBe(LIMITS.stageTimesToldMax);
  expect(checkStageTimes(times.all())).toEqual(times.all());
  expect(() => checkStageTimes([{ ...times.all()[0]!, seconds: Number.NaN }])).toThrow(/seconds/);
  expect(() => checkStageTimes([...times.all(), times.all()[0]!])).toThrow(/stageTimes/);
});
