/**
 * What a model takes and gives: requests and responses of the Open Inference Protocol (KServe v2, "Inference Request JSON
 * Object"), each in one file.
 *
 * As JSON, a file is the protocol's body and nothing else:
 *   {"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[0.5,1]}]}
 * `data` is flat in row order, or nested as the shape is. `outputs` names those that are wanted; if it names none, all are given.
 *
 * The binary form (the protocol's extension `binary_tensor_data`) needs beside its body the length of the JSON, which HTTP
 * has in the header Inference-Header-Content-Length. In a file that length is the first line:
 *   <bytes of the JSON, in decimal digits>\n<JSON><data of the first tensor><data of the second>...
 * A tensor whose data lie behind says how many bytes in `parameters.binary_data_size`. Elements are little-endian, BOOL one
 * byte each, an element of BYTES its length in four bytes and then its UTF-8. No JSON begins with a digit and goes on in
 * a second line with a brace, so the two forms are never taken for one another.
 *
 * Numbers that JSON has no word for are the texts "NaN", "Infinity" and "-Infinity"; FP16 may come and go as JSON numbers.
 */
import {
  checkBoolean,
  checkKeys,
  checkList,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "./checks.ts";
import { LIMITS } from "./limits.ts";
import { DATATYPES, type Datatype, type TensorSpec } from "./model.ts";
import { dataFromBytes, dataFromJson, dataToBytes, dataToJson, elementBytes, type TensorData } from "./tensor-data.ts";

export interface Tensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  data: TensorData;
}

export interface InferRequest {
  inputs: Tensor[];
  /** Those that are wanted, in their order, and in which form; absent: all. */
  outputs?: { name: string; binary?: boolean }[];
  /** The form of outputs of which nothing is said: as asked, or that of the inputs. */
  binary: boolean;
}

export interface InferResponse {
  model: string;
  version: string;
  outputs: Tensor[];
}

export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

const checkTensorName = (value: unknown, at: string): string => checkText(value, at, LIMITS.nameBytesMax);

const RANK_MAX = 16;
const LENGTH_LINE = /^(\d{1,10})\n/;

/** JSON, and what lies behind it. */
interface Framed {
  json: unknown;
  isBinary: boolean;
  /** The next so many bytes. */
  take(bytes: number, at: string): Uint8Array;
  /** Nothing may be left over. */
  end(): void;
}

function openFrame(bytes: Uint8Array): Framed {
  // Latin letters only, because it ends before the JSON begins.
  const line = LENGTH_LINE.exec(String.fromCharCode(...bytes.subarray(0, 11)));
  const jsonFrom = line?.[0].length ?? 0;
  let from = line ? jsonFrom + Number(line[1]) : bytes.length;
  if (from > bytes.length)
    refuse("", `the first line says ${line?.[1]} bytes of JSON, and ${bytes.length - jsonFrom} follow`);
  return {
    json: parse(bytes.subarray(jsonFrom, from)),
    isBinary: line !== null,
    take: (size, at) => {
      if (from + size > bytes.length)
        refuse(at, `must be followed by its ${size} bytes, and ${bytes.length - from} are left`);
      from += size;
      return bytes.subarray(from - size, from);
    },
    end: () => {
      if (from < bytes.length) refuse("", `${bytes.length - from} bytes are left behind the last tensor`);
    },
  };
}

/** A whole number of more digits than a JavaScript number holds, where one may stand in 64 bits. */
const LONG_WHOLE = /[^.\d]\d{16,}(?![.\deE])/;

/** Whole numbers beyond what is exact as a number come as bigint, where there may be tensors that hold them. */
function parse(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const isLong = text.includes('INT64"') && LONG_WHOLE.test(text);
    return isLong ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch (error) {
    refuse("", `it is no JSON: ${(error as Error).message.slice(0, 120)}`);
  }
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  const isInexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isInexact && /^-?\d+$/.test(context?.source ?? "") ? BigInt(context!.source!) : value;
}

/** @throws BAD_REQUEST with the place and the reason */
export function decodeRequest(bytes: Uint8Array): InferRequest {
  const frame = openFrame(bytes);
  const request = checkRecord(frame.json, "the request");
  checkKeys(request, "", ["id", "parameters", "inputs", "outputs"]);
  const inputs = readTensors(frame, request.inputs, "inputs");
  const asked = parametersOf(request, "").binary_data_output;
  const binary = asked === undefined ? frame.isBinary : checkBoolean(asked, "parameters.binary_data_output");
  if (request.outputs === undefined || (Array.isArray(request.outputs) && request.outputs.length === 0))
    return { inputs, binary };
  const outputs = checkList(request.outputs, "outputs", LIMITS.modelTensorsMax, readWanted);
  if (new Set(outputs.map(({ name }) => name)).size < outputs.length) refuse("outputs", "must name each once");
  return { inputs, outputs, binary };
}

function readWanted(value: unknown, at: string): { name: string; binary?: boolean } {
  const wanted = checkRecord(value, at);
  checkKeys(wanted, at, ["name", "parameters"]);
  const binary = parametersOf(wanted, at).binary_data;
  return {
    name: checkTensorName(wanted.name, `${at}.name`),
    ...(binary !== undefined && { binary: checkBoolean(binary, `${at}.parameters.binary_data`) }),
  };
}

/** Parameters that change nothing here (priority, timeout, what a client notes for itself) are let by, as the protocol has it. */
const parametersOf = ({ parameters }: Record<string, unknown>, at: string): Record<string, unknown> =>
  parameters === undefined ? {} : checkRecord(parameters, at ? `${at}.parameters` : "parameters");

/** @throws BAD_REQUEST */
export function decodeResponse(bytes: Uint8Array): InferResponse {
  const frame = openFrame(bytes);
  const response = checkRecord(frame.json, "the response");
  checkKeys(response, "", ["model_name", "model_version", "id", "parameters", "outputs"]);
  return {
    model: checkText(response.model_name, "model_name", LIMITS.nameBytesMax),
    version: checkText(response.model_version, "model_version", LIMITS.nameBytesMax),
    outputs: readTensors(frame, response.outputs, "outputs"),
  };
}

function readTensors(frame: Framed, value: unknown, at: string): Tensor[] {
  let bytesLeft: number = LIMITS.tensorBytesMax;
  const tensors = checkList(value, at, LIMITS.modelTensorsMax, (one, path): Tensor => {
    const tensor = checkRecord(one, path);
    checkKeys(tensor, path, ["name", "datatype", "shape", "parameters", "data"]);
    const name = checkTensorName(tensor.name, `${path}.name`);
    const datatype = checkOneOf(tensor.datatype, `${path}.datatype`, DATATYPES);
    const shape = checkList(tensor.shape, `${path}.shape`, RANK_MAX, (length, p) =>
      checkWhole(length, p, 0, 2 ** 31 - 1),
    );
    bytesLeft -= elementsOf(shape) * elementBytes(datatype);
    if (!(bytesLeft >= 0)) refuse(path, `must hold, with those before it, at most ${LIMITS.tensorBytesMax} bytes`);
    return { name, datatype, shape, data: readData(frame, tensor, { datatype, shape }, path) };
  });
  frame.end();
  if (new Set(tensors.map(({ name }) => name)).size < tensors.length) refuse(at, "must name each tensor once");
  return tensors;
}

function readData(
  frame: Framed,
  tensor: Record<string, unknown>,
  { datatype, shape }: Pick<Tensor, "datatype" | "shape">,
  at: string,
): TensorData {
  const count = elementsOf(shape);
  const size = parametersOf(tensor, at).binary_data_size;
  if (size !== undefined) {
    if (tensor.data !== undefined) refuse(at, "must have data or parameters.binary_data_size, not both");
    const bytes = frame.take(checkWhole(size, `${at}.parameters.binary_data_size`, 0, LIMITS.tensorBytesMax), at);
    return dataFromBytes(datatype, bytes, count, at);
  }
  if (!Array.isArray(tensor.data)) refuse(`${at}.data`, "must be a list");
  const isNested = shape.length > 1 && Array.isArray(tensor.data[0]);
  const flat = isNested ? flatten(tensor.data, shape, `${at}.data`) : tensor.data;
  if (flat.length !== count) refuse(`${at}.data`, `must have ${count} elements by its shape, not ${flat.length}`);
  return dataFromJson(datatype, flat, `${at}.data`);
}

function flatten(data: unknown[], shape: readonly number[], at: string): unknown[] {
  const flat: unknown[] = [];
  const visit = (value: unknown, depth: number, place: string): void => {
    if (!Array.isArray(value) || value.length !== shape[depth])
      refuse(place, `must be a list of ${shape[depth]} by its shape`);
    if (depth === shape.length - 1) for (const one of value) flat.push(one);
    else for (const [n, one] of value.entries()) visit(one, depth + 1, `${place}[${n}]`);
  };
  visit(data, 0, at);
  return flat;
}

/** Whether these are a model's inputs, before onnxruntime sees them: it lets pass what it has no use for. @throws BAD_REQUEST */
export function checkAgainst(specs: readonly TensorSpec[], tensors: readonly Tensor[], at = "inputs"): void {
  for (const { name } of specs) if (!tensors.some((tensor) => tensor.name === name)) refuse(at, `must have "${name}"`);
  for (const [n, { name, datatype, shape }] of tensors.entries()) {
    const spec = specs.find((one) => one.name === name);
    if (!spec) refuse(`${at}[${n}].name`, `must be one of ${specs.map((one) => one.name).join(", ")}, not "${name}"`);
    if (datatype !== spec.datatype)
      refuse(`${at}[${n}].datatype`, `must be ${spec.datatype} for "${name}", not ${datatype}`);
    const fits =
      shape.length === spec.shape.length && spec.shape.every((length, d) => length < 0 || length === shape[d]);
    if (!fits) refuse(`${at}[${n}].shape`, `must be [${spec.shape}] for "${name}" (-1: any length), not [${shape}]`);
  }
}

/** Head and tail of a message, around its tensors; JSON in one order of keys, so that the same tensors are the same bytes. */
function encode(head: string, tensors: readonly Tensor[], isBinary: (name: string) => boolean, tail = ""): Uint8Array {
  const blobs: Uint8Array[] = [];
  const written = tensors.map(({ name, datatype, shape, data }) => {
    const known = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape}],`;
    if (!isBinary(name)) return `${known}"data":${dataToJson(datatype, data)}}`;
    const blob = dataToBytes(data);
    blobs.push(blob);
    return `${known}"parameters":{"binary_data_size":${blob.length}}}`;
  });
  const json = new TextEncoder().encode(`{${head}:[${written.join(",")}]${tail}}`);
  if (blobs.length === 0) return json;
  return joined([new TextEncoder().encode(`${json.length}\n`), json, ...blobs]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Read back, it is the same again, its `binary` included. */
export function encodeRequest({ inputs, outputs, binary }: InferRequest): Uint8Array {
  const wanted = outputs?.map(({ name, binary: own }) => ({
    name,
    ...(own !== undefined && { parameters: { binary_data: own } }),
  }));
  const tail = `${wanted ? `,"outputs":${JSON.stringify(wanted)}` : ""},"parameters":{"binary_data_output":${binary}}`;
  return encode('"inputs"', inputs, () => binary, tail);
}

export function encodeResponse(
  { model, version, outputs }: InferResponse,
  isBinary: (name: string) => boolean,
): Uint8Array {
  const head = `"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(version)},"outputs"`;
  return encode(head, outputs, isBinary);
}
