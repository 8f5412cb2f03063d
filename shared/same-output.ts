/** Whether two runs of one input came to the same, where boxes of different processors compute with different last digits. */
import { SkeinError } from "./errors.ts";
import { letterErrors, type PageText, readPageText } from "./page-text.ts";
import { floatsOf } from "./tensor-text.ts";
import { decodeResponse, type InferResponse, type Tensor } from "./tensors.ts";

/** Letters of a page's text that may differ: on two kinds of processor a letter near the threshold may be read either way. */
export const PAGE_TEXT_TOLERANCE = 0.01;

/**
 * Part by which a number that a model made may differ, of the larger of the two or of the largest in its tensor, whichever is
 * more. Processors, threads, batches and levels of graph optimisation add up the same numbers in other orders: each sum is
 * then off by some 1e-7 of what was added, and a deep network makes 1e-5 to 1e-4 of it; a wrong weight or input is off by
 * far more. Against the largest, because what comes of two large numbers that nearly cancel has no digits of its own. A
 * half has eleven bits, and so a step of 1e-3.
 */
export const TENSOR_TOLERANCE = { FP16: 1e-2, FP32: 1e-3, FP64: 1e-3 };
/** Elements of other types that may differ, of all in their tensor: the largest of two scores that are nearly equal is another index. */
export const ELEMENTS_TOLERANCE = 0.01;

/** Why these outputs are not the same by their pipeline's tolerance, as the end of a sentence; undefined if they are. */
export function outputDifference(pipeline: string, recorded: Uint8Array, again: Uint8Array): string | undefined {
  if (pipeline === "ocr") return pageDifference(recorded, again);
  if (pipeline === "canary") return "its bytes are others";
  const [record, other] = [recordOf(recorded), recordOf(again)];
  return record && other ? jsonDifference(record, other, "it") : tensorsDifference(recorded, again);
}

/** What a pipeline of stages gave, as an object by output; undefined of a model's response, and of what is no JSON. */
function recordOf(output: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(output));
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    return isRecord && !("model_name" in value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers within the tolerance of FP32, of the larger of the two or of one; all else the same. */
function jsonDifference(value: unknown, other: unknown, path: string): string | undefined {
  if (typeof value === "number" && typeof other === "number") {
    const most = TENSOR_TOLERANCE.FP32 * Math.max(1, Math.abs(value), Math.abs(other));
    return Math.abs(value - other) <= most ? undefined : `${path} is ${other} and not ${value}`;
  }
  if (typeof value !== "object" || typeof other !== "object" || value === null || other === null)
    return value === other ? undefined : `${path} is another`;
  const [mine, theirs] = [Object.entries(value), Object.entries(other)];
  if (Array.isArray(value) !== Array.isArray(other) || mine.length !== theirs.length) return `${path} is another`;
  for (const [key, one] of mine) {
    const difference = jsonDifference(one, (other as Record<string, unknown>)[key], `${path}.${key}`);
    if (difference) return difference;
  }
  return undefined;
}

function pageDifference(recorded: Uint8Array, again: Uint8Array): string | undefined {
  const [page, other] = [pageOf(recorded), pageOf(again)];
  if (!page || !other) return `what is ${page ? "computed" : "recorded"} is no page's text`;
  if (page.width !== other.width || page.height !== other.height) return "the page has another size";
  const errorsMax = Math.floor(PAGE_TEXT_TOLERANCE * page.text.length);
  if (letterErrors(page.text, other.text, errorsMax) !== undefined) return undefined;
  return `more than ${100 * PAGE_TEXT_TOLERANCE} % of its ${page.text.length} letters are others`;
}

function pageOf(output: Uint8Array): PageText | undefined {
  try {
    return readPageText(output);
  } catch {
    return undefined;
  }
}

function tensorsDifference(recorded: Uint8Array, again: Uint8Array): string | undefined {
  const [response, other] = [responseOf(recorded), responseOf(again)];
  if (!response || !other) return `what is ${response ? "computed" : "recorded"} is no response of a model`;
  if (response.model !== other.model || response.version !== other.version) return "it is another model's";
  if (response.outputs.length !== other.outputs.length) return "it has other outputs";
  for (const [n, tensor] of response.outputs.entries()) {
    const difference = tensorDifference(tensor, other.outputs[n]!);
    if (difference) return difference;
  }
  return undefined;
}

function tensorDifference(tensor: Tensor, other: Tensor): string | undefined {
  const { name, datatype, shape } = tensor;
  if (name !== other.name || datatype !== other.datatype || shape.join() !== other.shape.join())
    return `the output ${name} has another name, type or shape`;
  const [floats, others] = [floatsOf(tensor), floatsOf(other)];
  if (floats && others) return floatsDifference(name, TENSOR_TOLERANCE[datatype as "FP32"], floats, others);
  const { data } = tensor;
  let differing = 0;
  for (let n = 0; n < data.length; n++) if (data[n] !== other.data[n]) differing++;
  if (differing <= Math.floor(ELEMENTS_TOLERANCE * data.length)) return undefined;
  return `${differing} of the ${data.length} elements of the output ${name} are others`;
}

function floatsDifference(
  name: string,
  tolerance: number,
  floats: ArrayLike<number>,
  others: ArrayLike<number>,
): string | undefined {
  let largest = 0;
  for (let n = 0; n < floats.length; n++)
    if (Number.isFinite(floats[n])) largest = Math.max(largest, Math.abs(floats[n]!));
  for (let n = 0; n < floats.length; n++) {
    const [one, other] = [floats[n]!, others[n]!];
    if (Object.is(one, other) || one === other) continue;
    const off = Math.abs(one - other);
    if (Number.isFinite(off) && off <= tolerance * Math.max(largest, Math.abs(other))) continue;
    return `element ${n} of the output ${name} is ${one} in one and ${other} in the other`;
  }
  return undefined;
}

function responseOf(output: Uint8Array): InferResponse | undefined {
  try {
    return decodeResponse(output);
  } catch (error) {
    if (SkeinError.from(error).code === "BAD_REQUEST") return undefined;
    throw error;
  }
}
