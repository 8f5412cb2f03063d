/** What operators do not take: each with an error that names the operator and the place, none by running for ever. */
import { expect, test } from "vitest";
import { IMPLEMENTATIONS } from "../../../../agent/io/inference/operators/index.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../../../shared/pipeline/operators/index.ts";
import { checkParameter } from "../../../../shared/pipeline/parameters.ts";
import { parseType } from "../../../../shared/pipeline/types.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { floats, image, json, list, run } from "./running.ts";

const specs = [...OPERATORS.values()];
const pixel = image(1, 1, () => [0, 0, 0]);
const MILLION = 1_000_000;

test("what is done is what is described, neither more nor less", () => {
  expect([...IMPLEMENTATIONS.keys()]).toEqual([...OPERATORS.keys()]);
});

test.each(specs)("$name is described whole: types that can be read, defaults within their own bounds", (spec) => {
  expect(spec.name).toMatch(/^[a-z]+\/[a-z-]+@[1-9]\d*$/);
  const ports = [...Object.values(spec.inputs), ...Object.values(spec.outputs)];
  for (const { type } of ports) expect(() => parseType(type)).not.toThrow();
  for (const parameter of Object.values(spec.parameters)) {
    if (parameter.default !== undefined)
      expect(checkParameter(parameter, parameter.default)).toEqual(parameter.default);
    const isNumber = ["number", "integer", "numbers"].includes(parameter.type);
    if (isNumber) expect(parameter, "bounded").toMatchObject({ min: expect.any(Number), max: expect.any(Number) });
  }
});

test.each(specs.filter(({ giving }) => giving))(
  "$name gives types that can be read, of the ports it has, whatever it is told",
  (spec) => {
    const inputs = Object.fromEntries(Object.entries(spec.inputs).map(([port, { type }]) => [port, type]));
    const defaults = Object.entries(spec.parameters).map(([name, parameter]): [string, Json] => [
      name,
      parameter.default ?? 4,
    ]);
    for (const [parameters, types] of [
      [Object.fromEntries(defaults), inputs],
      [{}, {}],
    ] as const) {
      const given = spec.giving!(parameters, types);
      expect(Object.keys(given)).toEqual(Object.keys(spec.outputs));
      for (const type of Object.values(given)) expect(() => parseType(type)).not.toThrow();
    }
  },
);

test.each(specs)("$name refuses inputs of another kind", async ({ name, inputs, parameters }) => {
  const needed = Object.entries(inputs).filter(
    ([, { type, optional }]) => !optional && type !== "any" && type !== "list<any>",
  );
  if (needed.length === 0) return;
  const told = Object.fromEntries(
    Object.entries(parameters).flatMap(([parameter, spec]) =>
      spec.default === undefined ? [[parameter, someOf(spec)]] : [],
    ),
  );
  const wrong: Record<string, Value> = Object.fromEntries(
    needed.map(([port, { type }]) => [port, type.startsWith("list") ? json(1) : list(json(1))]),
  );
  const error = await Promise.resolve()
    .then(() => run(name, wrong, { with: told as Record<string, Json>, files: FILES[name] ?? {} }))
    .then(() => undefined, SkeinError.from);
  expect(error?.code).toBe("INPUT_INVALID");
  expect(error?.message).toContain(name);
});

function someOf({ type, min, oneOf }: { type: string; min?: number; oneOf?: readonly string[] }): Json {
  const one = type.startsWith("text") ? (oneOf?.[0] ?? "") : (min ?? 1);
  if (type === "json") return {};
  return type.endsWith("s") ? [one] : one;
}

const FILES: Record<string, Record<string, string | Uint8Array>> = {
  "text/ngrams@1": { vocabulary: '{"words":[]}' },
  "text/words@1": { vocabulary: '{"words":[]}' },
  "text/ctc@1": { alphabet: "a" },
  "text/entities@1": { labels: "O" },
  "text/wordpiece@1": { tokenizer: "{}" },
  "text/bpe@1": { tokenizer: "{}" },
  "decide/rules@1": { rules: '[{"name":"a","decision":"b","reason":"c"}]' },
  "near/neighbours@1": { matrix: new Uint8Array(4), ids: "a" },
  "near/rows@1": { matrix: new Uint8Array(4), ids: "a" },
};

const refused: [string, Record<string, Value>, Record<string, Json>, string][] = [
  ["image/resize@1", { image: pixel }, { width: MILLION, height: MILLION }, "its parameter width is wrong"],
  ["image/resize@1", { image: pixel }, { width: 0, height: 1 }, "its parameter width is wrong"],
  ["image/resize@1", { image: pixel }, { width: 1.5, height: 1 }, "its parameter width is wrong"],
  ["image/resize@1", { image: pixel }, { width: 1, height: 1, colour: "red" }, "no parameter colour"],
  ["image/resize@1", { image: pixel }, { width: 1 }, "its parameter height must be given"],
  ["image/resize@1", { image: image(0, 0, () => [0, 0, 0]) }, { width: 1, height: 1 }, "has no pixels"],
  ["image/normalise@1", { image: pixel }, { mean: [1] }, "three numbers each"],
  ["image/normalise@1", { image: pixel }, { std: [0, 1, 1] }, "its parameter std is wrong"],
  ["image/crop@1", { image: pixel, boxes: json([{ box: [0, 0, -1, 1] }]) }, {}, "its element 0 is not one"],
  ["image/crop@1", { image: pixel, boxes: json(Array(10_001).fill({ box: [0, 0, 1, 1] })) }, {}, "at most 10000 boxes"],
  ["vision/anchors@1", {}, { grids: [1_024, 1_024], perCell: [64, 64] }, "at most 1000000 anchors"],
  ["tensor/constant@1", {}, { values: [0], shape: [MILLION, MILLION] }, "at most 1000000 elements"],
  ["tensor/constant@1", {}, { values: [0.5], shape: [1], datatype: "INT64" }, "whole number"],
  ["tensor/window@1", { tensor: floats([20_000], Array(20_000).fill(0)) }, { size: 1, step: 1 }, "makes 20000 windows"],
  [
    "tensor/window@1",
    { tensor: floats([9_000, 1], Array(9_000).fill(0)) },
    { size: 4_500, step: 1, shape: [7] },
    "do not make [7]",
  ],
  ["tensor/reshape@1", { tensor: floats([4], [1, 2, 3, 4]) }, { shape: [3, -1] }, "4 elements do not make [3,-1]"],
  ["tensor/reshape@1", { tensor: floats([4], [1, 2, 3, 4]) }, { shape: [-1, -1] }, "do not make"],
  ["tensor/pick@1", { tensor: floats([2], [1, 2]) }, { axis: 3 }, "has no dimension 3"],
  ["tensor/from-json@1", { json: json([[1], [2, 3]]) }, {}, "lists of equal length"],
  ["tensor/from-json@1", { json: json(["a"]) }, {}, "must be a number"],
  ["tensor/to-json@1", { tensor: floats([1], [Number.NaN]) }, {}, "no finite numbers"],
  [
    "tensor/top-k@1",
    { scores: floats([2], [1, 2]) },
    { labels: ["one"] },
    "must have 1 elements, one for each label, not 2",
  ],
  ["tensor/top-k@1", { scores: floats([0], []) }, {}, "at least one element"],
  ["tensor/mean-std@1", { rows: floats([0, 3], []) }, {}, "at least one row"],
  ["audio/frames@1", { samples: floats([200_000], new Float32Array(200_000)) }, { size: 1 }, "make 200000 frames"],
  [
    "audio/frames@1",
    { samples: floats([90_000], new Float32Array(90_000)) },
    { size: MILLION, hop: 1 },
    "make 90000 frames",
  ],
  ["audio/resample@1", { samples: floats([1], [0]), rate: json(0) }, { rate: 16_000 }, "from 1000 to 192000"],
  [
    "ocr/strips@1",
    {
      image: pixel,
      lines: json({
        width: 1,
        height: 1,
        boxes: [{ centreX: 0, centreY: 0, width: 1e6, height: 1e-6, angle: 0 }],
        rows: [[0]],
      }),
    },
    {},
    "must have at most 1000 boxes of",
  ],
  ["ocr/strips@1", { image: pixel, lines: json({ width: 1, height: 1, boxes: [], rows: [[0]] }) }, {}, "each box once"],
  [
    "ocr/strips@1",
    { image: pixel, lines: json({ width: 2, height: 1, boxes: [], rows: [] }) },
    {},
    "not of this image",
  ],
  ["near/merge-ranks@1", { ranks: list(json([{ id: 1 }])) }, {}, "element 0 is not one"],
  ["decide/weighted@1", { a: json({ x: "high" }) }, { weights: [1] }, 'score of "x" must be a number'],
  ["json/merge@1", {}, { names: Array(9).fill("x") }, "at most 8"],
  ["json/constant@1", {}, { value: "x".repeat(70_000) }, "at most 65536 bytes"],
  ["json/parse@1", { bytes: { kind: "bytes", bytes: Uint8Array.of(0xff) } }, {}, "no JSON in UTF-8"],
];
test.each(refused)("%s with %o and %o is refused: %s", async (name, inputs, parameters, sentence) => {
  const given = Promise.resolve().then(() => run(name, inputs, { with: parameters, files: FILES[name] ?? {} }));
  await expect(given).rejects.toThrow(sentence);
  await expect(given).rejects.toMatchObject({ code: "INPUT_INVALID" });
});

test("a tensor whose bytes are not those of its shape is refused", async () => {
  const lying: Value = { ...floats([2], [1, 2]), shape: [2, 1_000] };
  await expect(run("tensor/scale-add@1", { tensor: lying })).rejects.toThrow("has not as many elements as its shape");
});

test("a picture that is damaged says so", async () => {
  const bytes: Value = { kind: "bytes", bytes: new TextEncoder().encode("GIF89a") };
  await expect(run("image/decode@1", { bytes })).rejects.toMatchObject({ code: "IMAGE_UNREADABLE" });
});

test("an operator without the file it needs is refused before it is run", async () => {
  await expect(async () => run("text/ctc@1", {})).rejects.toThrow("it must have the file alphabet");
});
