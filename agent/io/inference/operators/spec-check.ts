/** A spec that somebody else wrote, checked whole. */
import { checkBoolean, checkKeys, checkOneOf, checkRecord, checkText, refuse } from "../../../../shared/checks.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { OperatorSpec, ParameterSpec } from "../../../../shared/pipeline/operators.ts";
import { checkParameter } from "../../../../shared/pipeline/parameters.ts";
import { parseType } from "../../../../shared/pipeline/types.ts";

const NAME = /^local\/[a-z][a-z0-9-]{0,63}@[1-9]\d{0,5}$/;
const PORT = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const TYPES = ["number", "integer", "text", "boolean", "numbers", "texts", "json"] as const;
const saysBytesMax = 1_000;
const portsMax = 32;

/** Only what is data of it; a function `giving` is left out, since nobody else could call it. @throws BAD_REQUEST with the place */
export function checkSpec(value: unknown): OperatorSpec {
  const spec = checkRecord(value, "spec");
  checkKeys(spec, "spec", ["name", "says", "inputs", "outputs", "parameters", "files"]);
  const name = checkText(spec.name, "spec.name", 100);
  if (!NAME.test(name)) refuse("spec.name", `must be as local/reverse@1, not ${JSON.stringify(name)}`);
  const files = named(spec.files, "spec.files", ({ says, optional }, at) => ({
    says: checkText(says, `${at}.says`, saysBytesMax),
    ...(optional !== undefined && checkBoolean(optional, `${at}.optional`) && { optional: true as const }),
  }));
  return {
    name,
    says: checkText(spec.says, "spec.says", saysBytesMax),
    inputs: named(spec.inputs, "spec.inputs", (port, at) => ({
      ...portOf(port, at),
      ...(port.optional !== undefined && checkBoolean(port.optional, `${at}.optional`) && { optional: true as const }),
    })),
    outputs: named(spec.outputs, "spec.outputs", portOf),
    parameters: named(spec.parameters, "spec.parameters", parameterOf),
    ...(Object.keys(files).length > 0 && { files }),
  };
}

function named<T>(
  value: unknown,
  at: string,
  read: (one: Record<string, unknown>, at: string) => T,
): Record<string, T> {
  const entries = Object.entries(value === undefined ? {} : checkRecord(value, at));
  if (entries.length > portsMax) refuse(at, `must be at most ${portsMax}`);
  return Object.fromEntries(
    entries.map(([name, one]) => {
      const place = `${at}.${name}`;
      if (!PORT.test(name)) refuse(place, "must be named by letters, digits, - and _");
      return [name, read(checkRecord(one, place), place)];
    }),
  );
}

function portOf({ type, says }: Record<string, unknown>, at: string): { type: string; says: string } {
  parseType(type, `${at}.type`);
  return { type: type as string, says: checkText(says, `${at}.says`, saysBytesMax) };
}

/** A number without bounds is refused: an absurd one would only be seen when it runs. */
function parameterOf(value: Record<string, unknown>, at: string): ParameterSpec {
  const type = checkOneOf(value.type, `${at}.type`, TYPES);
  const { min, max, oneOf } = value;
  const isNumber = type === "number" || type === "integer" || type === "numbers";
  if (isNumber && (typeof min !== "number" || typeof max !== "number" || min > max))
    refuse(at, "must have a min and a max");
  if (oneOf !== undefined && !(Array.isArray(oneOf) && oneOf.every((one) => typeof one === "string")))
    refuse(`${at}.oneOf`, "must be a list of texts");
  const spec: ParameterSpec = {
    type,
    says: checkText(value.says, `${at}.says`, saysBytesMax),
    ...(isNumber && { min: min as number, max: max as number }),
    ...(oneOf !== undefined && { oneOf: oneOf as string[] }),
  };
  return value.default === undefined ? spec : { ...spec, default: checkParameter(spec, value.default as Json) };
}
