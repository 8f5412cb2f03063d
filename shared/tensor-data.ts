/** The elements of a tensor: in memory, as JSON, and as the bytes of the Open Inference Protocol's binary form. */
import { refuse } from "./checks.ts";
import type { Datatype } from "./model.ts";

/**
 * In row order. BOOL is a byte, 0 or 1; FP16 its bits, because few programs have such numbers; BYTES text, because that is
 * all onnxruntime makes of it.
 */
export type TensorData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | string[];

/** Everything but text has elements of one size. Native byte order is little-endian wherever onnxruntime or a browser runs. */
export const ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;
type Sized = keyof typeof ARRAYS;

const WHOLE_BITS: Partial<Record<Datatype, number>> = {
  UINT8: 8,
  UINT16: 16,
  UINT32: 32,
  INT8: 8,
  INT16: 16,
  INT32: 32,
};
/** JSON has no words for them; everything that Number makes a number of. */
const NOT_FINITE = ["NaN", "Infinity", "-Infinity"];

/** Bytes of one element; text counts as what its length field takes. */
export const elementBytes = (datatype: Datatype): number =>
  datatype === "BYTES" ? 4 : ARRAYS[datatype].BYTES_PER_ELEMENT;

/** In the binary form. */
export const dataBytes = (data: TensorData): number =>
  Array.isArray(data) ? data.reduce((sum, text) => sum + 4 + utf8.encode(text).length, 0) : data.byteLength;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text as onnxruntime can carry it: it ends a string at the first NUL. */
function checkElementText(text: string, at: string): string {
  if (text.includes("\0")) refuse(at, "must have no NUL byte: text cannot be carried behind one");
  if (!text.isWellFormed()) refuse(at, "must be whole characters, not half of a surrogate pair");
  return text;
}

/** The numbers of halves. */
export const numbersOfHalves = (bits: Uint16Array): Float16Array =>
  new Float16Array(bits.buffer, bits.byteOffset, bits.length);

/**
 * @param values flat; a bigint where JSON had a whole number that is no safe one
 * @throws BAD_REQUEST with the element that does not fit
 */
export function dataFromJson(datatype: Datatype, values: readonly unknown[], at: string): TensorData {
  const wrong = (n: number, what: string): never => refuse(`${at}[${n}]`, `must be ${what}, not ${shown(values[n])}`);
  if (datatype === "BYTES")
    return values.map((value, n) =>
      typeof value === "string" ? checkElementText(value, `${at}[${n}]`) : wrong(n, "text"),
    );
  if (datatype === "BOOL")
    return Uint8Array.from(values, (value, n) => (typeof value === "boolean" ? +value : wrong(n, "true or false")));
  if (datatype === "INT64" || datatype === "UINT64") return bigData(datatype, values, wrong);
  const bits = WHOLE_BITS[datatype];
  return bits === undefined ? floatData(datatype, values, wrong) : wholeData(datatype as Sized, bits, values, wrong);
}

type Wrong = (n: number, what: string) => never;

function wholeData(datatype: Sized, bits: number, values: readonly unknown[], wrong: Wrong): TensorData {
  const [min, max] = datatype.startsWith("U") ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const data = new ARRAYS[datatype](values.length) as Int32Array;
  for (let n = 0; n < values.length; n++) {
    const value = values[n] as number;
    if (!Number.isInteger(value) || value < min || value > max) wrong(n, `a whole number from ${min} to ${max}`);
    data[n] = value;
  }
  return data;
}

function bigData(datatype: "INT64" | "UINT64", values: readonly unknown[], wrong: Wrong): TensorData {
  const data = new ARRAYS[datatype](values.length);
  for (let n = 0; n < values.length; n++) {
    const value = values[n];
    if (typeof value === "number" && !Number.isSafeInteger(value)) wrong(n, "a whole number that is known exactly");
    if (typeof value !== "number" && typeof value !== "bigint") wrong(n, "a whole number");
    const whole = BigInt(value as number | bigint);
    const held = datatype === "INT64" ? BigInt.asIntN(64, whole) : BigInt.asUintN(64, whole);
    if (held !== whole) wrong(n, `a whole number of ${datatype}`);
    data[n] = whole;
  }
  return data;
}

function floatData(datatype: Datatype, values: readonly unknown[], wrong: Wrong): TensorData {
  const data = datatype === "FP16" ? new Float16Array(values.length) : new ARRAYS[datatype as Sized](values.length);
  for (let n = 0; n < values.length; n++) {
    const value = values[n];
    const isWord = typeof value === "string" && NOT_FINITE.includes(value);
    if (!isWord && typeof value !== "number" && typeof value !== "bigint")
      wrong(n, 'a number, "NaN", "Infinity" or "-Infinity"');
    const number = Number(value);
    data[n] = number;
    if (!isWord && !Number.isFinite(data[n])) wrong(n, `a number of ${datatype}`);
  }
  return data instanceof Float16Array ? new Uint16Array(data.buffer) : (data as TensorData);
}

const shown = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  const text = typeof value === "bigint" ? `${value}` : (JSON.stringify(value) ?? "nothing");
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
};

/** As a flat list; the same text for the same data. */
export function dataToJson(datatype: Datatype, data: TensorData): string {
  if (Array.isArray(data)) return JSON.stringify(data);
  if (datatype === "BOOL") return `[${Array.from(data as Uint8Array, (bit) => bit === 1).join(",")}]`;
  const numbers = datatype === "FP16" ? numbersOfHalves(data as Uint16Array) : data;
  if (!isFloat(numbers) || numbers.every(isPlain)) return `[${numbers.join(",")}]`;
  return `[${Array.from(numbers, numberToJson).join(",")}]`;
}

type Floats = Float16Array | Float32Array | Float64Array;
const isFloat = (data: object): data is Floats =>
  data instanceof Float32Array || data instanceof Float64Array || data instanceof Float16Array;
/** Neither what JSON has no word for, nor the zero whose sign it would lose. */
const isPlain = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);

function numberToJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** @throws BAD_REQUEST if these are not so many elements, or not of that type */
export function dataFromBytes(datatype: Datatype, bytes: Uint8Array, count: number, at: string): TensorData {
  if (datatype === "BYTES") return textsFromBytes(bytes, count, at);
  const expected = count * elementBytes(datatype);
  if (bytes.length !== expected) refuse(at, `must have ${expected} bytes by its shape, not ${bytes.length}`);
  // A copy, because elements must lie at a multiple of their size; not by `slice`, which of Node's Buffer is a view.
  const data = new ARRAYS[datatype](new Uint8Array(bytes).buffer);
  if (datatype === "BOOL" && (data as Uint8Array).some((byte) => byte > 1)) refuse(at, "must be bytes of 0 and 1");
  return data;
}

/** Elements of one size where they lie; a copy only where they do not lie at a multiple of it. */
export function arrayOf(datatype: Sized, bytes: Uint8Array): Exclude<TensorData, string[]> {
  const Kind = ARRAYS[datatype];
  // Copied by the constructor: `slice` of Node's Buffer, which this may be, is a view.
  const placed = bytes.byteOffset % Kind.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = placed as Uint8Array<ArrayBuffer>;
  return new Kind(buffer, byteOffset, byteLength / Kind.BYTES_PER_ELEMENT);
}

function textsFromBytes(bytes: Uint8Array, count: number, at: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const texts: string[] = [];
  let from = 0;
  for (let n = 0; n < count; n++) {
    if (from + 4 > bytes.length) refuse(at, `must have ${count} elements by its shape, and ends after ${n}`);
    const to = from + 4 + view.getUint32(from, true);
    if (to > bytes.length) refuse(`${at}[${n}]`, `must end by byte ${bytes.length}, not at ${to}`);
    try {
      texts.push(checkElementText(strictUtf8.decode(bytes.subarray(from + 4, to)), `${at}[${n}]`));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      refuse(`${at}[${n}]`, "must be text in UTF-8");
    }
    from = to;
  }
  if (from !== bytes.length) refuse(at, `must have ${count} elements by its shape, and has more`);
  return texts;
}

export function dataToBytes(data: TensorData): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(dataBytes(data));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of data) {
    const encoded = utf8.encode(text);
    view.setUint32(at, encoded.length, true);
    bytes.set(encoded, at + 4);
    at += 4 + encoded.length;
  }
  return bytes;
}

/** Whether these elements are of this type; of text, whether it can be carried. */
export const isOfType = (datatype: Datatype, data: unknown): data is TensorData =>
  datatype === "BYTES"
    ? Array.isArray(data) && data.every((text) => typeof text === "string")
    : data instanceof ARRAYS[datatype];
