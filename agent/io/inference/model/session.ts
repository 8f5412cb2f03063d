import { join } from "node:path";
import { InferenceSession, type Tensor as OrtTensor, Tensor as OrtTensorMaker } from "onnxruntime-node";
import { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { type Datatype, type ModelManifest, modelReference, type TensorSpec } from "../../../../shared/model.ts";
import { dataBytes, isOfType, type TensorData } from "../../../../shared/tensor-data.ts";
import { elementsOf, type Tensor } from "../../../../shared/tensors.ts";
import type { ModelToLoad } from "../../../ports/index.ts";
import { sessionOptions } from "../session-options.ts";

const TYPES = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as const satisfies Record<Datatype, OrtTensor.Type>;

/** What onnxruntime says when there is no memory: another box, or this one later, may have it. */
const OUT_OF_MEMORY = /bad_alloc|bad allocation|Failed to allocate|out of memory/i;

/** A graph with its weights in this process. */
export class ModelSession {
  readonly #session: InferenceSession;
  readonly #manifest: ModelManifest;

  private constructor(session: InferenceSession, manifest: ModelManifest) {
    this.#session = session;
    this.#manifest = manifest;
  }

  /** @throws MODEL_INVALID */
  static async open({ pipeline, manifest, folder, choice }: ModelToLoad): Promise<ModelSession> {
    const invalid = (reason: string, cause?: unknown): SkeinError =>
      new SkeinError("MODEL_INVALID", { model: pipeline, reason }, { cause });
    const graph = manifest.files.find(({ use }) => use === choice.variant);
    if (!graph) throw invalid(`it has no file that is its ${choice.variant}`);
    const session = await InferenceSession.create(join(folder, graph.path), sessionOptions(choice)).catch(
      (error: unknown) => {
        throw invalid((error as Error).message, error);
      },
    );
    const fault =
      difference("input", manifest.inputs, session.inputMetadata) ??
      difference("output", manifest.outputs, session.outputMetadata);
    if (fault === undefined) return new ModelSession(session, manifest);
    await session.release();
    throw invalid(fault);
  }

  /**
   * Runs what was checked against the manifest. @throws INPUT_INVALID for what onnxruntime refuses or makes too much of: no
   * other node would do better; INTERNAL without the memory for it
   */
  async run(inputs: readonly Tensor[], wanted: readonly string[], name: string): Promise<Tensor[]> {
    const invalid = (reason: string, cause?: unknown): SkeinError =>
      new SkeinError("INPUT_INVALID", { name, pipeline: modelReference(this.#manifest), reason }, { cause });
    const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, feedOf(tensor)]));
    const results = await this.#session.run(feeds, wanted).catch((error: unknown) => {
      const reason = (error as Error).message.trim();
      if (OUT_OF_MEMORY.test(reason)) throw new SkeinError("INTERNAL", { reason }, { cause: error });
      throw invalid(`the model does not take it: ${reason.replace(/\s+/g, " ").slice(0, 300)}`, error);
    });
    const outputs = wanted.map((output) => this.#outputOf(output, results[output]));
    const bytes = outputs.reduce((sum, { data }) => sum + dataBytes(data), 0);
    if (bytes > LIMITS.tensorBytesMax)
      throw invalid(`its outputs have ${bytes} bytes, and the most is ${LIMITS.tensorBytesMax}`);
    return outputs;
  }

  #outputOf(name: string, result: OrtTensor | undefined): Tensor {
    const { datatype } = this.#manifest.outputs.find((spec) => spec.name === name)!;
    const data: unknown = result && (result.type === "float16" ? bitsOf(result.data) : result.data);
    if (!result || !isOfType(datatype, data) || data.length !== elementsOf(result.dims))
      throw new SkeinError("MODEL_INVALID", {
        model: modelReference(this.#manifest),
        reason: `its output ${name} is no ${datatype}`,
      });
    return { name, datatype, shape: [...result.dims], data };
  }

  /** Gives its memory back. */
  release(): Promise<void> {
    return this.#session.release();
  }
}

/** By the graph itself: its free dimensions may be fixed in the manifest, and not the other way round. */
function difference(
  what: string,
  specs: readonly TensorSpec[],
  found: readonly InferenceSession.ValueMetadata[],
): string | undefined {
  const names = (list: readonly { name: string }[]): string =>
    list
      .map(({ name }) => name)
      .sort()
      .join(", ");
  if (names(specs) !== names(found)) return `its graph has the ${what}s ${names(found)}, its manifest ${names(specs)}`;
  for (const spec of specs) {
    const one = found.find(({ name }) => name === spec.name)!;
    const type = one.isTensor ? one.type : "no tensor";
    if (type !== TYPES[spec.datatype])
      return `the ${what} ${spec.name} is ${type} in its graph, ${spec.datatype} in its manifest`;
  }
  return undefined;
}

function feedOf({ datatype, shape, data }: Tensor): OrtTensor {
  const type = TYPES[datatype];
  // onnxruntime-common makes a Float16Array of it where JavaScript has one, and onnxruntime-node 1.30 reads none of its
  // bytes ("expected 4, got 0"); as bits it reads them.
  if (type === "float16") return { type, dims: shape, location: "cpu", data } as unknown as OrtTensor;
  return new OrtTensorMaker(type, data as never, shape);
}

const bitsOf = (halves: OrtTensor["data"]): TensorData => {
  const { buffer, byteOffset, length } = halves as Uint16Array;
  return new Uint16Array(buffer, byteOffset, length);
};
