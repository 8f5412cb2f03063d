import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Operator } from "../../../../agent/io/inference/operators/operator.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import type { Json, OnError, PipelineDefinition, StageDefinition } from "../../../../shared/pipeline/definition.ts";
import { segmentOf } from "../../../../shared/pipeline/segment.ts";
import { decodeValues, encodeValues, type Value } from "../../../../shared/pipeline/values.ts";
import { plainChoice } from "../../../../shared/session-choice.ts";
import { addGraph, writeModel } from "../../../support/onnx.ts";
import { Workbench } from "../../../support/segments.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const inJson = (value: Json): Uint8Array => utf8(JSON.stringify(value));
const outJson = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const failureOf = (promise: Promise<unknown>): Promise<SkeinError> =>
  promise.then(
    () => expect.fail("it should have failed"),
    (error: unknown) => SkeinError.from(error),
  );

const text = (says: string) => ({ type: "text", says });
const port = (one: { type: string; says: string }) => ({ value: one });
/** Takes every word but "bad", and says it loudly. */
const shout: Operator = {
  spec: { name: "trial/shout@1", says: "", inputs: port(text("a word")), outputs: port(text("loud")), parameters: {} },
  prepare: () => (ports) => {
    const word = ports.text("value");
    if (word === "bad") ports.refuse("value", "must be a good word,\nnot a bad one");
    if (word === "starve") throw new SkeinError("INTERNAL", { reason: "Failed to allocate memory" });
    return { value: { kind: "json", json: word === "wrong" ? 7 : word.toUpperCase() } };
  },
};
const never: Operator = {
  spec: { ...shout.spec, name: "trial/never@1" },
  prepare: () => (ports) => (ports.text("value") === "stay" ? new Promise(() => {}) : { value: ports.any("value") }),
};
const floats: Operator = {
  spec: {
    name: "trial/floats@1",
    says: "",
    inputs: port({ type: "json", says: "numbers" }),
    outputs: port({ type: "FP32[1,-1]", says: "as a row" }),
    parameters: {},
  },
  prepare: () => (ports) => {
    const numbers = Float32Array.from(ports.array("value") as number[]);
    return {
      value: { kind: "tensor", datatype: "FP32", shape: [1, numbers.length], bytes: new Uint8Array(numbers.buffer) },
    };
  },
};

const short: Operator = {
  spec: { ...floats.spec, name: "trial/short@1" },
  prepare: () => () => ({ value: { kind: "tensor", datatype: "FP32", shape: [1, 3], bytes: new Uint8Array(4) } }),
};

let bench: Workbench;
beforeAll(async () => {
  bench = new Workbench([shout, never, floats, short]);
  for (const length of [2, 300]) {
    const folder = await mkdtemp(join(tmpdir(), "skein-test-"));
    afterAll(() => rm(folder, { recursive: true, force: true }));
    const written = await writeModel(folder, addGraph(length), { batches: true, name: `add${length}` });
    await bench.load({ pipeline: `add${length}:1`, ...written, choice: { ...plainChoice(1), batch: 8 } });
  }
});

const pipeline = (stages: Record<string, StageDefinition>, outputs: Record<string, string>, inputs = { it: "json" }) =>
  bench.compile({
    name: "trial",
    version: 1,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, type]) => [name, { type }])),
    stages,
    outputs,
  } satisfies PipelineDefinition);

const split: StageDefinition = { operator: "core/split@1", in: { list: "it" }, with: { as: "text" } };
const join_: StageDefinition = { operator: "core/join@1", in: { elements: "loud.value" } };
const shouting = (more: StageDefinition = {}) =>
  pipeline(
    {
      words: split,
      loud: { operator: "trial/shout@1", in: { value: "words.elements" }, map: ["value"], ...more },
      all: join_,
    },
    { said: "all.list", each: "loud.value" },
  );

describe("a pipeline in one executor", () => {
  it("fans out over a list and gathers it, and tells what each stage cost", async () => {
    const { output, stages, elements } = await bench.run(shouting(), inJson(["a", "b", "c"]));
    expect(outJson(output)).toEqual({ said: ["A", "B", "C"], each: ["A", "B", "C"] });
    expect(stages?.map(({ stage, runs }) => [stage, runs])).toEqual([
      [0, 1],
      [1, 3],
      [2, 1],
    ]);
    expect(stages?.[1]?.outputBytes).toBe(9);
    expect(elements).toBeUndefined();
  });

  it("gives lists of nothing for a list of nothing", async () => {
    expect(outJson((await bench.run(shouting(), inJson([]))).output)).toEqual({ said: [], each: [] });
  });

  it("runs elements of a model together, and items of different jobs too", async () => {
    const rows = pipeline(
      {
        words: { operator: "core/split@1", in: { list: "it" } },
        rows: { operator: "trial/floats@1", in: { value: "words.elements" }, map: ["value"] },
        sum: { model: "add2:1", in: { a: "rows.value", b: "rows.value" }, map: ["a", "b"], batch: 4 },
      },
      { sums: "sum.sum" },
    );
    bench.asked.length = 0;
    const items = [
      [
        [1, 2],
        [3, 4],
      ],
      [[5, 6]],
      [
        [7, 8],
        [9, 10],
        [11, 12],
      ],
    ];
    const tasks = items.map((item, n) => ({ name: `${n}`, parts: [{ kind: "item" as const, bytes: inJson(item) }] }));
    const ends = await bench.whole(rows).run(tasks);
    const sums = ends.map((end) =>
      "output" in end ? outJson(end.output).sums.map((one: { data: number[] }) => one.data) : end,
    );
    expect(sums).toEqual(items.map((item) => item.map((row) => row.map((number) => 2 * number))));
    expect(bench.asked.map((runs) => runs.length)).toEqual([6]);
  });

  it("runs a stage only where its condition holds, element by element, and a cascade comes together again", async () => {
    const cascade = pipeline(
      {
        words: split,
        loud: {
          operator: "trial/shout@1",
          in: { value: "words.elements" },
          map: ["value"],
          when: { value: "words.elements", isNot: "bad" },
        },
        best: { operator: "core/first@1", in: { a: "loud.value", b: "words.elements" }, map: ["a", "b"] },
      },
      { best: "best.value", loud: "loud.value" },
    );
    const { output, stages } = await bench.run(cascade, inJson(["a", "bad"]));
    expect(outJson(output)).toEqual({ best: ["A", "bad"], loud: ["A", null] });
    expect(stages?.map(({ runs }) => runs)).toEqual([1, 1, 2]);
  });

  it("gives nothing on from what is not there", async () => {
    const chain = pipeline(
      {
        one: { operator: "trial/shout@1", in: { value: "it" }, when: { value: "it", is: "yes" } },
        two: { operator: "core/pass@1", in: { value: "one.value" } },
      },
      { two: "two.value" },
      { it: "text" },
    );
    expect(outJson((await bench.run(chain, utf8("yes"))).output)).toEqual({ two: "YES" });
    const { output, stages } = await bench.run(chain, utf8("no"));
    expect(outJson(output)).toEqual({ two: null });
    expect(stages?.map(({ runs }) => runs)).toEqual([0, 0]);
  });

  it("carries a state through a loop, from zeros or from what it is given, over elements or so many times", async () => {
    const sums = (loop: StageDefinition["loop"], more: Record<string, string> = {}) =>
      pipeline(
        {
          words: { operator: "core/split@1", in: { list: "it" } },
          rows: { operator: "trial/floats@1", in: { value: "words.elements" }, map: ["value"] },
          first: { operator: "core/element@1", in: { elements: "rows.value" } },
          sum: { model: "add2:1", in: { a: loop?.over ? "rows.value" : "first.value", ...more }, loop: loop! },
        },
        { sum: "sum.sum" },
      );
    const given = inJson([
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
    const data = async (made: ReturnType<typeof sums>, item = given) =>
      outJson((await bench.run(made, item)).output).sum.data;
    expect(await data(sums({ over: "a", carry: { b: "sum" }, first: { b: "FP32[1,2]" } }))).toEqual([6, 60]);
    expect(await data(sums({ times: 4, carry: { b: "sum" }, first: { b: "FP32[1,2]" } }))).toEqual([4, 40]);
    expect(await data(sums({ times: 4, carry: { b: "sum" } }, { b: "first.value" }))).toEqual([5, 50]);
    expect(await data(sums({ over: "a", carry: { b: "sum" }, first: { b: "FP32[1,2]" } }), inJson([]))).toEqual([0, 0]);
  });
});

describe("an item that fails in the middle", () => {
  it("fails by the name of its stage and the element", async () => {
    const error = await failureOf(bench.run(shouting(), inJson(["a", "bad"]), "letter.json"));
    expect(error).toMatchObject({
      code: "INPUT_INVALID",
      facts: { name: "letter.json", pipeline: "trial:1", stage: "loud", element: 1 },
    });
    expect(error.message).toBe(
      "letter.json is not an input of the pipeline trial:1: in its stage loud, element 1: its input value must be a good word, not a bad one.",
    );
  });

  it.each<[string, OnError, Json]>([
    ["is skipped with a record", "skip", ["A", null, "C"]],
    ["gives its default with a record", { default: { value: "-" } }, ["A", "-", "C"]],
  ])("%s by its rule", async (_, onError, each) => {
    const output = outJson((await bench.run(shouting({ onError }), inJson(["a", "bad", "c"]))).output);
    expect(output.each).toEqual(each);
    expect(output.skipped).toEqual([
      {
        stage: "loud",
        element: 1,
        error: { code: "INPUT_INVALID", message: expect.stringContaining("a good word, not a bad one") },
      },
    ]);
  });

  it("takes no other item of its group with it", async () => {
    const tasks = [["a"], ["bad"], ["c"]].map((item) => ({
      name: "x",
      parts: [{ kind: "item" as const, bytes: inJson(item) }],
    }));
    const ends = await bench.whole(shouting()).run(tasks);
    expect(ends.map((end) => "output" in end)).toEqual([true, false, true]);
  });

  it("for want of memory is not skipped: another box may have it", async () => {
    const error = await failureOf(bench.run(shouting({ onError: "skip" }), inJson(["starve"])));
    expect(error).toMatchObject({ code: "INTERNAL", facts: { stage: "loud", element: 0 } });
  });

  it("because an operator's tensor is not as long as its shape says fails there, and not where it is read", async () => {
    const short = pipeline({ row: { operator: "trial/short@1", in: { value: "it" } } }, { row: "row.value" });
    const error = await failureOf(bench.run(short, inJson([])));
    expect(error.message).toContain("in its stage row: its output value must have 12 bytes by its shape, not 4");
  });

  it("because a stage gives what it did not say fails in that stage", async () => {
    const error = await failureOf(bench.run(shouting(), inJson(["wrong"])));
    expect(error.message).toContain("in its stage loud, element 0: its output value must be text, not 7");
  });

  it("because one run awaits what never comes fails by the stage's deadline, or is skipped", async () => {
    const waiting = (onError: OnError) =>
      pipeline(
        {
          words: split,
          wait: { operator: "trial/never@1", in: { value: "words.elements" }, map: ["value"], deadlineMs: 20, onError },
        },
        { each: "wait.value" },
      );
    const error = await failureOf(bench.run(waiting("fail"), inJson(["stay"]), "x"));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", facts: { stage: "wait", element: 0, deadlineMs: 20 } });
    const output = outJson((await bench.run(waiting("skip"), inJson(["stay"]), "x")).output);
    expect(output).toMatchObject({
      each: [null],
      skipped: [{ stage: "wait", element: 0, error: { code: "DEADLINE_EXCEEDED" } }],
    });
  });

  it.each<[string, Record<string, string>, Record<string, Value>, RegExp]>([
    [
      "of lists of different lengths",
      { a: "list<text>", b: "list<text>" },
      { "-1.a": list("x", "y"), "-1.b": list("x") },
      /in its stage both: a, b must be lists of one length, and have 2, 1 elements/,
    ],
  ])("%s is told so", async (_, inputs, values, reason) => {
    const both = pipeline(
      { both: { operator: "core/first@1", in: { a: "a", b: "b" }, map: ["a", "b"] } },
      { both: "both.value" },
      inputs as { it: string },
    );
    const error = await failureOf(bench.run(both, encodeValues(new Map(Object.entries(values)))));
    expect(error.message).toMatch(reason);
  });

  it("by a fan-out beyond the bound is told so", async () => {
    const error = await failureOf(bench.run(shouting(), inJson(new Array(100_001).fill("a"))));
    expect(error.message).toMatch(/in its stage words: its output elements must have at most 100000 elements/);
  });
});

function list(...texts: string[]): Value {
  return { kind: "list", elements: texts.map((one) => ({ kind: "json", json: one })) };
}

describe("a pipeline cut into segments", () => {
  it("gives what it gives in one piece, skips and defaults and their places too", async () => {
    for (const onError of ["skip", { default: { value: "-" } }] as OnError[]) {
      const whole = shouting({ onError });
      for (const words of [["a", "b", "bad", "c", "bad"], []]) {
        const { output } = await bench.run(whole, inJson(words));
        for (const cut of [
          [[0], [1], [2]],
          [[0, 1], [2]],
          [[0], [1, 2]],
          [[0], [1], [2], []],
          [[0, 1, 2], []],
        ]) {
          const made = await bench.runCut(whole, cut, inJson(words));
          expect([cut, outJson(made.output)]).toEqual([cut, outJson(output)]);
        }
      }
    }
  });

  it("hands lists in step on in slices of slices", async () => {
    const deep = pipeline(
      {
        words: split,
        loud: { operator: "trial/shout@1", in: { value: "words.elements" }, map: ["value"], onError: "skip" },
        best: { operator: "core/first@1", in: { a: "loud.value", b: "words.elements" }, map: ["a", "b"] },
        again: { operator: "trial/shout@1", in: { value: "best.value" }, map: ["value"], onError: "skip" },
      },
      { best: "best.value", again: "again.value" },
    );
    const words = ["a", "bad", "c", "d", "bad"];
    const { output } = await bench.run(deep, inJson(words));
    for (const cut of [
      [[0], [1], [2, 3]],
      [[0], [1, 2], [3]],
      [[0], [1, 2, 3], []],
      [[0], [1, 2], [3], []],
    ])
      expect(outJson((await bench.runCut(deep, cut, inJson(words), 3)).output)).toEqual(outJson(output));
  });

  it("has no elements of a list that is not there, wherever it is cut", async () => {
    const unasked = pipeline(
      {
        words: { ...split, when: { value: "wants", is: "words" } },
        loud: { operator: "trial/shout@1", in: { value: "words.elements" }, map: ["value"] },
        all: join_,
      },
      { said: "all.list", words: "words.elements" },
      { it: "json", wants: "text" } as { it: string },
    );
    const item = (wants: string) =>
      encodeValues(
        new Map<string, Value>([
          ["-1.it", { kind: "json", json: ["a"] }],
          ["-1.wants", { kind: "json", json: wants }],
        ]),
      );
    expect(outJson((await bench.run(unasked, item("words"))).output)).toEqual({ said: ["A"], words: ["a"] });
    for (const cut of [[[0], [1], [2]], [[0, 1], [2]], [[0], [1, 2]], [[0, 1, 2]]])
      expect(outJson((await bench.runCut(unasked, cut, item("nothing"))).output)).toEqual({ said: [], words: null });
  });

  it("tells how long the lists are that others run over", async () => {
    const whole = shouting();
    const first = segmentOf(whole, [0], false);
    const task = { name: "x", parts: [{ kind: "item" as const, bytes: inJson(["a", "b", "c"]) }] };
    expect((await bench.runSegment(first, task)).elements).toEqual([3]);
  });

  it("has nothing where elements could not be run at all, with a record of it", async () => {
    const whole = shouting({ onError: "skip" });
    const made = segmentOf(whole, [1], false);
    const words = (...texts: string[]) => encodeValues(new Map([["1.value", list(...texts)]]));
    const { output } = await bench.runSegment(segmentOf(whole, [2], true), {
      name: "x",
      parts: [
        { kind: "values", bytes: words("A", "B") },
        { kind: "gap", segment: made.name, elements: 2 },
        { kind: "values", bytes: words("E") },
      ],
    });
    expect(outJson(output)).toEqual({
      said: ["A", "B", "E"],
      each: ["A", "B", null, null, "E"],
      skipped: [
        {
          stage: "loud",
          element: 2,
          error: { code: "ITEM_QUARANTINED", message: expect.stringContaining("They, 2 from here on") },
        },
      ],
    });
  });

  it("sends tensors with less precision only where that was declared, and has them back as what they were", async () => {
    const sending = (send: Record<string, "fp16">) =>
      pipeline(
        {
          row: { operator: "trial/floats@1", in: { value: "it" }, send },
          sum: { model: "add300:1", in: { a: "row.value", b: "row.value" } },
        },
        { sum: "sum.sum" },
      );
    const numbers = Array.from({ length: 300 }, (_, n) => Math.fround(n / 7));
    const sums = async (send: Record<string, "fp16">) =>
      outJson((await bench.runCut(sending(send), [[0], [1]], inJson(numbers))).output).sum.data as number[];
    const exact = numbers.map((one) => 2 * one);
    expect(await sums({})).toEqual(exact);
    const halved = await sums({ value: "fp16" });
    expect(halved).not.toEqual(exact);
    for (const [n, one] of exact.entries()) expect(Math.abs(halved[n]! - one)).toBeLessThanOrEqual(one * 2 ** -11);
    const sent = await bench.runSegment(segmentOf(sending({ value: "fp16" }), [0], false), {
      name: "x",
      parts: [{ kind: "item", bytes: inJson(numbers) }],
    });
    expect(decodeValues(sent.output).get("0.value")).toMatchObject({ datatype: "FP32", packing: { as: "fp16" } });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["that are no values", utf8("[1,2]"), /part 1 of 1: the values must begin with the length/],
    ["without what it takes", encodeValues(new Map()), /1\.value/],
    [
      "whose record of what was skipped is none",
      encodeValues(new Map([["skipped", list("x")]])),
      /skipped must be a list/,
    ],
    ["that begin at no element", encodeValues(new Map([["from", list("x")]])), /from must be an object/],
  ])("refuses parts %s", async (_, bytes, reason) => {
    const chain = pipeline(
      {
        words: split,
        loud: { operator: "trial/shout@1", in: { value: "words.elements" }, map: ["value"] },
        all: { operator: "core/join@1", in: { elements: "loud.value" } },
        pass: { operator: "core/pass@1", in: { value: "all.list" } },
      },
      { said: "pass.value" },
    );
    const last = segmentOf(chain, [3], true);
    const error = await failureOf(bench.runSegment(last, { name: "x", parts: [{ kind: "values", bytes }] }));
    expect(error).toMatchObject({ code: "INPUT_INVALID", facts: { name: "x", pipeline: "trial:1/3!" } });
    expect(error.message).toMatch(
      String(reason) === "/1\\.value/" ? /its parts: 2\.list must be in one of them/ : reason,
    );
  });
});
