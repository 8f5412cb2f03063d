/** ONNX files as small as they can be: y = x * w, with the weights inside or in a file beside the graph. */
import type { TensorSpec } from "../../shared/model.ts";
import { graphFiles } from "./onnx.ts";

const WEIGHTS = new Float32Array([1, 2, 3, 4]);
export const TINY_WEIGHTS = new Uint8Array(WEIGHTS.buffer);

const row = (name: string): TensorSpec => ({ name, datatype: "FP32", shape: [-1, 4] });

/** `weightsIn` is where the weights are said to lie; `scale` makes another file of the same shape. */
export function tinyOnnx({ weightsIn, scale = 1 }: { weightsIn?: string; scale?: number } = {}): Uint8Array {
  const files = graphFiles({
    inputs: [row("x")],
    outputs: [row("y")],
    nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
    weights: [{ name: "w", shape: [4], values: WEIGHTS.map((one) => one * scale) }],
    ...(weightsIn !== undefined && { externalFile: weightsIn }),
  });
  return files.get("model.onnx")!;
}
