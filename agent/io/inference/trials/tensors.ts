/** Tensors in the words of the Open Inference Protocol, inputs made up for a graph, and outputs as numbers. */

import { type InferenceSession, Tensor } from "onnxruntime-node";
import { chance } from "../../../../shared/chance.ts";
import type { Datatype, TensorSpec } from "../../../../shared/model.ts";
import { ARRAYS } from "../../../../shared/tensor-data.ts";
import type { InputShapes } from "../../../ports/index.ts";
import { Refused } from "./refusals.ts";

const DATATYPE_OF: Readonly<Record<string, Datatype>> = {
  bool: "BOOL",
  uint8: "UINT8",
  uint16: "UINT16",
  uint32: "UINT32",
  uint64: "UINT64",
  int8: "INT8",
  int16: "INT16",
  int32: "INT32",
  int64: "INT64",
  float16: "FP16",
  float32: "FP32",
  float64: "FP64",
  string: "BYTES",
};

type Metadata = InferenceSession["inputMetadata"][number];

function specOf(what: "input" | "output", metadata: Metadata): TensorSpec {
  if (!metadata.isTensor)
    throw new Refused(`its ${what} ${metadata.name} is a sequence or a map; only tensors are served`);
  const datatype = DATATYPE_OF[metadata.type];
  if (!datatype) throw new Refused(`its ${what} ${metadata.name} is of type ${metadata.type}, which is not served`);
  // A free dimension is told by its name, or by nothing.
  const shape = metadata.shape.map((length) => (typeof length === "number" ? length : -1));
  return { name: metadata.name, datatype, shape };
}

export const specsOf = (session: InferenceSession): { inputs: TensorSpec[]; outputs: TensorSpec[] } => ({
  inputs: session.inputMetadata.map((one) => specOf("input", one)),
  outputs: session.outputMetadata.map((one) => specOf("output", one)),
});

export const rowsAreFree = (specs: readonly TensorSpec[]): boolean => specs.every(({ shape }) => shape[0] === -1);

/** How integers are made up: most are indices, lengths or masks, and nearly every table has a row 0 and a row 1. */
export type Integers = "bits" | "zeros";

/** Rows differ in size, so that a scale or a mean over all of them shows. */
const rowScales = [1, 4, 0.25];

function fill(
  data: { [at: number]: unknown },
  from: number,
  to: number,
  spec: TensorSpec,
  next: () => number,
  row: number,
  integers: Integers,
): void {
  const { datatype } = spec;
  const scale = rowScales[row % rowScales.length]!;
  const isFloat = datatype.startsWith("FP");
  const isBig = datatype === "INT64" || datatype === "UINT64";
  for (let at = from; at < to; at++) {
    if (datatype === "BYTES") data[at] = `row ${row} ${Math.floor(next() * 1_000)}`;
    else if (isFloat) data[at] = (next() * 2 - 1) * scale;
    else {
      const bit = integers === "zeros" || next() < 0.5 ? 0 : 1;
      data[at] = isBig ? BigInt(bit) : bit;
    }
  }
}

const ARRAY_OF: Readonly<Record<Datatype, new (length: number) => { [at: number]: unknown }>> = {
  ...ARRAYS,
  FP16: Float16Array,
  BYTES: Array,
};

const typeOf = (datatype: Datatype): Tensor.Type =>
  Object.keys(DATATYPE_OF).find((type) => DATATYPE_OF[type] === datatype) as Tensor.Type;

const product = (shape: readonly number[]): number => shape.reduce((so, length) => so * length, 1);

/** Row `rows[i]` is the same in whatever company. Where the first dimension is not free there is one row: the whole. */
export function madeUpFeeds(
  specs: readonly TensorSpec[],
  shapes: InputShapes,
  rows: readonly number[],
  integers: Integers,
): Record<string, Tensor> {
  return Object.fromEntries(
    specs.map((spec, n) => {
      const isFree = spec.shape[0] === -1;
      const one = shapes[spec.name] ?? spec.shape;
      const dims = isFree ? [rows.length, ...one.slice(1)] : one;
      const perRow = isFree ? product(one.slice(1)) : product(one);
      const data = new ARRAY_OF[spec.datatype](product(dims));
      for (const [at, row] of (isFree ? rows : [rows[0]!]).entries())
        fill(data, at * perRow, (at + 1) * perRow, spec, chance(row * 1_009 + n), row, integers);
      return [spec.name, tensorOf(spec.datatype, data, dims)];
    }),
  );
}

/** onnxruntime-node 1.30 takes halves as Uint16Array only, which onnxruntime-common turns into the Float16Array of newer Nodes. */
function tensorOf(datatype: Datatype, data: object, dims: number[]): Tensor {
  const tensor = new Tensor(typeOf(datatype), data as never, dims);
  if (data instanceof Float16Array) Object.defineProperty(tensor, "cpuData", { value: new Uint16Array(data.buffer) });
  return tensor;
}

/** Row `row` of `rows` of a tensor as numbers; a text as its characters. */
function rowOf(tensor: Tensor, row: number, rows: number): Float64Array {
  const data = tensor.data as ArrayLike<number | bigint | string | boolean>;
  const perRow = data.length / rows;
  const part = Array.from({ length: perRow }, (_, at) => data[row * perRow + at]!);
  if (tensor.type === "string") return Float64Array.from([...part.join("\0")].map((char) => char.codePointAt(0)!));
  return Float64Array.from(part, Number);
}

/** What belongs to one row, output by output. @throws when an output is not made of that many rows */
export function outputsOfRow(
  session: InferenceSession,
  run: InferenceSession.ReturnType,
  row: number,
  rows: number,
): Float64Array[] {
  return session.outputNames.map((name) => {
    const tensor = run[name] as Tensor;
    if (rows > 1 && tensor.dims[0] !== rows) throw new RangeError(`${name} has ${tensor.dims[0]} rows for ${rows}`);
    return rowOf(tensor, row, rows);
  });
}
