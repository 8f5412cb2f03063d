/** Trained bags as one ONNX graph: ids [N, words] to probabilities [N, classes], the mean of those of all bags in it. */
import type { BagWeights } from "./bag.ts";
import type { GraphDraft, GraphNode, Weights } from "./onnx.ts";

/**
 * Embeddings are in INT8, with one scale per column: they are summed as they are, and the scale is part of the layer that
 * takes the sum. Row 0 is zero, so padding adds nothing; it is left out of the count too. Few nodes: a small graph over one
 * short text takes as long as calling its nodes does.
 */
export function bagGraph(bags: readonly BagWeights[]): GraphDraft {
  const { classes } = bags[0]!;
  const nodes: GraphNode[] = [
    { op: "Sign", inputs: ["ids"], outputs: ["is_word"] },
    { op: "Cast", inputs: ["is_word"], outputs: ["ones"], ints: { to: 1 } },
    // The root of how many there are.
    { op: "ReduceL2", inputs: ["ones"], outputs: ["divisor"], ints: { axes: [1], keepdims: 1 } },
  ];
  const weights: Weights[] = [];
  const given = bags.map((_, i) => (bags.length === 1 ? "probabilities" : `probabilities${i}`));
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
      { op: "Gemm", inputs: [`pooled${i}`, `head${i}`, `bias${i}`], outputs: [`logits${i}`] },
      { op: "Softmax", inputs: [`logits${i}`], outputs: [given[i]!], ints: { axis: 1 } },
    );
  });
  if (bags.length > 1) nodes.push({ op: "Mean", inputs: given, outputs: ["probabilities"] });
  return {
    inputs: [{ name: "ids", datatype: "INT64", shape: [-1, -1] }],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, classes] }],
    nodes,
    weights,
    indexes: [{ name: "words_axis", values: [1] }],
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
