/**
 * What ports carry, as text and taken apart: `any`, `json`, `text`, `number`, `boolean`, `bytes`, `FP32[1,3,-1]` (a tensor; -1
 * where any length goes), `FP32` (of any shape), `list<T>`. An image is `UINT8[-1,-1,3]`, red, green and blue; sound is
 * `FP32[-1]`, one channel from -1 to 1.
 */
import { refuse } from "../checks.ts";
import { DATATYPES, type Datatype } from "../model.ts";
import type { TypeText } from "./definition.ts";

const PLAIN = ["any", "json", "text", "number", "boolean", "bytes"] as const;

export type PortType =
  | { kind: (typeof PLAIN)[number] }
  /** Without a shape: of any. No BYTES: texts are JSON. */
  | { kind: "tensor"; datatype: Exclude<Datatype, "BYTES">; shape?: number[] }
  | { kind: "list"; element: PortType };

/** Lists in lists, dimensions, and a type as text: more is no mistake of a person. */
const DEPTH_MAX = 4;
const RANK_MAX = 16;
const TYPE_BYTES_MAX = 200;

/** @throws BAD_REQUEST, which names the path */
export function parseType(text: unknown, path = "type"): PortType {
  return typeIn(text) ?? refuse(path, `must be a type, as text, json, FP32[1,-1] or list<bytes>, not ${shown(text)}`);
}

function typeIn(text: unknown, depth = 0): PortType | undefined {
  if (typeof text !== "string" || text.length > TYPE_BYTES_MAX || depth > DEPTH_MAX) return undefined;
  const plain = PLAIN.find((kind) => kind === text);
  if (plain) return { kind: plain };
  const [, inner] = text.match(/^list<(.+)>$/) ?? [];
  if (inner !== undefined) {
    const element = typeIn(inner, depth + 1);
    return element && { kind: "list", element };
  }
  const [, name, dimensions] = text.match(/^([A-Z]+\d*)(?:\[([-\d,]*)\])?$/) ?? [];
  const datatype = DATATYPES.find((known) => known === name);
  if (!datatype || datatype === "BYTES") return undefined;
  if (dimensions === undefined) return { kind: "tensor", datatype };
  const shape = dimensions === "" ? [] : dimensions.split(",").map(dimensionIn);
  const isShape = shape.length <= RANK_MAX && shape.every((length) => length >= -1 && length < 2 ** 31);
  return isShape ? { kind: "tensor", datatype, shape } : undefined;
}

const dimensionIn = (text: string): number => (/^(-1|\d{1,10})$/.test(text) ? Number(text) : Number.NaN);

export function typeText(type: PortType): TypeText {
  if (type.kind === "list") return `list<${typeText(type.element)}>`;
  if (type.kind !== "tensor") return type.kind;
  return type.shape ? `${type.datatype}[${type.shape.join(",")}]` : type.datatype;
}

/**
 * Whether what is given may be taken as what is wanted, as far as can be known before it is there: a dimension or a shape that
 * is open on one side fits any on the other. A text, a number or a boolean is JSON, but not every JSON is a text.
 */
export function fits(given: PortType, wanted: PortType): boolean {
  if (wanted.kind === "any") return true;
  if (given.kind === "list" && wanted.kind === "list") return fits(given.element, wanted.element);
  if (given.kind === "tensor" && wanted.kind === "tensor")
    return given.datatype === wanted.datatype && shapesFit(given.shape, wanted.shape);
  if (wanted.kind === "json") return ["json", "text", "number", "boolean"].includes(given.kind);
  return given.kind === wanted.kind;
}

function shapesFit(given: readonly number[] | undefined, wanted: readonly number[] | undefined): boolean {
  if (!given || !wanted) return true;
  return (
    given.length === wanted.length &&
    given.every((length, i) => length === -1 || wanted[i] === -1 || length === wanted[i])
  );
}

export const listOf = (element: PortType): PortType => ({ kind: "list", element });

/** What one element of a list is; undefined if it is no list. */
export const elementOf = (type: PortType): PortType | undefined => (type.kind === "list" ? type.element : undefined);

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : `a value of another kind (${typeof value})`;
