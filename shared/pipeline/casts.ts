/**
 * Tensors that were declared to lose precision where they cross the network (`send`).
 *
 * fp16: each number as the nearest half. int8: one byte a number, over the range of the tensor: with lo and hi its smallest
 * and largest number and step = (hi - lo) / 255, x is sent as round((x - lo) / step) and comes back as lo + byte * step, so
 * that no number moves by more than step / 2. Pixels as floats (bytes times a factor) come back exact, but for rounding, where
 * the tensor spans their whole range; a tensor of one number everywhere always does.
 *
 * What would not pay, or not come back, is sent as it is: tensors under CAST_BYTES_MIN, other types than FP32 and FP64,
 * numbers beyond the range of halves, and what is not finite.
 */
import { ARRAYS, arrayOf } from "../tensor-data.ts";
import { elementsOf } from "../tensors.ts";
import type { TensorValue, Value } from "./values.ts";

export type CastName = "fp16" | "int8";
/** How the bytes of a tensor lie in a file, where not as its type says. */
export type Packing = { as: "fp16" } | { as: "int8"; low: number; step: number };

/** Less is gone in the noise of a message. */
export const CAST_BYTES_MIN = 1_024;
const HALF_MAX = 65_504;

export const packedBytes = ({ as }: Packing, count: number): number => count * (as === "fp16" ? 2 : 1);

/** Elements of lists each by themselves. */
export function pack(value: Value, as: CastName): Value {
  if (value.kind === "list") return { kind: "list", elements: value.elements.map((one) => pack(one, as)) };
  if (value.kind !== "tensor" || value.packing || value.bytes.length < CAST_BYTES_MIN) return value;
  const numbers = floatsOf(value);
  return numbers ? (as === "fp16" ? halves(value, numbers) : bytesOver(value, numbers)) : value;
}

type Floats = Float32Array | Float64Array;

function floatsOf({ datatype, bytes }: TensorValue): Floats | undefined {
  if (datatype !== "FP32" && datatype !== "FP64") return undefined;
  return arrayOf(datatype, bytes) as Floats;
}

function halves(value: TensorValue, numbers: Floats): TensorValue {
  // NaN is not in the range either.
  for (const one of numbers) if (!(Math.abs(one) <= HALF_MAX)) return value;
  return { ...value, bytes: new Uint8Array(new Float16Array(numbers).buffer), packing: { as: "fp16" } };
}

function bytesOver(value: TensorValue, numbers: Floats): TensorValue {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const one of numbers) {
    if (!Number.isFinite(one)) return value;
    if (one < low) low = one;
    if (one > high) high = one;
  }
  const step = (high - low) / 255;
  if (!Number.isFinite(step)) return value;
  const bytes = new Uint8Array(numbers.length);
  if (step > 0) for (let n = 0; n < bytes.length; n++) bytes[n] = Math.round((numbers[n]! - low) / step);
  return { ...value, bytes, packing: { as: "int8", low, step } };
}

/** As it was before it was packed, as far as it was kept. */
export function unpack(value: Value): Value {
  if (value.kind === "list") {
    const elements = value.elements.map(unpack);
    return elements.every((one, n) => one === value.elements[n]) ? value : { kind: "list", elements };
  }
  if (value.kind !== "tensor" || !value.packing) return value;
  const { datatype, shape, bytes, packing } = value;
  const numbers = new ARRAYS[datatype](elementsOf(shape)) as Floats;
  if (packing.as === "fp16") numbers.set(new Float16Array(bytes.slice().buffer));
  else for (let n = 0; n < numbers.length; n++) numbers[n] = packing.low + bytes[n]! * packing.step;
  return { kind: "tensor", datatype, shape, bytes: new Uint8Array(numbers.buffer) };
}
