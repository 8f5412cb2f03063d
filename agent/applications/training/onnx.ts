/**
 * Writes ONNX graphs, with the schema's own compiled protobuf: of what is trained here, and of tests. onnx-proto is a
 * development dependency, so scripts that train run where `npm install` was run without leaving those out.
 */
import onnxProto from "onnx-proto";
import type { Datatype, TensorSpec } from "../../../shared/model.ts";

const { onnx } = onnxProto;

/** onnx.proto3, TensorProto.DataType. */
const ELEMENT: Readonly<Record<Datatype, number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
};
/** onnx.proto3, AttributeProto.AttributeType and TensorProto.DataLocation. */
const INT = 2;
const INTS = 7;
const EXTERNAL = 1;

export interface GraphNode {
  op: string;
  inputs: string[];
  outputs: string[];
  /** A domain that no onnxruntime knows makes it an operator that is missing. */
  domain?: string;
  ints?: Record<string, number | number[]>;
}

export interface Weights {
  name: string;
  shape: number[];
  /** Their type is the weights'. */
  values: Float32Array | Int8Array | Float16Array;
}

export interface GraphDraft {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  nodes: GraphNode[];
  weights?: Weights[];
  /** Whole numbers that operators take as an input of theirs. */
  indexes?: { name: string; values: number[] }[];
  /** Of the file beside the graph that holds the weights. */
  externalFile?: string;
}

const bytesOf = (values: Weights["values"]): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();

const datatypeOf = (values: Weights["values"]): Datatype =>
  values instanceof Float32Array ? "FP32" : values instanceof Int8Array ? "INT8" : "FP16";

const infoOf = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT[datatype],
      shape: {
        dim: shape.map((length, at) => (length < 0 ? { dimParam: at === 0 ? "N" : `d${at}` } : { dimValue: length })),
      },
    },
  },
});

/** The files of a graph by their paths, the graph itself as `model.onnx`. */
export function graphFiles({
  inputs,
  outputs,
  nodes,
  weights = [],
  indexes = [],
  externalFile,
}: GraphDraft): Map<string, Uint8Array> {
  const outside: Uint8Array[] = [];
  let offset = 0;
  const initializer = weights.map(({ name, shape, values }) => {
    const bytes = bytesOf(values);
    const known = { name, dims: shape, dataType: ELEMENT[datatypeOf(values)] };
    if (externalFile === undefined) return { ...known, rawData: bytes };
    const place = { location: externalFile, offset: `${offset}`, length: `${bytes.length}` };
    outside.push(bytes);
    offset += bytes.length;
    const externalData = Object.entries(place).map(([key, value]) => ({ key, value }));
    return { ...known, dataLocation: EXTERNAL, externalData };
  });
  const whole = indexes.map(({ name, values }) => ({
    name,
    dims: [values.length],
    dataType: ELEMENT.INT64,
    int64Data: values,
  }));
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: "skein",
    opsetImport: [
      { domain: "", version: 17 },
      ...[...new Set(nodes.flatMap(({ domain }) => domain ?? []))].map((domain) => ({ domain, version: 1 })),
    ],
    graph: {
      name: "graph",
      input: inputs.map(infoOf),
      output: outputs.map(infoOf),
      initializer: [...initializer, ...whole],
      node: nodes.map(({ op, inputs: input, outputs: output, domain = "", ints = {} }, at) => ({
        name: `node${at}`,
        opType: op,
        domain,
        input,
        output,
        attribute: Object.entries(ints).map(([name, value]) =>
          Array.isArray(value) ? { name, ints: value, type: INTS } : { name, i: value, type: INT },
        ),
      })),
    },
  });
  const files = new Map([["model.onnx", onnx.ModelProto.encode(model).finish()]]);
  if (externalFile !== undefined) files.set(externalFile, new Uint8Array(Buffer.concat(outside)));
  return files;
}
