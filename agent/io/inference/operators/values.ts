/** Values as operators make and read them: typed arrays for tensors. */
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { TensorValue, Value } from "../../../../shared/pipeline/values.ts";
import { ARRAYS, type TensorData } from "../../../../shared/tensor-data.ts";

export type Elements = Exclude<TensorData, string[]>;

export const json = (value: Json): Value => ({ kind: "json", json: value });
export const bytes = (value: Uint8Array): Value => ({ kind: "bytes", bytes: value });
export const list = (elements: Value[]): Value => ({ kind: "list", elements });

/** The elements are not copied. */
export function tensor(datatype: TensorValue["datatype"], shape: readonly number[], elements: Elements): TensorValue {
  const { buffer, byteOffset, byteLength } = elements;
  return { kind: "tensor", datatype, shape: [...shape], bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

export const floats = (shape: readonly number[], elements: Float32Array): TensorValue =>
  tensor("FP32", shape, elements);

/** Without a copy where the bytes lie as the processor wants them. */
export function elementsOf({ datatype, bytes: raw }: TensorValue): Elements {
  const Kind = ARRAYS[datatype];
  const isAligned = raw.byteOffset % Kind.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? raw : new Uint8Array(raw);
  return new Kind(buffer as ArrayBuffer, byteOffset, Math.floor(byteLength / Kind.BYTES_PER_ELEMENT));
}

export const countOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** What a value is, for messages. */
export function kindOf(value: Value | undefined): string {
  if (!value || value.kind === "none") return "nothing";
  if (value.kind === "tensor") return `${value.datatype}[${value.shape}]`;
  if (value.kind === "list") return `a list of ${value.elements.length}`;
  if (value.kind === "bytes") return `${value.bytes.length} bytes`;
  const { json: what } = value;
  if (what === null) return "null";
  if (Array.isArray(what)) return "a JSON list";
  return typeof what === "object" ? "a JSON object" : `${typeof what} ${JSON.stringify(what).slice(0, 60)}`;
}
