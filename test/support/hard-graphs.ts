/** Graphs that no tidy model is like: they hang, eat memory, or mix their rows. */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

/** onnx.proto3, TensorProto.DataType and AttributeProto.AttributeType. */
const [FLOAT, INT64, BOOL, BFLOAT16] = [1, 7, 9, 16];
const [INT, GRAPH] = [2, 5];

const value = (name: string, shape: (number | string)[], elemType = FLOAT) => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: shape.map((one) => (typeof one === "string" ? { dimParam: one } : { dimValue: one })) },
    },
  },
});

const row = ["N", 2];
const frame = { input: [value("x", row)], output: [value("y", row)] };

const encode = (graph: object, opset = 17): Uint8Array =>
  onnx.ModelProto.encode(
    onnx.ModelProto.fromObject({
      irVersion: 8,
      opsetImport: [{ domain: "", version: opset }],
      graph: { name: "hard", ...frame, ...graph },
    }),
  ).finish();

/** A loop of 2^63 rounds. */
export function endlessGraph(): Uint8Array {
  const body = {
    name: "body",
    node: [
      { opType: "Identity", input: ["goOnBefore"], output: ["goOn"] },
      { opType: "Identity", input: ["before"], output: ["after"] },
    ],
    input: [value("round", [], INT64), value("goOnBefore", [], BOOL), value("before", row)],
    output: [value("goOn", [], BOOL), value("after", row)],
  };
  return encode({
    node: [
      {
        opType: "Loop",
        input: ["rounds", "yes", "x"],
        output: ["y"],
        attribute: [{ name: "body", type: GRAPH, g: body }],
      },
    ],
    initializer: [
      { name: "rounds", dataType: INT64, dims: [], int64Data: ["9223372036854775807"] },
      { name: "yes", dataType: BOOL, dims: [], int32Data: [1] },
    ],
  });
}

/** Makes a tensor of so many floats, writes all of it, and adds its sum to each row. */
export const hungryGraph = (floats: number): Uint8Array =>
  encode({
    node: [
      { opType: "ConstantOfShape", input: ["shape"], output: ["many"] },
      { opType: "ReduceSum", input: ["many"], output: ["sum"], attribute: [{ name: "keepdims", type: INT, i: 0 }] },
      { opType: "Add", input: ["x", "sum"], output: ["y"] },
    ],
    initializer: [{ name: "shape", dataType: INT64, dims: [1], int64Data: [floats] }],
  });

/** Takes from each row the mean of all rows: none may be run in other company. */
export const mixingGraph = (): Uint8Array =>
  encode({
    node: [
      {
        opType: "ReduceMean",
        input: ["x"],
        output: ["mean"],
        attribute: [{ name: "axes", type: 7, ints: [0] }],
      },
      { opType: "Sub", input: ["x", "mean"], output: ["y"] },
    ],
  });

/** Looks up rows of a table of three: made-up indices must be small. */
export const lookupGraph = (): Uint8Array =>
  encode({
    input: [value("ids", ["N", "length"], INT64)],
    output: [value("y", ["N", "length", 2])],
    node: [{ opType: "Gather", input: ["table", "ids"], output: ["y"] }],
    initializer: [{ name: "table", dataType: FLOAT, dims: [3, 2], floatData: [1, 2, 3, 4, 5, 6] }],
  });

export const bfloatGraph = (): Uint8Array =>
  encode({
    input: [value("x", row, BFLOAT16)],
    output: [value("y", row, BFLOAT16)],
    node: [{ opType: "Identity", input: ["x"], output: ["y"] }],
  });

export const newerGraph = (): Uint8Array => encode({ node: [{ opType: "Identity", input: ["x"], output: ["y"] }] }, 99);

/** Names a file of weights that may be anywhere. */
export const outsideGraph = (location: string): Uint8Array =>
  encode({
    node: [{ opType: "Add", input: ["x", "w"], output: ["y"] }],
    initializer: [
      {
        name: "w",
        dataType: FLOAT,
        dims: [2],
        dataLocation: 1,
        externalData: [
          { key: "location", value: location },
          { key: "length", value: "8" },
        ],
      },
    ],
  });
