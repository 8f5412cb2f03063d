/** One operator, run as an executor runs it. */
import { IMPLEMENTATIONS, readyOperator } from "../../../../agent/io/inference/operators/index.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { TensorValue, Value } from "../../../../shared/pipeline/values.ts";

interface Told {
  with?: Record<string, Json>;
  files?: Record<string, string | Uint8Array>;
}

const bytesOf = (file: string | Uint8Array): Uint8Array =>
  typeof file === "string" ? new TextEncoder().encode(file) : file;

export const run = (
  name: string,
  inputs: Record<string, Value>,
  { with: parameters = {}, files = {} }: Told = {},
): Promise<Record<string, Value>> => {
  const read = Object.fromEntries(Object.entries(files).map(([file, text]) => [file, bytesOf(text)]));
  return readyOperator(IMPLEMENTATIONS, name, parameters, read).run(inputs);
};

export const json = (value: Json): Value => ({ kind: "json", json: value });
export const list = (...elements: Value[]): Value => ({ kind: "list", elements });
export const NONE: Value = { kind: "none" };

export function floats(shape: number[], values: Iterable<number>): TensorValue {
  const elements = Float32Array.from(values);
  return { kind: "tensor", datatype: "FP32", shape, bytes: new Uint8Array(elements.buffer) };
}

export const image = (
  height: number,
  width: number,
  pixel: (x: number, y: number) => [number, number, number],
): Value => ({
  kind: "tensor",
  datatype: "UINT8",
  shape: [height, width, 3],
  bytes: Uint8Array.from(
    Array.from({ length: height * width }, (_, at) => pixel(at % width, Math.floor(at / width))).flat(),
  ),
});

/** A value as plain JSON, tensors as their shape and numbers. */
export function plain(value: Value | undefined): unknown {
  if (value?.kind === "json") return value.json;
  if (value?.kind === "list") return value.elements.map(plain);
  if (value?.kind === "tensor") return { shape: value.shape, values: numbersOf(value) };
  return value?.kind;
}

export function numbersOf(value: Value | undefined): number[] {
  if (value?.kind !== "tensor") throw new Error(`no tensor but ${value?.kind}`);
  const { buffer, byteOffset, byteLength } = value.bytes.slice();
  if (value.datatype === "UINT8") return [...value.bytes];
  if (value.datatype === "INT64") return Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
  return [...new Float32Array(buffer, byteOffset, byteLength / 4)];
}
