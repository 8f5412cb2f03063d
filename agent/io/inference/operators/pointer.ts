import type { Json } from "../../../../shared/pipeline/definition.ts";
import { isRecord, refuseInput } from "./ports.ts";

/** The steps of a JSON pointer (RFC 6901, section 3): `/a~1b/0` is ["a/b", "0"]. @throws INPUT_INVALID */
export function readPointer(pointer: string, operator: string): string[] {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer))
    refuseInput(
      operator,
      `${JSON.stringify(pointer)} is no JSON pointer: it must begin with /, and ~ must be ~0, / ~1`,
    );
  return pointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Undefined where nothing is (section 4). */
export function pointedTo(value: Json, steps: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const step of steps) {
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(step) ? at[Number(step)] : undefined;
    else at = isRecord(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    if (at === undefined) return undefined;
  }
  return at;
}
