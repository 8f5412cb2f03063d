/** ONNX files as small as they can be: y = x * w, with the weights inside or in a file beside the graph. */
import onnxProto, { type onnx as Onnx } from "onnx-proto";

const { onnx } = onnxProto;

/** Four floats. */
export const TINY_WEIGHTS = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);

const FLOAT = onnx.TensorProto.DataType.FLOAT;
const valueInfo = (name: string): Onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: "n" }, { dimValue: 4 }] } } },
});

/** `weightsIn` is the location of the weights; `scale` makes another file of the same shape. */
export function tinyOnnx({ weightsIn, scale = 1 }: { weightsIn?: string; scale?: number } = {}): Uint8Array {
  const weights: Onnx.ITensorProto = { name: "w", dims: [4], dataType: FLOAT };
  if (weightsIn === undefined) weights.floatData = [scale, 2 * scale, 3 * scale, 4 * scale];
  else {
    weights.dataLocation = onnx.TensorProto.DataLocation.EXTERNAL;
    weights.externalData = [
      { key: "location", value: weightsIn },
      { key: "offset", value: "0" },
      { key: "length", value: String(TINY_WEIGHTS.length) },
    ];
  }
  const graph: Onnx.IGraphProto = {
    name: "tiny",
    node: [{ opType: "Mul", input: ["x", "w"], output: ["y"] }],
    initializer: [weights],
    input: [valueInfo("x")],
    output: [valueInfo("y")],
  };
  const model = { irVersion: 8, producerName: "skein tests", opsetImport: [{ domain: "", version: 17 }], graph };
  return onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
}
