/** The tagger as an ONNX graph: what text/words@1 gives of each word to probabilities of TAGS, the mean of its nets. */
import type { GraphDraft, GraphNode, Weights } from "../training/onnx.ts";

export interface TaggerNet {
  /** By the names of train-tagger.py, as it shapes them. */
  weights: Record<string, { shape: number[]; values: Float32Array }>;
}

interface TaggerShape {
  /** Of GloVe, INT8, from id 2; and what one unit of it is worth. */
  vectors: Int8Array;
  width: number;
  vectorScale: number;
  tags: number;
  shapes: number;
  affixes: number;
}

/**
 * Vectors are in INT8, and so are affixes, with one scale for all: the scales are part of the first convolution. Padding is
 * zero before each convolution, so that a sentence gets the same tags whatever it is batched with.
 */
export function taggerGraph(nets: readonly TaggerNet[], shape: TaggerShape): GraphDraft {
  const { vectors, width, tags } = shape;
  const table = new Int8Array(2 * width + vectors.length);
  table.set(vectors, 2 * width);
  const weights: Weights[] = [
    { name: "vectors", shape: [table.length / width, width], values: table },
    { name: "nets", shape: [1], values: new Float32Array([nets.length]) },
  ];
  const nodes: GraphNode[] = [
    { op: "Gather", inputs: ["vectors", "ids"], outputs: ["vector_rows"] },
    { op: "Cast", inputs: ["vector_rows"], outputs: ["words"], ints: { to: 1 } },
    { op: "Equal", inputs: ["ids", "zero"], outputs: ["is_padding"] },
    { op: "Not", inputs: ["is_padding"], outputs: ["is_word"] },
    { op: "Cast", inputs: ["is_word"], outputs: ["ones"], ints: { to: 1 } },
    { op: "Unsqueeze", inputs: ["ones", "one"], outputs: ["mask"] },
  ];
  nets.forEach((net, i) => {
    const part = netPart(net, i, shape);
    weights.push(...part.weights);
    nodes.push(...part.nodes);
  });
  nodes.push(
    { op: "Sum", inputs: nets.map((_, i) => `probabilities${i}`), outputs: ["total"] },
    { op: "Div", inputs: ["total", "nets"], outputs: ["probabilities"] },
  );
  return {
    inputs: [
      { name: "ids", datatype: "INT64", shape: [-1, -1] },
      { name: "affixes", datatype: "INT64", shape: [-1, -1, shape.affixes] },
      { name: "shapes", datatype: "FP32", shape: [-1, -1, shape.shapes] },
    ],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, -1, tags] }],
    nodes,
    weights,
    indexes: [
      { name: "zero", values: [0] },
      { name: "one", values: [1] },
      { name: "affix_axis", values: [2] },
    ],
  };
}

function netPart(
  { weights: of }: TaggerNet,
  i: number,
  shape: TaggerShape,
): { nodes: GraphNode[]; weights: Weights[] } {
  const { shape: affixShape, values: affixes } = of["affix.weight"]!;
  const affixScale = affixes.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  const near = of["near.weight"]!;
  const [channels = 0, inputs = 0, reach = 0] = near.shape;
  const scaled = near.values.map((value, at) => {
    const input = Math.floor(at / reach) % inputs;
    if (input < shape.width) return value * shape.vectorScale;
    return input < shape.width + affixShape[1]! ? value * affixScale : value;
  });
  const float = (name: string, dims: number[], values: Float32Array): Weights => ({
    name: `${name}${i}`,
    shape: dims,
    values,
  });
  const names = (...all: string[]): string[] => all.map((name) => `${name}${i}`);
  return {
    weights: [
      {
        name: `affixes${i}`,
        shape: affixShape,
        values: Int8Array.from(affixes, (value) => Math.round(value / affixScale)),
      },
      float("near", near.shape, scaled),
      float("near_bias", [channels], of["near.bias"]!.values),
      float("far", of["far.weight"]!.shape, of["far.weight"]!.values),
      float("far_bias", [channels], of["far.bias"]!.values),
      float("out", [shape.tags, channels, 1], of["out.weight"]!.values),
      float("out_bias", [shape.tags], of["out.bias"]!.values),
    ],
    nodes: [
      { op: "Gather", inputs: [`affixes${i}`, "affixes"], outputs: names("affix_rows") },
      { op: "Cast", inputs: names("affix_rows"), outputs: names("affix_numbers"), ints: { to: 1 } },
      { op: "ReduceSum", inputs: [`affix_numbers${i}`, "affix_axis"], outputs: names("affix"), ints: { keepdims: 0 } },
      { op: "Concat", inputs: ["words", `affix${i}`, "shapes"], outputs: names("known"), ints: { axis: 2 } },
      { op: "Transpose", inputs: names("known"), outputs: names("columns"), ints: { perm: [0, 2, 1] } },
      { op: "Conv", inputs: names("columns", "near", "near_bias"), outputs: names("near_sum"), ints: { pads: [1, 1] } },
      { op: "Relu", inputs: names("near_sum"), outputs: names("near_on") },
      { op: "Mul", inputs: [`near_on${i}`, "mask"], outputs: names("first") },
      { op: "Conv", inputs: names("first", "far", "far_bias"), outputs: names("far_sum"), ints: { pads: [2, 2] } },
      { op: "Relu", inputs: names("far_sum"), outputs: names("second") },
      { op: "Add", inputs: names("first", "second"), outputs: names("both") },
      { op: "Conv", inputs: names("both", "out", "out_bias"), outputs: names("tag_columns") },
      { op: "Transpose", inputs: names("tag_columns"), outputs: names("scores"), ints: { perm: [0, 2, 1] } },
      { op: "Softmax", inputs: names("scores"), outputs: names("probabilities"), ints: { axis: 2 } },
    ],
  };
}
