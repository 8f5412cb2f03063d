/** Writes small ONNX graphs for tests, with the schema's own compiled protobuf. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import type { BlobHash } from "../../shared/ids.ts";
import type { Datatype, ModelFile, ModelManifest, TensorSpec } from "../../shared/model.ts";

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
const EXTERNAL = 1;

export interface GraphNode {
  op: string;
  inputs: string[];
  outputs: string[];
  /** A domain that no onnxruntime knows makes it an operator that is missing. */
  domain?: string;
  ints?: Record<string, number>;
}

export interface Weights {
  name: string;
  shape: number[];
  values: Float32Array;
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

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();

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
    const known = { name, dims: shape, dataType: ELEMENT.FP32 };
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
    producerName: "skein-test",
    opsetImport: [
      { domain: "", version: 17 },
      ...[...new Set(nodes.flatMap(({ domain }) => domain ?? []))].map((domain) => ({ domain, version: 1 })),
    ],
    graph: {
      name: "test",
      input: inputs.map(infoOf),
      output: outputs.map(infoOf),
      initializer: [...initializer, ...whole],
      node: nodes.map(({ op, inputs: input, outputs: output, domain = "", ints = {} }, at) => ({
        name: `node${at}`,
        opType: op,
        domain,
        input,
        output,
        attribute: Object.entries(ints).map(([name, i]) => ({ name, i, type: INT })),
      })),
    },
  });
  const files = new Map([["model.onnx", onnx.ModelProto.encode(model).finish()]]);
  if (externalFile !== undefined) files.set(externalFile, new Uint8Array(Buffer.concat(outside)));
  return files;
}

export interface WrittenModel {
  folder: string;
  manifest: ModelManifest;
}

/** Writes a graph into a folder, with the manifest that it would be registered under. */
export async function writeModel(
  folder: string,
  draft: GraphDraft,
  { name = "tiny", version = 1, batches = false }: { name?: string; version?: number; batches?: boolean } = {},
): Promise<WrittenModel> {
  await mkdir(folder, { recursive: true });
  const files: ModelFile[] = [];
  for (const [path, bytes] of graphFiles(draft)) {
    await writeFile(join(folder, path), bytes);
    const blob = createHash("sha256").update(bytes).digest("hex") as BlobHash;
    files.push({ path, blob, bytes: bytes.length, use: path === "model.onnx" ? "graph" : "weights" });
  }
  const { inputs, outputs } = draft;
  return { folder, manifest: { name, version, files, inputs, outputs, batches } };
}

/** Numbers from -1 to 1 that look like chance and are always the same. */
export function fixedNumbers(count: number, seed = 1): Float32Array {
  const values = new Float32Array(count);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[at] = state / 2 ** 31 - 1;
  }
  return values;
}

/** Gives back what it takes, of one type. */
export const identityGraph = (datatype: Datatype, shape: number[] = [-1]): GraphDraft => ({
  inputs: [{ name: "x", datatype, shape }],
  outputs: [{ name: "y", datatype, shape }],
  nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
});

/** `sum` of two rows of numbers, element by element. */
export const addGraph = (length = 4): GraphDraft => ({
  inputs: [
    { name: "a", datatype: "FP32", shape: [-1, length] },
    { name: "b", datatype: "FP32", shape: [-1, length] },
  ],
  outputs: [{ name: "sum", datatype: "FP32", shape: [-1, length] }],
  nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["sum"] }],
});

/** Two layers with their weights, in the graph or in a file beside it; the more of them, the more batches gain. */
export function perceptronGraph({
  inside = 16,
  hidden = 32,
  outside = 4,
  externalFile,
}: {
  inside?: number;
  hidden?: number;
  outside?: number;
  externalFile?: string;
} = {}): GraphDraft {
  return {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, inside] }],
    outputs: [{ name: "scores", datatype: "FP32", shape: [-1, outside] }],
    nodes: [
      { op: "MatMul", inputs: ["x", "w1"], outputs: ["h"] },
      { op: "Relu", inputs: ["h"], outputs: ["r"] },
      { op: "MatMul", inputs: ["r", "w2"], outputs: ["o"] },
      { op: "Softmax", inputs: ["o"], outputs: ["scores"], ints: { axis: 1 } },
    ],
    weights: [
      { name: "w1", shape: [inside, hidden], values: fixedNumbers(inside * hidden, 1) },
      { name: "w2", shape: [hidden, outside], values: fixedNumbers(hidden * outside, 2) },
    ],
    ...(externalFile !== undefined && { externalFile }),
  };
}

/** An operator of a domain that onnxruntime does not have. */
export const foreignGraph = (): GraphDraft => ({
  ...identityGraph("FP32"),
  nodes: [{ op: "Conjure", domain: "com.example.magic", inputs: ["x"], outputs: ["y"] }],
});
