/**
 * What flows between stages, and its form between executors: a record of values by port. A file of it:
 *   <bytes of the JSON, in decimal digits>\n<JSON><the bytes that it points to, one after the other>
 * as the binary form of shared/tensors.ts. The JSON tells the shape of the record, [[key, value], ...]; a value is one of
 *   {"t":"FP32","s":[2,3]}   a tensor, its elements behind; "c":"fp16", or "c":[low,step], if they were cast (see casts.ts)
 *   {"b":1200}               so many bytes, behind
 *   {"j":...}                JSON
 *   {"l":[...]}              a list; "o":"3.crops" if it is in step with the list of that key
 *   0                        none
 * Two keys are no ports: `skipped` says what on-error rules let pass on the way here, `from` which element of a list is the
 * first one here, where it is a slice: {"3.crops":64}.
 * Spaces end the JSON so that what lies behind begins at a multiple of 8, and each tensor at one of its element: a tensor is
 * used where it lies, without a copy.
 */
import { checkList, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "../checks.ts";
import { LIMITS } from "../limits.ts";
import { DATATYPES, type Datatype } from "../model.ts";
import { elementBytes } from "../tensor-data.ts";
import { elementsOf } from "../tensors.ts";
import { type Packing, packedBytes } from "./casts.ts";
import type { Json } from "./definition.ts";

export type TensorValue = {
  kind: "tensor";
  datatype: Exclude<Datatype, "BYTES">;
  shape: number[];
  /** Little-endian, in row order, as in the Open Inference Protocol; no BYTES: texts are JSON. */
  bytes: Uint8Array;
  /** Where it was cast to be sent: only in files, and what was read from them; see casts.ts. */
  packing?: Packing;
};

export type Value =
  | TensorValue
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "json"; json: Json }
  | { kind: "list"; elements: Value[] }
  /** A stage that was not run, or failed and was skipped. */
  | { kind: "none" };

/** By `sourceKey` between segments, by port within a stage. */
export type Values = Map<string, Value>;

export const SKIPPED_KEY = "skipped";
export const FROM_KEY = "from";

/** Which element is the first one here, by key of a list that was sliced; 0 where nothing is said. */
export function firstElements(values: Values): Map<string, number> {
  const said = values.get(FROM_KEY);
  if (said === undefined) return new Map();
  const record = checkRecord(said.kind === "json" ? said.json : undefined, FROM_KEY);
  return new Map(Object.entries(record).map(([key, at]) => [key, checkWhole(at, `${FROM_KEY} of ${key}`, 0)]));
}

export const NONE: Value = { kind: "none" };

const TENSOR_TYPES = DATATYPES.filter((one): one is TensorValue["datatype"] => one !== "BYTES");
const RANK_MAX = 16;
/** Lists in lists. */
const DEPTH_MAX = 4;
const LENGTH_LINE = /^(\d{1,10})\n/;
/** Every element's size divides it. */
const ALIGNED = 8;

const aligned = (at: number, to: number): number => Math.ceil(at / to) * to;

/** Bytes of a value as it lies in memory; JSON as it is written. */
export function valueBytes(value: Value): number {
  if (value.kind === "tensor" || value.kind === "bytes") return value.bytes.length;
  if (value.kind === "json") return jsonBytes(value.json);
  return value.kind === "list" ? value.elements.reduce((sum, one) => sum + valueBytes(one), 0) : 0;
}

/** Near enough: UTF-8 has more bytes than a string has units where it is not of Latin letters. */
const jsonBytes = (json: Json): number => (typeof json === "string" ? json.length + 2 : JSON.stringify(json).length);

/**
 * The same bytes for the same values in the same order.
 * @param inStep by key of a list: the key of the list whose elements its own belong to; sliceValues cuts both
 */
export function encodeValues(values: Values, inStep: ReadonlyMap<string, string> = new Map()): Uint8Array {
  const record: [string, unknown][] = [];
  const behind: Placed[] = [];
  let end = 0;
  const place = (bytes: Uint8Array, to: number): void => {
    const at = aligned(end, to);
    behind.push({ at, bytes });
    end = at + bytes.length;
  };
  for (const [key, value] of values) {
    const over = inStep.get(key);
    const written = describe(value, place);
    record.push([key, value.kind === "list" && over !== undefined ? { ...(written as object), o: over } : written]);
  }
  return framed(record, behind, end);
}

interface Placed {
  at: number;
  bytes: Uint8Array;
}

function describe(value: Value, place: (bytes: Uint8Array, to: number) => void): unknown {
  switch (value.kind) {
    case "none":
      return 0;
    case "json":
      return { j: value.json };
    case "bytes":
      place(value.bytes, 1);
      return { b: value.bytes.length };
    case "tensor":
      place(value.bytes, elementBytes(value.datatype));
      return { t: value.datatype, s: value.shape, ...(value.packing && { c: packingSaid(value.packing) }) };
    case "list":
      return { l: value.elements.map((one) => describe(one, place)) };
  }
}

function framed(record: unknown, behind: readonly Placed[], bytes: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(record));
  // The spaces may make the number of bytes one digit longer, and then as many fewer of them are needed.
  let padded = json.length;
  while ((`${padded}\n`.length + padded) % ALIGNED !== 0) padded++;
  const head = new TextEncoder().encode(`${padded}\n`);
  const from = head.length + padded;
  const whole = new Uint8Array(from + bytes);
  whole.set(head);
  whole.set(json, head.length);
  whole.fill(0x20, head.length + json.length, from);
  for (const one of behind) whole.set(one.bytes, from + one.at);
  return whole;
}

/** What a file says, checked as far as its shape; what lies behind is pointed to. */
export interface ValuesRead {
  values: Values;
  inStep: Map<string, string>;
}

/** Tensors and bytes are views of `file`, and not copies. @throws BAD_REQUEST with the place and the reason */
export const decodeValues = (file: Uint8Array): Values => readValues(file).values;

export function readValues(file: Uint8Array): ValuesRead {
  const frame = openFrame(file);
  const inStep = new Map<string, string>();
  const values: Values = new Map();
  for (const entry of checkList(frame.json, "the values", LIMITS.valuesKeysMax, (one) => one)) {
    if (!Array.isArray(entry) || entry.length !== 2) refuse("the values", "must be pairs of a key and a value");
    const key = checkKey(entry[0], "a key");
    if (values.has(key)) refuse(key, "must be there once");
    const value = readValue(entry[1], key, 0, frame.take);
    values.set(key, value);
    const over = value.kind === "list" ? (entry[1] as { o?: unknown }).o : undefined;
    if (over !== undefined) inStep.set(key, checkKey(over, `${key}.o`));
  }
  frame.end();
  return { values, inStep };
}

const checkKey = (value: unknown, at: string): string => checkText(value, at, LIMITS.nameBytesMax);

function openFrame(file: Uint8Array): { json: unknown; take: Take; end: () => void } {
  if (file.length > LIMITS.valuesBytesMax)
    refuse("the values", `must have at most ${LIMITS.valuesBytesMax} bytes, not ${file.length}`);
  const line = LENGTH_LINE.exec(String.fromCharCode(...file.subarray(0, 11)));
  if (!line) refuse("the values", "must begin with the length of their JSON");
  const from = line[0].length + Number(line[1]);
  if (from > file.length) refuse("the values", `must hold the ${line[1]} bytes of JSON that they begin with`);
  let at = 0;
  return {
    json: parsed(file.subarray(line[0].length, from)),
    take: (bytes, to, path) => {
      const begin = from + aligned(at, to);
      if (begin + bytes > file.length)
        refuse(path, `must be followed by its ${bytes} bytes, and ${Math.max(0, file.length - begin)} are left`);
      at = begin - from + bytes;
      return file.subarray(begin, begin + bytes);
    },
    end: () => {
      if (from + at < file.length) refuse("the values", `have ${file.length - from - at} bytes too many at their end`);
    },
  };
}

type Take = (bytes: number, to: number, path: string) => Uint8Array;

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return refuse("the values", `are no JSON: ${(error as Error).message.slice(0, 120)}`);
  }
}

function readValue(said: unknown, path: string, depth: number, take: Take): Value {
  if (said === 0) return NONE;
  const value = checkRecord(said, path);
  if (value.t !== undefined) return readTensor(value, path, take);
  if (value.b !== undefined)
    return { kind: "bytes", bytes: take(checkWhole(value.b, `${path}.b`, 0, LIMITS.valuesBytesMax), 1, path) };
  if (value.j !== undefined) return { kind: "json", json: value.j as Json };
  if (!Array.isArray(value.l)) refuse(path, "must be a tensor, bytes, JSON, a list or none");
  if (depth >= DEPTH_MAX) refuse(path, `must not be lists in more than ${DEPTH_MAX} lists`);
  if (value.l.length > LIMITS.fanOutMax)
    refuse(path, `must have at most ${LIMITS.fanOutMax} elements, not ${value.l.length}`);
  return { kind: "list", elements: value.l.map((one, n) => readValue(one, `${path}[${n}]`, depth + 1, take)) };
}

function readTensor(value: Record<string, unknown>, path: string, take: Take): TensorValue {
  const datatype = checkOneOf(value.t, `${path}.t`, TENSOR_TYPES);
  const shape = checkList(value.s, `${path}.s`, RANK_MAX, (one, p) => checkWhole(one, p, 0, 2 ** 31 - 1));
  const size = elementBytes(datatype);
  if (value.c === undefined)
    return { kind: "tensor", datatype, shape, bytes: take(elementsOf(shape) * size, size, path) };
  if (datatype !== "FP32" && datatype !== "FP64") refuse(path, `must not be cast: it is ${datatype}`);
  const packing = readPacking(value.c, `${path}.c`);
  // What was cast takes more room than its bytes.
  if (elementsOf(shape) * size > LIMITS.valuesBytesMax)
    refuse(path, `must have at most ${LIMITS.valuesBytesMax} bytes`);
  return { kind: "tensor", datatype, shape, bytes: take(packedBytes(packing, elementsOf(shape)), size, path), packing };
}

const packingSaid = (packing: Packing): unknown => (packing.as === "fp16" ? packing.as : [packing.low, packing.step]);

function readPacking(said: unknown, path: string): Packing {
  if (said === "fp16") return { as: "fp16" };
  const [low, step] = checkList(said, path, 2, (one, p) => checkNumber(one, p, -Number.MAX_VALUE, Number.MAX_VALUE));
  if (low === undefined || step === undefined)
    refuse(path, "must be fp16, or where bytes begin and how far they lie apart");
  return { as: "int8", low, step };
}

/**
 * The same file with only the elements from `from` to before `to` of the list `sourceKey`, and of every list in step with it;
 * what else it holds stays whole. The file itself is not changed.
 * @throws BAD_REQUEST for what is no values, where there is no such list, or the list has no such elements
 */
export function sliceValues(file: Uint8Array, sourceKey: string, from: number, to: number): Uint8Array {
  const sliced = sliceOf(readValues(file), sourceKey, from, to);
  return encodeValues(sliced.values, sliced.inStep);
}

/** The same of what was read already, of which nothing is changed. @throws as sliceValues */
export function sliceOf(read: ValuesRead, sourceKey: string, from: number, to: number): ValuesRead {
  const { inStep } = read;
  const values: Values = new Map(read.values);
  let isThere = false;
  for (const [key, value] of read.values) {
    if (key !== sourceKey && inStep.get(key) !== sourceKey) continue;
    if (value.kind !== "list") refuse(key, `must be a list to be sliced, and is ${value.kind}`);
    checkWhole(to, `${key}: the end of the slice`, 0, value.elements.length);
    checkWhole(from, `${key}: the begin of the slice`, 0, to);
    values.set(key, { kind: "list", elements: value.elements.slice(from, to) });
    isThere = true;
  }
  const first = firstElements(values);
  first.set(sourceKey, (first.get(sourceKey) ?? 0) + from);
  values.set(FROM_KEY, { kind: "json", json: Object.fromEntries(first) });
  if (!isThere) refuse(sourceKey, `must be a list to be sliced; here are ${[...values.keys()].join(", ")}`);
  return { values, inStep };
}
