/** From a cell or a JSON value to a value of an input's type. */
import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { checkList, checkOneOf, checkRecord, checkWhole, refuse } from "../../../shared/checks.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { DATATYPES } from "../../../shared/model.ts";
import type { Json } from "../../../shared/pipeline/definition.ts";
import { type PortType, parseType } from "../../../shared/pipeline/types.ts";
import type { TensorValue, Value, Values } from "../../../shared/pipeline/values.ts";
import { dataFromJson, dataToBytes } from "../../../shared/tensor-data.ts";
import { elementsOf } from "../../../shared/tensors.ts";
import type { GivenItem, PipelineInput } from "./given.ts";

const RANK_MAX = 16;

/** Bytes are given as paths, from `folder`. @throws BAD_REQUEST, which names the input */
export async function valuesOf(
  { fields }: GivenItem,
  inputs: readonly PipelineInput[],
  folder: string,
): Promise<Values> {
  const values: Values = new Map();
  for (const { name, type } of inputs) {
    const port = parseType(type);
    const field = fields.get(name)!;
    const json = "cell" in field ? cellJson(field.cell, port, name) : field.json;
    values.set(name, await valueFrom(json, port, name, folder));
  }
  return values;
}

/** @throws BAD_REQUEST */
function cellJson(cell: string, { kind }: PortType, path: string): Json {
  if (cell.trim() === "") refuse(path, "is empty");
  if (kind === "text" || kind === "bytes") return cell;
  try {
    return JSON.parse(cell) as Json;
  } catch {
    const what = kind === "number" || kind === "boolean" ? `a ${kind}` : "JSON";
    return refuse(path, `must be ${what}, not ${JSON.stringify(cell.slice(0, 60))}`);
  }
}

async function valueFrom(json: Json, type: PortType, path: string, folder: string): Promise<Value> {
  if (type.kind === "list") {
    const items = checkList(json, path, LIMITS.fanOutMax, (one) => one as Json);
    const elements: Value[] = [];
    for (const [i, one] of items.entries()) elements.push(await valueFrom(one, type.element, `${path}[${i}]`, folder));
    return { kind: "list", elements };
  }
  if (type.kind === "bytes") return { kind: "bytes", bytes: await fileAt(json, path, folder) };
  if (type.kind === "tensor") return tensorOf(json, path);
  if (json === "") refuse(path, "is empty");
  return { kind: "json", json };
}

async function fileAt(json: Json, path: string, folder: string): Promise<Uint8Array> {
  if (typeof json !== "string") refuse(path, `must be the path of a file, not ${JSON.stringify(json).slice(0, 60)}`);
  const at = isAbsolute(json) ? json : join(folder, json);
  const kind = await stat(at).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") refuse(path, `names ${json}, which does not exist`);
    throw error;
  });
  if (!kind.isFile()) refuse(path, `names ${json}, which is no file`);
  if (kind.size > LIMITS.imageBytesMax) refuse(path, `names ${json}, which is over ${LIMITS.imageBytesMax} bytes`);
  return readFile(at);
}

/** As outputs have them: {"datatype", "shape", "data"}. */
function tensorOf(json: Json, path: string): TensorValue {
  const { datatype: type, shape: lengths, data } = checkRecord(json, path);
  const datatype = checkOneOf(type, `${path}.datatype`, DATATYPES);
  if (datatype === "BYTES") refuse(`${path}.datatype`, "must be of numbers: texts are JSON here");
  const shape = checkList(lengths, `${path}.shape`, RANK_MAX, (one, at) => checkWhole(one, at, 0));
  const elements = checkList((data as unknown[] | undefined)?.flat(Infinity), `${path}.data`, 2 ** 28, (one) => one);
  if (elements.length !== elementsOf(shape))
    refuse(`${path}.data`, `has ${elements.length} elements, and its shape has ${elementsOf(shape)}`);
  return { kind: "tensor", datatype, shape, bytes: dataToBytes(dataFromJson(datatype, elements, `${path}.data`)) };
}
