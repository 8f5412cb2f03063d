/** Trained bags as one ONNX graph: ids [N, words] to probabilities [N, classes], the mean of those of all bags in it. */
import type { BagWeights } from "./bag.ts";
import type { GraphDraft, GraphNode, Weights } from "./onnx.ts";

/**
 * Embeddings are in INT8, with one scale per column: they are summed as they are, and the scale is part of the layer that
 * takes the sum. Row 0 is zero, so padding adds nothing; it is left out of the count too.
 */
export function bagGraph(bags: readonly BagWeights[]): GraphDraft {
  const { classes } = bags[0]!;
  const nodes: GraphNode[] = [
    { op: "Equal", inputs: ["ids", "padding"], outputs: ["is_padding"] },
    { op: "Not", inputs: ["is_padding"], outputs: ["is_word"] },
    { op: "Cast", inputs: ["is_word"], outputs: ["ones"], ints: { to: 1 } },
    { op: "ReduceSum", inputs: ["ones", "words_axis"], outputs: ["count"], ints: { keepdims: 1 } },
    { op: "Sqrt", inputs: ["count"], outputs: ["divisor"] },
  ];
  const weights: Weights[] = [{ name: "bags", shape: [1], values: new Float32Array([bags.length]) }];
  bags.forEach((bag, i) => {
    const { values, head } = narrowed(bag);
    weights.push(
      { name: `embedding${i}`, shape: [bag.rows, bag.width], values },
      { name: `head${i}`, shape: [bag.width, classes], values: head },
      { name: `bias${i}`, shape: [classes], values: bag.bias },
    );
    nodes.push(
      { op: "Gather", inputs: [`embedding${i}`, "ids"], outputs: [`rows${i}`] },
      { op: "Cast", inputs: [`rows${i}`], outputs: [`numbers${i}`], ints: { to: 1 } },
      { op: "ReduceSum", inputs: [`numbers${i}`, "words_axis"], outputs: [`sum${i}`], ints: { keepdims: 0 } },
      { op: "Div", inputs: [`sum${i}`, "divisor"], outputs: [`pooled${i}`] },
      { op: "MatMul", inputs: [`pooled${i}`, `head${i}`], outputs: [`scores${i}`] },
      { op: "Add", inputs: [`scores${i}`, `bias${i}`], outputs: [`logits${i}`] },
      { op: "Softmax", inputs: [`logits${i}`], outputs: [`probabilities${i}`], ints: { axis: 1 } },
    );
  });
  nodes.push(
    { op: "Sum", inputs: bags.map((_, i) => `probabilities${i}`), outputs: ["total"] },
    { op: "Div", inputs: ["total", "bags"], outputs: ["probabilities"] },
  );
  return {
    inputs: [{ name: "ids", datatype: "INT64", shape: [-1, -1] }],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, classes] }],
    nodes,
    weights,
    indexes: [
      { name: "padding", values: [0] },
      { name: "words_axis", values: [1] },
    ],
  };
}

function narrowed({ embedding, head, rows, width, classes }: BagWeights): { values: Int8Array; head: Float32Array } {
  const scales = new Float32Array(width);
  for (let at = 0; at < embedding.length; at++)
    scales[at % width] = Math.max(scales[at % width]!, Math.abs(embedding[at]!) / 127);
  const values = new Int8Array(rows * width);
  for (let at = 0; at < embedding.length; at++) values[at] = Math.round(embedding[at]! / (scales[at % width]! || 1));
  return { values, head: head.map((weight, at) => weight * scales[Math.floor(at / classes)]!) };
}
