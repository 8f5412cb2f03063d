import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { OperatorSpec } from "../../../../shared/pipeline/operators.ts";
import { checkParameter } from "../../../../shared/pipeline/parameters.ts";
import { refuseInput } from "./ports.ts";

/** As checked: every parameter of the spec is there. Numbers, texts and lists are taken out by what the spec says of them. */
export type Parameters = Record<string, Json>;

/**
 * Those of the spec, defaults filled in. What was compiled has been checked so before; operators of this box's owner were
 * not, and what another box says is not believed. @throws INPUT_INVALID for one outside of its bounds, or unknown
 */
export function checkedParameters({ name, parameters: specs }: OperatorSpec, given: Record<string, Json>): Parameters {
  for (const parameter of Object.keys(given))
    if (!Object.hasOwn(specs, parameter)) refuseInput(name, `it has no parameter ${parameter}`);
  return Object.fromEntries(
    Object.entries(specs).map(([parameter, spec]) => {
      const value = Object.hasOwn(given, parameter) ? given[parameter] : spec.default;
      if (value === undefined) refuseInput(name, `its parameter ${parameter} must be given`);
      try {
        return [parameter, checkParameter(spec, value!)];
      } catch (error) {
        const { reason } = SkeinError.from(error).facts;
        return refuseInput(name, `its parameter ${parameter} is wrong: ${String(reason).trim()}`, error);
      }
    }),
  );
}
