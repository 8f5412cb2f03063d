import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { OperatorSpec, ParameterSpec } from "../../../../shared/pipeline/operators.ts";
import type { Parameters } from "./operator.ts";
import { refuseInput } from "./ports.ts";

/** Those of the spec, defaults filled in. @throws INPUT_INVALID for a value outside of its bounds, and for what the spec does not know */
export function checkedParameters({ name, parameters: specs }: OperatorSpec, given: Record<string, Json>): Parameters {
  for (const parameter of Object.keys(given))
    if (!Object.hasOwn(specs, parameter)) refuseInput(name, `it has no parameter ${parameter}`);
  return Object.fromEntries(
    Object.entries(specs).map(([parameter, spec]) => {
      const value = given[parameter] ?? spec.default;
      const wrong = value === undefined ? "must be given" : faultOf(value, spec);
      if (wrong !== undefined) refuseInput(name, `its parameter ${parameter} ${wrong}`);
      return [parameter, value!];
    }),
  );
}

/** What is wrong with a value of a parameter, as "must be …"; undefined if nothing is. */
export function faultOf(value: Json, spec: ParameterSpec): string | undefined {
  const { type } = spec;
  if (type === "json") return undefined;
  const shown = JSON.stringify(value).slice(0, 60);
  if (type === "numbers" || type === "texts") {
    if (!Array.isArray(value) || value.length > LIST_MAX)
      return `must be a list of at most ${LIST_MAX} ${type}, not ${shown}`;
    const single: ParameterSpec = { ...spec, type: type === "numbers" ? "number" : "text" };
    return value.map((one) => faultOf(one, single)).find((fault) => fault !== undefined);
  }
  if (type === "text") {
    const isText = typeof value === "string" && (!spec.oneOf || spec.oneOf.includes(value));
    return isText ? undefined : `must be ${spec.oneOf ? `one of ${spec.oneOf.join(", ")}` : "a text"}, not ${shown}`;
  }
  if (type === "boolean") return typeof value === "boolean" ? undefined : `must be true or false, not ${shown}`;
  const [min, max] = [spec.min ?? Number.MIN_SAFE_INTEGER, spec.max ?? Number.MAX_SAFE_INTEGER];
  const isNumber = typeof value === "number" && value >= min && value <= max;
  const what = type === "integer" ? "a whole number" : "a number";
  return isNumber && (type === "number" || Number.isSafeInteger(value))
    ? undefined
    : `must be ${what} from ${min} to ${max}, not ${shown}`;
}

/** Elements of a parameter that is a list. */
const LIST_MAX = 10_000;
