/**
 * A job's item of a pipeline is one blob, and so is what comes of it.
 *
 * In: of a pipeline with one input its value as people have it: bytes as they are; text as UTF-8; JSON, numbers and lists of
 * them as JSON; a tensor as a request of the Open Inference Protocol with one input of whatever name. With several, or where
 * a list is of anything else: a file of values by their keys (`-1.page`; see values.ts), which every pipeline takes.
 *
 * Out: of a pipeline whose one output is bytes, those. Otherwise a JSON object by the names of the outputs: JSON as it is, a
 * tensor {"datatype","shape","data"}, bytes in Base64, a list as a list, none as null; and under "skipped" what on-error rules
 * let pass.
 */
import { toBase64 } from "../base64.ts";
import { refuse } from "../checks.ts";
import { type ErrorBody, SkeinError } from "../errors.ts";
import { dataFromBytes, dataToBytes, dataToJson } from "../tensor-data.ts";
import { decodeRequest, elementsOf, encodeRequest } from "../tensors.ts";
import type { CompiledPipeline } from "./compiled.ts";
import type { Json } from "./definition.ts";
import { sourceKey } from "./segment.ts";
import { type PortType, parseType } from "./types.ts";
import { checkValue } from "./value-check.ts";
import { decodeValues, encodeValues, type TensorValue, type Value, type Values } from "./values.ts";

/** What an on-error rule let pass. */
export interface Skipped {
  /** As the pipeline names it. */
  stage: string;
  /** In the list that it runs over. */
  element?: number;
  error: Pick<ErrorBody, "code" | "message">;
}

type Inputs = CompiledPipeline["inputs"];

const inputKey = (port: string): string => sourceKey({ stage: -1, port });
const utf8 = new TextEncoder();
const JSON_KINDS = ["json", "text", "number", "boolean"];

/** Whether a file of people's is this input's value; otherwise it has to come as a file of values. */
const isPlain = (type: PortType): boolean => (type.kind === "list" ? JSON_KINDS.includes(type.element.kind) : true);

/** The one input whose value an item may be; undefined where it has to be a file of values. */
function plainInput(inputs: Inputs): { name: string; type: PortType } | undefined {
  const [only, ...others] = inputs;
  if (!only || others.length > 0) return undefined;
  const type = parseType(only.type);
  return isPlain(type) ? { name: only.name, type } : undefined;
}

/** @param values by the names of the inputs @throws BAD_REQUEST for one that is missing, not known or of another type */
export function writeItem(inputs: Inputs, values: Values): Uint8Array {
  const keyed = new Map(inputs.map(({ name }) => [inputKey(name), values.get(name) ?? refuse(name, "must be given")]));
  const unknown = [...values.keys()].find((name) => !keyed.has(inputKey(name)));
  if (unknown !== undefined) refuse(unknown, `is no input; known are ${inputs.map(({ name }) => name).join(", ")}`);
  checkInputs(inputs, keyed);
  const only = plainInput(inputs);
  const plain = only && writePlain(only, keyed.get(inputKey(only.name))!);
  // Never is what people have taken for a file of values, so what looks like one is put into one.
  return plain && !looksLikeValues(plain) ? plain : encodeValues(keyed);
}

function writePlain({ name, type }: { name: string; type: PortType }, value: Value): Uint8Array | undefined {
  if (value.kind === "bytes") return value.bytes;
  if (value.kind === "tensor") return writeTensor(value, name);
  if (value.kind === "json") return utf8.encode(type.kind === "text" ? `${value.json}` : JSON.stringify(value.json));
  if (value.kind !== "list") return undefined;
  return utf8.encode(JSON.stringify(value.elements.map((one) => (one.kind === "json" ? one.json : null))));
}

function writeTensor({ datatype, shape, bytes }: TensorValue, name: string): Uint8Array {
  const data = dataFromBytes(datatype, bytes, elementsOf(shape), name);
  return encodeRequest({ inputs: [{ name, datatype, shape, data }], binary: true });
}

const VALUES_HEAD = /^\d{1,10}\n\[(\[|\])/;
const looksLikeValues = (bytes: Uint8Array): boolean =>
  VALUES_HEAD.test(String.fromCharCode(...bytes.subarray(0, 14))) && isDecodable(bytes);

function isDecodable(bytes: Uint8Array): boolean {
  try {
    return [...decodeValues(bytes).keys()].every((key) => key.startsWith("-1."));
  } catch {
    return false;
  }
}

/** By `sourceKey`. @throws INPUT_EMPTY, INPUT_INVALID with the input and the reason */
export function readItem({ reference, inputs }: CompiledPipeline, item: Uint8Array, name: string): Values {
  if (inputs.length === 0) return new Map();
  if (item.length === 0) throw new SkeinError("INPUT_EMPTY", { name });
  try {
    const values = itemValues(inputs, item);
    checkInputs(inputs, values);
    return values;
  } catch (error) {
    const { reason } = SkeinError.from(error).facts;
    throw new SkeinError("INPUT_INVALID", { name, pipeline: reference, reason }, { cause: error });
  }
}

function itemValues(inputs: Inputs, item: Uint8Array): Values {
  const only = plainInput(inputs);
  if (!only || looksLikeValues(item)) return decodeValues(item);
  return new Map([[inputKey(only.name), readPlain(only, item)]]);
}

function readPlain({ name, type }: { name: string; type: PortType }, item: Uint8Array): Value {
  if (type.kind === "bytes" || type.kind === "any") return { kind: "bytes", bytes: item };
  if (type.kind === "tensor") return readTensor(item, name);
  const text = decodeText(item, name);
  if (type.kind === "text") return { kind: "json", json: text };
  const json = parseJson(text, name);
  if (type.kind !== "list") return { kind: "json", json };
  if (!Array.isArray(json)) refuse(name, "must be a list");
  return { kind: "list", elements: json.map((one) => ({ kind: "json", json: one })) };
}

function readTensor(item: Uint8Array, name: string): Value {
  const [only, ...others] = decodeRequest(item).inputs;
  if (!only || others.length > 0) refuse(name, "must be one tensor");
  const { datatype, shape, data } = only;
  if (datatype === "BYTES") refuse(name, "must be of numbers: texts are JSON here");
  return { kind: "tensor", datatype, shape, bytes: dataToBytes(data) };
}

function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuse(name, "must be text in UTF-8");
  }
}

function parseJson(text: string, name: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    return refuse(name, `must be JSON: ${(error as Error).message.slice(0, 120)}`);
  }
}

function checkInputs(inputs: Inputs, values: Values): void {
  const known = new Set(inputs.map(({ name }) => inputKey(name)));
  const unknown = [...values.keys()].find((key) => !known.has(key));
  if (unknown !== undefined) refuse(unknown, `is no input; known are ${[...known].join(", ")}`);
  for (const { name, type } of inputs)
    checkValue(values.get(inputKey(name)) ?? refuse(name, "must be given"), parseType(type), name);
}

/** @param values by the names of the pipeline's outputs; the same bytes for the same values */
export function writeOutput(values: Values, skipped: readonly Skipped[]): Uint8Array {
  const [only] = values.values();
  if (values.size === 1 && only?.kind === "bytes") return only.bytes;
  const fields = [...values].map(([name, value]) => `${JSON.stringify(name)}:${valueJson(value)}`);
  if (skipped.length > 0) fields.push(`"skipped":${JSON.stringify(skipped)}`);
  return utf8.encode(`{${fields.join(",")}}`);
}

/** As an item's output has it. */
function valueJson(value: Value): string {
  switch (value.kind) {
    case "none":
      return "null";
    case "json":
      return JSON.stringify(value.json);
    case "bytes":
      return `"${bytesText(value.bytes)}"`;
    case "list":
      return `[${value.elements.map(valueJson).join(",")}]`;
    case "tensor": {
      const { datatype, shape, bytes } = value;
      const data = dataToJson(datatype, dataFromBytes(datatype, bytes, elementsOf(shape), "a tensor"));
      return `{"datatype":"${datatype}","shape":[${shape}],"data":${data}}`;
    }
  }
}

/** In pieces of whole groups of three, because toBase64 is for some kilobytes. */
function bytesText(bytes: Uint8Array): string {
  const piece = 3 * 4_096;
  const texts: string[] = [];
  for (let from = 0; from < bytes.length; from += piece) texts.push(toBase64(bytes.subarray(from, from + piece)));
  return texts.join("");
}
