import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FormFacts, type FormNode, formOf } from "../../../agent/core/pipeline/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { CompiledPipeline, CompiledStage, Source } from "../../../shared/pipeline/compiled.ts";
import { segmentNamed } from "../../../shared/pipeline/segment.ts";

const at = (stage: number, port = "out"): Source => ({ stage, port });

function stage(name: string, more: Partial<CompiledStage> = {}): CompiledStage {
  const runs = { kind: "model" as const, model: `${name}:1` };
  const none = { with: {}, files: {}, map: [], onError: "fail" as const, keep: "auto" as const, send: {} };
  return { name, runs, in: { in: at(-1) }, ...none, gives: { out: "json" }, ...more };
}

const pipelineOf = (stages: CompiledStage[], out = stages.length - 1): CompiledPipeline => ({
  reference: "p:1",
  says: "",
  inputs: [{ name: "in", type: "json" }],
  stages,
  outputs: { out: at(out) },
});

/** Finding, then one run for each found, then all of them together. */
const READING = pipelineOf([
  stage("det"),
  stage("crop", { in: { in: at(0) }, map: ["in"], over: at(0) }),
  stage("rec", { in: { in: at(1) }, map: ["in"], over: at(0) }),
  stage("merge", { in: { all: at(2) } }),
]);

const node = (name: string, seconds: (number | undefined)[], more: Partial<FormNode> = {}): FormNode => ({
  ...{ nodeId: name as NodeId, name, executors: 1, handOverMs: 2, bytesPerSecond: 1e8 },
  canRun: seconds.map(() => true),
  seconds,
  ...more,
});

const facts = (nodes: FormNode[], more: Partial<FormFacts> = {}): FormFacts => ({
  ...{ items: 1, copies: 2, nodes, lossShare: 0.01 },
  outputBytes: nodes[0]?.seconds.map(() => 1_000) ?? [],
  elements: new Map([["0.out", 40]]),
  ...more,
});

const namesOf = (pipeline: CompiledPipeline, of: FormFacts): string[] =>
  formOf(pipeline, of).form.segments.map(({ name }) => name);

/** Every segment of it, and every source, is there and comes before. */
function checkSound(pipeline: CompiledPipeline, of: FormFacts): void {
  const { segments } = formOf(pipeline, of).form;
  const seen = new Set<number>();
  for (const [nth, { name, after, over, copies }] of segments.entries()) {
    const segment = segmentNamed(pipeline, name);
    for (const { stage: from } of segment.takes) if (from >= 0) expect(seen).toContain(from);
    const taken = segment.takes.map(({ stage: from }) =>
      segments.findIndex((one) => from >= 0 && segmentNamed(pipeline, one.name).stages.includes(from)),
    );
    expect(after.filter((one) => one >= 0)).toEqual([...new Set(taken.filter((one) => one >= 0))].sort());
    for (const one of segment.stages) seen.add(one);
    expect(segment.isLast).toBe(nth === segments.length - 1);
    expect(copies).toBeGreaterThan(0);
    if (over) expect(segmentNamed(pipeline, segments[over.segment]!.name).stages).toContain(segment.over!.stage);
  }
  expect(seen.size).toBe(pipeline.stages.length);
}

describe("the form of a job", () => {
  const quick = [0.1, 0.001, 0.05, 0.002];

  test("is whole items for many items on nodes that can run all of it", () => {
    const of = facts([node("a", quick), node("b", quick)], { items: 200 });
    expect(namesOf(READING, of)).toEqual(["p:1"]);
    expect(formOf(READING, of).why).toMatch(/^whole items: .* s \(an item alone .*; stage by stage/);
  });

  test("is stage by stage for one item whose list several nodes can share", () => {
    const of = facts([node("a", quick), node("b", quick), node("c", quick)]);
    const { form, why } = formOf(READING, of);
    expect(form.segments.map(({ name }) => name)).toEqual(["p:1/0", "p:1/1-2", "p:1/3!"]);
    expect(form.segments.map(({ after }) => after)).toEqual([[-1], [0], [1]]);
    // 300 ms of it, and so at least two tasks for each of three executors.
    expect(form.segments[1]!.over).toEqual({ segment: 0, list: 0, elementsPerTask: 5, sources: ["0.out"] });
    expect(why).toMatch(/^stage by stage, in 3 parts/);
    checkSound(READING, of);
  });

  test("is whole where nothing was measured and one node can run all of it, and by models where none can", () => {
    const unknown = [undefined, undefined, undefined, undefined];
    expect(namesOf(READING, facts([node("a", unknown), node("b", unknown)]))).toEqual(["p:1"]);
    const apart = facts([
      node("a", unknown, { canRun: [true, true, false, true] }),
      node("b", unknown, { canRun: [false, false, true, false] }),
    ]);
    expect(namesOf(READING, apart)).toEqual(["p:1/0", "p:1/1", "p:1/2", "p:1/3!"]);
    checkSound(READING, apart);
  });

  test("leaves a chain together where one node can run it, and cuts it where the models stand apart", () => {
    const chain = pipelineOf([stage("a"), stage("b", { in: { in: at(0) } }), stage("c", { in: { in: at(1) } })]);
    expect(namesOf(chain, facts([node("x", [0.1, 0.1, 0.1])], { items: 50 }))).toEqual(["p:1"]);
    const apart = facts([
      node("x", [0.1, 0.1, 0.1], { canRun: [true, true, false] }),
      node("y", [0.1, 0.1, 0.1], { canRun: [false, false, true] }),
    ]);
    expect(namesOf(chain, apart)).toEqual(["p:1/0-1", "p:1/2!"]);
  });

  test("has branches run beside each other where that is quicker, and not where handing over costs more", () => {
    const branches = pipelineOf([
      stage("left"),
      stage("right"),
      stage("join", { in: { a: at(0), b: at(1) }, runs: { kind: "operator", operator: "core/join@1" } }),
    ]);
    const slow = facts([node("x", [1, 1, 0.001]), node("y", [1, 1, 0.001])]);
    const names = namesOf(branches, slow);
    expect(names.length).toBeGreaterThan(1);
    checkSound(branches, slow);
    const dear = facts([
      node("x", [0.01, 0.01, 0.001], { handOverMs: 500 }),
      node("y", [0.01, 0.01, 0.001], { handOverMs: 500 }),
    ]);
    expect(namesOf(branches, dear)).toEqual(["p:1"]);
  });

  test("is as was asked for, whatever is foretold", () => {
    const many = facts([node("a", quick), node("b", quick)], { items: 200 });
    const staged = formOf(READING, many, "stages");
    expect(staged.form.segments.map(({ name }) => name)).toEqual(["p:1/0", "p:1/1-2", "p:1/3!"]);
    expect(staged.why).toMatch(/^stage by stage, as was asked for, in 3 parts: .* s /);
    const one = facts([node("a", quick), node("b", quick), node("c", quick)]);
    expect(formOf(READING, one, "whole")).toMatchObject({
      form: { segments: [{ name: "p:1" }] },
      why: "whole items, as was asked for",
    });
    const unknown = facts([node("a", [undefined, undefined, undefined, undefined])]);
    expect(formOf(READING, unknown, "stages").form.segments).toHaveLength(3);
  });

  test("has as many parts as a pipeline without lists can have, if stages are asked for, and a chain has one", () => {
    const branches = pipelineOf([
      stage("left"),
      stage("right"),
      stage("join", { in: { a: at(0), b: at(1) }, runs: { kind: "operator", operator: "core/join@1" } }),
    ]);
    const dear = { handOverMs: 500 };
    for (const seconds of [
      [0.01, 0.01, 0.001],
      [undefined, undefined, undefined],
    ]) {
      const of = facts([node("x", seconds, dear), node("y", seconds, dear)]);
      expect(formOf(branches, of, "stages").form.segments.length).toBeGreaterThan(1);
      expect(formOf(branches, of).form.segments).toHaveLength(1);
    }
    const chain = pipelineOf([stage("a"), stage("b", { in: { in: at(0) } })]);
    const { form, why } = formOf(chain, facts([node("x", [0.1, 0.1])]), "stages");
    expect([form.segments.length, why]).toEqual([1, "whole items: they cannot be cut"]);
  });

  test("keeps stages of different labels apart", () => {
    const labelled = pipelineOf([stage("a", { on: { zone: "line" } }), stage("b", { in: { in: at(0) } })]);
    const of = facts([
      node("x", [0.1, 0.1], { canRun: [true, false] }),
      node("y", [0.1, 0.1], { canRun: [false, true] }),
    ]);
    expect(namesOf(labelled, of)).toEqual(["p:1/0", "p:1/1!"]);
  });

  test("does not slice for a stage that takes as a whole what others make of the elements", () => {
    const pipeline = pipelineOf([
      stage("list"),
      stage("each", { in: { in: at(0) }, map: ["in"], over: at(0) }),
      stage("rank", { in: { in: at(0), all: at(1) }, map: ["in"], over: at(0) }),
    ]);
    const of = facts([node("x", [0.1, 1, 0.1]), node("y", [0.1, 1, 0.1])]);
    const { segments } = formOf(pipeline, of).form;
    expect(segments.map(({ name }) => name)).toEqual(["p:1/0", "p:1/1", "p:1/2!"]);
    expect(segments.map(({ over }) => over?.sources)).toEqual([undefined, ["0.out"], undefined]);
  });

  test("makes tasks of about 300 ms on the slowest node that is of use, and of one list alike", () => {
    const sizes = (seconds: number, of: Partial<FormFacts>): number[] =>
      formOf(READING, {
        ...facts([
          node("a", [0.1, 0, seconds, 0], { canRun: [true, false, false, true] }),
          node("b", [0.1, 0, seconds, 0], { canRun: [false, true, true, false] }),
        ]),
        ...of,
      }).form.segments.flatMap(({ over }) => over?.elementsPerTask ?? []);
    const many = new Map([["0.out", 10_000]]);
    expect(sizes(0.01, { elements: many })).toEqual([30]);
    expect(sizes(1, { elements: many })).toEqual([1]);
    expect(sizes(0.000_01, { elements: new Map([["0.out", 1_000_000]]) })).toEqual([4_096]);
    // A short list still gives two tasks for the one executor.
    expect(sizes(0.01, { elements: new Map([["0.out", 8]]) })).toEqual([4]);
  });

  test("makes one copy of what is cheaper to make again than to copy, and as many as `keep` says", () => {
    const copiesOf = (keep: CompiledStage["keep"], bytes: number, seconds: number): number => {
      const pipeline = pipelineOf([stage("a", { keep }), stage("b", { in: { in: at(0) } })]);
      const of = facts([
        node("x", [seconds, 1], { canRun: [true, false] }),
        node("y", [seconds, 1], { canRun: [false, true] }),
      ]);
      return formOf(pipeline, { ...of, outputBytes: [bytes, 10] }).form.segments[0]!.copies;
    };
    expect(copiesOf("auto", 10_000_000, 0.1)).toBe(1);
    expect(copiesOf("auto", 1_000, 60)).toBe(2);
    expect(copiesOf("durable", 10_000_000, 0.1)).toBe(2);
    expect(copiesOf("recompute", 1_000, 60)).toBe(1);
  });

  test("skips what ends executors only where every model of the segment may be skipped", () => {
    const rules = (onError: CompiledStage["onError"]): string[] => {
      const stages = [...READING.stages];
      stages[2] = { ...stages[2]!, onError };
      const of = facts([node("a", [0.1, 0, 0.1, 0]), node("b", [0.1, 0, 0.1, 0])]);
      stages[1] = { ...stages[1]!, runs: { kind: "operator", operator: "image/crop@1" } };
      return formOf({ ...READING, stages }, of).form.segments.map((one) => one.onError);
    };
    expect(rules("skip")).toEqual(["fail", "skip", "fail"]);
    expect(rules("fail")).toEqual(["fail", "fail", "fail"]);
  });

  test("keeps what gives an output alone before the end, which waits for it", () => {
    const pipeline = {
      ...pipelineOf([
        stage("look"),
        stage("aside", { in: { in: at(0) } }),
        stage("more", { in: { in: at(0) } }),
        stage("end", { in: { in: at(0), other: at(2) } }),
      ]),
      outputs: { aside: at(1), end: at(3) },
    };
    for (const seconds of [0.0001, 0.1]) {
      const each = [seconds, seconds, seconds, seconds];
      checkSound(pipeline, facts([node("x", each), node("y", each)], { items: 35 }));
    }
  });

  test("is sound whatever takes from whatever, and whatever is an output", () => {
    const drawn = fc.record({
      takes: fc.array(fc.array(fc.nat(10), { maxLength: 3 }), { minLength: 2, maxLength: 10 }),
      gives: fc.array(fc.nat(10), { minLength: 1, maxLength: 4 }),
      seconds: fc.array(fc.constantFrom(0, 0.0005, 0.02, 0.4), { minLength: 10, maxLength: 10 }),
      items: fc.constantFrom(1, 35),
    });
    fc.assert(
      fc.property(drawn, ({ takes, gives, seconds, items }) => {
        const stages = takes.map((from, place) => {
          const taken = place === 0 || from.length === 0 ? [at(-1)] : from.map((one) => at(one % place));
          return stage(`s${place}`, { in: Object.fromEntries(taken.map((source, nth) => [`i${nth}`, source])) });
        });
        const outputs = Object.fromEntries(gives.map((one, nth) => [`o${nth}`, at(one % stages.length)]));
        const each = seconds.slice(0, stages.length);
        checkSound({ ...pipelineOf(stages), outputs }, facts([node("x", each), node("y", each)], { items }));
      }),
      { numRuns: 300, seed: 20261130 },
    );
  });

  test("of a pipeline of many stages on many nodes is found quickly", () => {
    const stages = Array.from({ length: 64 }, (_, place) =>
      stage(`s${place}`, place < 8 ? {} : { in: { in: at(place - 8) } }),
    );
    const pipeline = {
      ...pipelineOf(stages),
      outputs: Object.fromEntries(stages.slice(-8).map((_, nth) => [`o${nth}`, at(56 + nth)])),
    };
    const of = facts(
      Array.from({ length: 50 }, (_, nth) =>
        node(
          `n${nth}`,
          stages.map(() => 0.05 + 0.001 * nth),
          { executors: 4 },
        ),
      ),
      { items: 20 },
    );
    const begunAtMs = performance.now();
    formOf(pipeline, of);
    expect(performance.now() - begunAtMs).toBeLessThan(2_000);
    checkSound(pipeline, of);
  });
});
