import { refuse } from "./checks.ts";
import { numbersOfHalves } from "./tensor-data.ts";
import { decodeResponse, elementsOf, type Tensor } from "./tensors.ts";

/** Elements of a tensor that a person is shown. */
const SHOWN = 8;
const TEXT_SHOWN = 60;

/** A tensor that is compared, as numbers: undefined for text, and for whole numbers too long to be exact as numbers. */
export function floatsOf({ datatype, data }: Tensor): ArrayLike<number> | undefined {
  if (datatype === "FP16") return numbersOfHalves(data as Uint16Array);
  return datatype === "FP32" || datatype === "FP64" ? (data as Float32Array) : undefined;
}

/** What a model made of an item, for a person: a line for each output, its first elements. @throws BAD_REQUEST if it is no response */
export function tensorsText(output: Uint8Array): string {
  const { outputs } = decodeResponse(output);
  if (outputs.length === 0) refuse("outputs", "must hold at least one tensor");
  return outputs.map(lineOf).join("\n");
}

function lineOf(tensor: Tensor): string {
  const { name, datatype, shape, data } = tensor;
  const count = elementsOf(shape);
  const first = Array.from({ length: Math.min(SHOWN, count) }, (_, n) => elementText(tensor, n));
  return `${name} ${datatype}[${shape.join(",")}]: ${first.join(" ")}${data.length > SHOWN ? ` ... (${count} values)` : ""}`;
}

function elementText(tensor: Tensor, n: number): string {
  const floats = floatsOf(tensor);
  if (floats) return String(Number(floats[n]!.toPrecision(6)));
  const element = tensor.data[n]!;
  if (tensor.datatype === "BOOL") return String(element === 1);
  if (typeof element !== "string") return String(element);
  return JSON.stringify(element.length > TEXT_SHOWN ? `${element.slice(0, TEXT_SHOWN)}...` : element);
}
