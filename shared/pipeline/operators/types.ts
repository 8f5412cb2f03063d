/** Types that the specs of operators name again and again, and what comes of them. */
import type { TypeText } from "../definition.ts";

export const IMAGE = "UINT8[-1,-1,3]";
export const SOUND = "FP32[-1]";
/** A longer side of a picture is a mistake, or asks for memory that no box has: 8192 x 8192 are 200 MB. */
export const SIDE_MAX = 8192;

const JSON_KINDS = ["json", "text", "number", "boolean"];

/** `FP32[1,3,-1]` apart; undefined if it is no tensor. Without a shape: of any. */
export function tensorType(type: TypeText): { datatype: string; shape?: number[] } | undefined {
  const [, datatype, shape] = type.match(/^([A-Z]+\d*)(?:\[([-\d,]*)\])?$/) ?? [];
  if (datatype === undefined) return undefined;
  return shape === undefined ? { datatype } : { datatype, shape: shape === "" ? [] : shape.split(",").map(Number) };
}

export const tensorText = (datatype: string, shape: readonly number[] | undefined): TypeText =>
  shape ? `${datatype}[${shape}]` : datatype;

export const elementType = (type: TypeText | undefined): TypeText => type?.match(/^list<(.+)>$/)?.[1] ?? "any";

/** The narrowest type that all of these are. */
export function commonType(types: readonly TypeText[]): TypeText {
  const [first] = types;
  if (first === undefined) return "any";
  if (types.every((type) => type === first)) return first;
  if (types.every((type) => JSON_KINDS.includes(type))) return "json";
  const tensors = types.map(tensorType);
  if (tensors.some((tensor) => tensor?.datatype !== tensors[0]!.datatype)) return "any";
  const shapes = tensors.map((tensor) => tensor!.shape);
  const rank = shapes[0]?.length;
  if (rank === undefined || shapes.some((shape) => shape?.length !== rank)) return tensors[0]!.datatype;
  const shared = shapes[0]!.map((length, i) => (shapes.every((shape) => shape![i] === length) ? length : -1));
  return tensorText(tensors[0]!.datatype, shared);
}

/** Of a parameter that must be a number for anything to be known from it. */
export const wholeOr = (value: unknown, otherwise: number): number =>
  Number.isSafeInteger(value) ? (value as number) : otherwise;
