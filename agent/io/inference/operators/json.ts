import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import { type JsonKind, takenAs } from "./json-kind.ts";
import type { Implementation } from "./operator.ts";
import { pointedTo, readPointer } from "./pointer.ts";
import { isRecord, refuseInput } from "./ports.ts";
import { json } from "./values.ts";

const PORTS = "abcdefgh".split("");
const constantBytesMax = 64 * 1024;

export const JSONS: Record<string, Implementation> = {
  "json/pick@1": ({ pointer, as, otherwise }) => {
    const steps = readPointer(pointer as string, "json/pick@1");
    const kind = as as JsonKind;
    return (ports) => {
      const found = pointedTo(ports.json("json"), steps) ?? otherwise;
      if (found === null || found === undefined) ports.refuse("json", `has nothing at ${JSON.stringify(pointer)}`);
      if (!takenAs(found!, kind)) ports.refuse("json", `has no ${kind} at ${JSON.stringify(pointer)}`);
      return { value: json(found!) };
    };
  },
  "json/merge@1": ({ names }) => {
    const given = names as string[];
    if (given.length > PORTS.length) refuseInput("json/merge@1", `its parameter names must be at most ${PORTS.length}`);
    return (ports) => {
      const fields: [string, Json][] = [];
      for (const [n, port] of PORTS.entries()) {
        if (!ports.has(port)) continue;
        const name = given[n] ?? ports.refuse(port, "has no name: give one more in names");
        fields.push(
          ...(name === "" ? Object.entries(ports.record(port)) : [[name, ports.json(port)] as [string, Json]]),
        );
      }
      return { json: json(Object.fromEntries(fields)) };
    };
  },
  "json/constant@1": ({ value }) => {
    if (JSON.stringify(value).length > constantBytesMax)
      refuseInput("json/constant@1", `its parameter value must be at most ${constantBytesMax} bytes as JSON`);
    return () => ({ value: json(value!) });
  },
  "json/parse@1": () => (ports) => ({
    json: json(parsedJson(ports.bytes("bytes"), "its input bytes", "json/parse@1")),
  }),
};

/** @throws INPUT_INVALID where bytes are no JSON in UTF-8 */
export function parsedJson(bytes: Uint8Array, what: string, operator: string): Json {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Json;
  } catch (error) {
    return refuseInput(operator, `${what} is no JSON in UTF-8: ${SkeinError.from(error).message}`, error);
  }
}

/** Of a text in UTF-8; the line end at its end begins none. */
export const linesOf = (bytes: Uint8Array): string[] =>
  new TextDecoder()
    .decode(bytes)
    .replace(/\r?\n$/, "")
    .split(/\r?\n/);

/** Texts of a file: a JSON list of texts, or one a line. @throws INPUT_INVALID */
export function readTexts(bytes: Uint8Array, what: string, operator: string): string[] {
  if (!/^\s*\[/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) return linesOf(bytes);
  const texts = parsedJson(bytes, what, operator);
  const isTexts = Array.isArray(texts) && texts.every((one): one is string => typeof one === "string");
  return isTexts ? texts : refuseInput(operator, `${what} must be a list of texts`);
}

/** The fields that a reason or a template names, from an object; `a.b` is the field b of the field a. */
export function fieldOf(fields: Json, path: string): Json | undefined {
  let at: Json | undefined = fields;
  for (const step of path.split("."))
    at = isRecord(at) && Object.hasOwn(at, step) ? at[step] : Array.isArray(at) ? at[Number(step)] : undefined;
  return at;
}

/** A value inside of a sentence: numbers with at most three digits behind the point. */
export function inWords(value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return `${Math.round(value * 1000) / 1000}`;
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  return JSON.stringify(value);
}
