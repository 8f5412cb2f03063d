/** The tagger as an ONNX graph: what text/words@1 gives of each word to probabilities of TAGS. */
import type { GraphDraft, GraphNode, Weights } from "../training/onnx.ts";

/** By the names of train-tagger.py, as it shapes them. */
export type TaggerNet = Record<string, { shape: number[]; values: Float32Array }>;

interface TaggerShape {
  tags: number;
  shapes: number;
  affixes: number;
}

/**
 * Vectors of words are in INT8, and so are those of affixes, with one scale for each table: the scales are part of the first
 * convolution. Padding is zero before each convolution, so that a sentence gets the same tags whatever it is batched with.
 */
export function taggerGraph(net: TaggerNet, shape: TaggerShape): GraphDraft {
  return {
    inputs: [
      { name: "ids", datatype: "INT64", shape: [-1, -1] },
      { name: "affixes", datatype: "INT64", shape: [-1, -1, shape.affixes] },
      { name: "shapes", datatype: "FP32", shape: [-1, -1, shape.shapes] },
    ],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, -1, shape.tags] }],
    nodes: NODES,
    weights: weightsOf(net),
    indexes: [
      { name: "zero", values: [0] },
      { name: "one", values: [1] },
      { name: "affix_axis", values: [2] },
    ],
  };
}

const NODES: GraphNode[] = [
  { op: "Gather", inputs: ["vectors", "ids"], outputs: ["vector_rows"] },
  { op: "Cast", inputs: ["vector_rows"], outputs: ["words"], ints: { to: 1 } },
  { op: "Gather", inputs: ["affix_vectors", "affixes"], outputs: ["affix_rows"] },
  { op: "Cast", inputs: ["affix_rows"], outputs: ["affix_numbers"], ints: { to: 1 } },
  { op: "ReduceSum", inputs: ["affix_numbers", "affix_axis"], outputs: ["affix"], ints: { keepdims: 0 } },
  { op: "Concat", inputs: ["words", "affix", "shapes"], outputs: ["known"], ints: { axis: 2 } },
  { op: "Transpose", inputs: ["known"], outputs: ["columns"], ints: { perm: [0, 2, 1] } },
  { op: "Conv", inputs: ["columns", "near", "near_bias"], outputs: ["near_sum"], ints: { pads: [1, 1] } },
  { op: "Relu", inputs: ["near_sum"], outputs: ["near_on"] },
  { op: "Equal", inputs: ["ids", "zero"], outputs: ["is_padding"] },
  { op: "Not", inputs: ["is_padding"], outputs: ["is_word"] },
  { op: "Cast", inputs: ["is_word"], outputs: ["ones"], ints: { to: 1 } },
  { op: "Unsqueeze", inputs: ["ones", "one"], outputs: ["mask"] },
  { op: "Mul", inputs: ["near_on", "mask"], outputs: ["first"] },
  { op: "Conv", inputs: ["first", "far", "far_bias"], outputs: ["far_sum"], ints: { pads: [2, 2] } },
  { op: "Relu", inputs: ["far_sum"], outputs: ["second"] },
  { op: "Add", inputs: ["first", "second"], outputs: ["both"] },
  { op: "Conv", inputs: ["both", "out", "out_bias"], outputs: ["tag_columns"] },
  { op: "Transpose", inputs: ["tag_columns"], outputs: ["scores"], ints: { perm: [0, 2, 1] } },
  { op: "Softmax", inputs: ["scores"], outputs: ["probabilities"], ints: { axis: 2 } },
];

function weightsOf(net: TaggerNet): Weights[] {
  const [vectors, affixes] = [narrowed(net.vectors!.values), narrowed(net["affix.weight"]!.values)];
  const [, width = 0] = net.vectors!.shape;
  const [, affixWidth = 0] = net["affix.weight"]!.shape;
  const near = net["near.weight"]!;
  const [channels = 0, inputs = 0, reach = 0] = near.shape;
  const scaled = near.values.map((value, at) => {
    const input = Math.floor(at / reach) % inputs;
    if (input < width) return value * vectors.scale;
    return input < width + affixWidth ? value * affixes.scale : value;
  });
  const float = (name: string, of: string, shape = net[of]!.shape): Weights => ({
    name,
    shape,
    values: net[of]!.values,
  });
  return [
    { name: "vectors", shape: net.vectors!.shape, values: vectors.values },
    { name: "affix_vectors", shape: net["affix.weight"]!.shape, values: affixes.values },
    { name: "near", shape: near.shape, values: scaled },
    float("near_bias", "near.bias"),
    float("far", "far.weight"),
    float("far_bias", "far.bias"),
    float("out", "out.weight", [...net["out.weight"]!.shape, 1]),
    float("out_bias", "out.bias", [net["out.bias"]!.shape[0] ?? channels]),
  ];
}

function narrowed(values: Float32Array): { values: Int8Array; scale: number } {
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  return { values: Int8Array.from(values, (value) => Math.round(value / scale)), scale };
}
