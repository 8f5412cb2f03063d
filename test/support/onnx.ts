/** Writes small ONNX graphs for tests. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GraphDraft, graphFiles } from "../../agent/applications/training/onnx.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { Datatype, ModelFile, ModelManifest } from "../../shared/model.ts";

export { type GraphDraft, graphFiles };

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
