import type { TypeText } from "../definition.ts";
import type { OperatorSpec, ParameterSpec } from "../operators.ts";
import { portsOf } from "./core.ts";
import { commonType, elementType, tensorText, tensorType, wholeOr } from "./types.ts";

const axis = (otherwise: number): ParameterSpec => ({
  type: "integer",
  says: "which dimension, from 0; -1 is the last",
  min: -8,
  max: 7,
  default: otherwise,
});
const SHAPE: ParameterSpec = {
  type: "numbers",
  says: "its dimensions; one may be -1, which is then worked out; [] of a single number",
  min: -1,
  max: 2 ** 31 - 1,
};
const DATATYPE: ParameterSpec = {
  type: "text",
  says: "of the elements",
  oneOf: ["FP32", "FP64", "INT32", "INT64", "UINT8", "BOOL"],
  default: "FP32",
};
const floats = (says: string): { type: TypeText; says: string } => ({ type: "FP32", says });
const LABELS = { labels: { optional: true as const, says: "a label for each score: one a line, or a JSON list" } };
const LABELS_GIVEN: ParameterSpec = { type: "texts", says: "labels, where no file has them", default: [] };

/** The shape with dimension `at` set to what `change` makes of it; unknown stays unknown. */
function reshaped(type: TypeText | undefined, at: unknown, change: (length: number) => number | undefined): TypeText {
  const { datatype, shape } = tensorType(type ?? "FP32") ?? { datatype: "FP32" };
  if (!shape) return datatype;
  const place = wholeOr(at, 0) < 0 ? shape.length + wholeOr(at, 0) : wholeOr(at, 0);
  const now = shape.flatMap((length, i) => (i === place ? (change(length) ?? []) : length));
  return tensorText(datatype, now);
}

const shapeText = (datatype: unknown, shape: unknown): TypeText =>
  tensorText(String(datatype ?? "FP32"), Array.isArray(shape) ? shape.map(Number) : undefined);

export const TENSORS: OperatorSpec[] = [
  {
    name: "tensor/softmax@1",
    says: "Scores that add up to 1 along the last dimension.",
    inputs: { scores: floats("any numbers") },
    outputs: { probabilities: floats("of the same shape") },
    parameters: {
      temperature: { type: "number", says: "what scores are divided by before", min: 1e-3, max: 1e3, default: 1 },
    },
    giving: (_, inputs) => ({ probabilities: inputs.scores ?? "FP32" }),
  },
  {
    name: "tensor/top-k@1",
    says: "The highest scores and their labels; without labels, their places from 0 as text.",
    inputs: { scores: floats("of one item, in any shape") },
    outputs: {
      label: { type: "text", says: "of the highest" },
      score: { type: "number", says: "the highest" },
      index: { type: "number", says: "its place from 0" },
      margin: { type: "number", says: "by how much it is above the next" },
      labels: { type: "json", says: "of the k highest, best first" },
      scores: { type: "json", says: "their scores" },
      byLabel: { type: "json", says: "an object: their scores by label" },
    },
    parameters: { k: { type: "integer", says: "how many", min: 1, max: 1_000, default: 1 }, labels: LABELS_GIVEN },
    files: LABELS,
  },
  {
    name: "tensor/threshold@1",
    says: "Which scores are high enough.",
    inputs: { scores: floats("in any shape") },
    outputs: {
      labels: { type: "json", says: "of those that are, in their order" },
      indexes: { type: "json", says: "their places from 0" },
      count: { type: "number", says: "how many" },
      share: { type: "number", says: "of all, 0 to 1; 0 of none" },
      highest: { type: "number", says: "the highest score; 0 of none" },
      runs: { type: "json", says: "[[from, to], …]: stretches of neighbours that are, `to` not among them" },
    },
    parameters: {
      min: { type: "number", says: "high enough is this or more", min: -1e9, max: 1e9, default: 0.5 },
      labels: LABELS_GIVEN,
    },
    files: LABELS,
  },
  {
    name: "tensor/concat@1",
    says: "Tensors one behind the other along one dimension; all others must agree.",
    inputs: portsOf("FP32", "tensor", 1),
    outputs: { tensor: floats("all of them") },
    parameters: { axis: axis(0) },
    giving: ({ axis: at }, inputs) => {
      const lengths: number[] = [];
      for (const type of Object.values(inputs)) reshaped(type, at, (length) => void lengths.push(length));
      const sum = lengths.includes(-1) ? -1 : lengths.reduce((a, b) => a + b, 0);
      return { tensor: reshaped(commonType(Object.values(inputs)), at, () => sum) };
    },
  },
  {
    name: "tensor/stack@1",
    says: "Tensors of one shape as one, with a new dimension in front. Elements that are not there are left out.",
    inputs: { tensors: { type: "list<FP32>", says: "at least one" } },
    outputs: { tensor: floats("of one dimension more") },
    parameters: {
      along: {
        type: "boolean",
        says: "along the first dimension, which they have already, instead of a new one",
        default: false,
      },
    },
    giving: ({ along }, inputs) => {
      const { shape } = tensorType(elementType(inputs.tensors)) ?? {};
      return { tensor: tensorText("FP32", shape && [-1, ...(along === true ? shape.slice(1) : shape)]) };
    },
  },
  {
    name: "tensor/pick@1",
    says: "One row, or a stretch of rows, of one dimension.",
    inputs: { tensor: floats("any") },
    outputs: { tensor: floats("without that dimension if one row is picked") },
    parameters: {
      axis: axis(0),
      from: { type: "integer", says: "from 0; -1 is the last", min: -(2 ** 31), max: 2 ** 31 - 1, default: 0 },
      length: {
        type: "integer",
        says: "how many; 0: one, and the dimension goes",
        min: 0,
        max: 2 ** 31 - 1,
        default: 0,
      },
    },
    giving: ({ axis: at, length }, inputs) => ({
      tensor: reshaped(inputs.tensor, at, () => (wholeOr(length, 0) > 0 ? wholeOr(length, 0) : undefined)),
    }),
  },
  {
    name: "tensor/reshape@1",
    says: "The same elements in other dimensions.",
    inputs: { tensor: floats("any") },
    outputs: { tensor: floats("of that shape") },
    parameters: { shape: SHAPE },
    giving: ({ shape }) => ({ tensor: shapeText("FP32", shape) }),
  },
  {
    name: "tensor/mean-std@1",
    says: "Mean and standard deviation of each column over all rows: the last dimension is the columns, all others are rows.",
    inputs: { rows: floats("at least one row") },
    outputs: {
      tensor: { type: "FP32[1,-1]", says: "means, then deviations" },
      mean: { type: "FP32[1,-1]", says: "means alone" },
    },
    parameters: {},
    giving: (_, inputs) => {
      const columns = tensorType(inputs.rows ?? "FP32")?.shape?.at(-1) ?? -1;
      return { tensor: `FP32[1,${columns < 0 ? -1 : columns * 2}]`, mean: `FP32[1,${columns}]` };
    },
  },
  {
    name: "tensor/scale-add@1",
    says: "Each element times `scale` plus `add`.",
    inputs: { tensor: floats("any") },
    outputs: { tensor: floats("of the same shape") },
    parameters: {
      scale: { type: "number", says: "factor", min: -1e9, max: 1e9, default: 1 },
      add: { type: "number", says: "what is added", min: -1e9, max: 1e9, default: 0 },
    },
    giving: (_, inputs) => ({ tensor: inputs.tensor ?? "FP32" }),
  },
  {
    name: "tensor/window@1",
    says: "Windows of equal size along one dimension, each so far behind the one before; what is left at the end is no window.",
    inputs: { tensor: floats("frames, say") },
    outputs: { windows: { type: "list<FP32>", says: "each as the tensor, or in the shape that is given" } },
    parameters: {
      axis: axis(0),
      size: { type: "integer", says: "of one window", min: 1, max: 1_000_000 },
      step: { type: "integer", says: "from one to the next", min: 1, max: 1_000_000 },
      shape: { ...SHAPE, says: `of each window, with as many elements; []: as cut`, default: [] },
      short: {
        type: "text",
        says: "what is shorter than one window gives none, or one filled with zeros",
        oneOf: ["none", "zeros"],
        default: "none",
      },
      max: { type: "integer", says: "windows at most; more are an error", min: 1, max: 100_000, default: 10_000 },
    },
    giving: ({ axis: at, size, shape }, inputs) => {
      const given = Array.isArray(shape) && shape.length > 0;
      return {
        windows: `list<${given ? shapeText("FP32", shape) : reshaped(inputs.tensor, at, () => wholeOr(size, -1))}>`,
      };
    },
  },
  {
    name: "tensor/constant@1",
    says: "A tensor that is always the same, as a model's rate of samples.",
    inputs: {},
    outputs: { tensor: { type: "FP32", says: "of that type and shape" } },
    parameters: {
      values: { type: "numbers", says: "its elements in row order; one alone fills it", min: -(2 ** 53), max: 2 ** 53 },
      shape: { ...SHAPE, says: "its dimensions, at most 1,000,000 elements; [] of a single number" },
      datatype: DATATYPE,
    },
    giving: ({ datatype, shape }) => ({ tensor: shapeText(datatype, shape) }),
  },
  {
    name: "tensor/from-json@1",
    says: "A tensor from a number, or numbers in nested lists.",
    inputs: { json: { type: "json", says: "a number, or lists of equal length" } },
    outputs: { tensor: { type: "FP32", says: "of that type" } },
    parameters: {
      shape: { ...SHAPE, says: "its dimensions, one of them may be -1; []: as the lists lie", default: [] },
      datatype: DATATYPE,
    },
    giving: ({ datatype, shape }) => ({
      tensor: shapeText(datatype, Array.isArray(shape) && shape.length > 0 ? shape : undefined),
    }),
  },
  {
    name: "tensor/to-json@1",
    says: "Numbers in lists from a tensor.",
    inputs: { tensor: { type: "any", says: "a tensor of any type, with at most 1,000,000 elements" } },
    outputs: {
      json: { type: "json", says: "nested lists; whole numbers beyond 2^53 are an error" },
      shape: { type: "json", says: "its dimensions" },
    },
    parameters: {
      flat: { type: "boolean", says: "one list, whatever the dimensions", default: false },
      digits: { type: "integer", says: "significant digits that are kept", min: 1, max: 17, default: 9 },
    },
  },
  {
    name: "tensor/number@1",
    says: "The only element of a tensor as a number, for conditions and rules.",
    inputs: { tensor: floats("of one element") },
    outputs: { number: { type: "number", says: "that" } },
    parameters: {},
  },
];
