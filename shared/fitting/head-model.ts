/** A fitted head as an ONNX file: x FP32[-1, dimensions] in, probabilities FP32[-1, classes] out. */
import protobuf from "protobufjs";
import type { HeadShape, HeadWeights } from "./head.ts";

/** As much of onnx.proto3 (IR version 8) as a head takes. */
const { root } = protobuf.parse(
  `syntax = "proto3";
message Model { int64 irVersion = 1; string producer = 2; Graph graph = 7; repeated OperatorSet operatorSets = 8; }
message OperatorSet { string domain = 1; int64 version = 2; }
message Graph { repeated Node nodes = 1; string name = 2; repeated Tensor initializers = 5; repeated ValueInfo inputs = 11; repeated ValueInfo outputs = 12; }
message Node { repeated string inputs = 1; repeated string outputs = 2; string name = 3; string operator = 4; repeated Attribute attributes = 5; }
message Attribute { string name = 1; int64 i = 3; int32 type = 20; }
message Tensor { repeated int64 dims = 1; int32 dataType = 2; string name = 8; bytes raw = 9; }
message ValueInfo { string name = 1; Type type = 2; }
message Type { TensorType tensor = 1; }
message TensorType { int32 elementType = 1; Shape shape = 2; }
message Shape { repeated Dimension dims = 1; }
message Dimension { oneof value { int64 length = 1; string symbol = 2; } }`,
  { keepCase: true },
);
const MODEL = root.lookupType("Model");
const IR_VERSION = 8;
const OPERATOR_SET = 17;
const FLOAT = 1;
const ATTRIBUTE_INT = 2;

export function headModel({ dimensions, classes }: HeadShape, weights: HeadWeights): Uint8Array {
  const at = (c: number, d: number): number => weights[c * (dimensions + 1) + d]!;
  const matrix = Array.from({ length: dimensions * classes }, (_, i) => at(i % classes, Math.floor(i / classes)));
  const biases = Array.from({ length: classes }, (_, c) => at(c, dimensions));
  const graph = {
    name: "head",
    nodes: [
      { inputs: ["x", "weights"], outputs: ["weighed"], name: "weigh", operator: "MatMul" },
      { inputs: ["weighed", "biases"], outputs: ["scores"], name: "shift", operator: "Add" },
      {
        inputs: ["scores"],
        outputs: ["probabilities"],
        name: "softmax",
        operator: "Softmax",
        attributes: [{ name: "axis", i: -1, type: ATTRIBUTE_INT }],
      },
    ],
    initializers: [tensor("weights", [dimensions, classes], matrix), tensor("biases", [classes], biases)],
    inputs: [batchOf("x", dimensions)],
    outputs: [batchOf("probabilities", classes)],
  };
  const operatorSets = [{ domain: "", version: OPERATOR_SET }];
  return MODEL.encode(MODEL.fromObject({ irVersion: IR_VERSION, producer: "skein", graph, operatorSets })).finish();
}

function tensor(name: string, dims: number[], values: readonly number[]): object {
  const raw = new Uint8Array(values.length * 4);
  const view = new DataView(raw.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
  return { name, dims, dataType: FLOAT, raw };
}

const batchOf = (name: string, length: number): object => ({
  name,
  type: { tensor: { elementType: FLOAT, shape: { dims: [{ symbol: "batch" }, { length }] } } },
});
