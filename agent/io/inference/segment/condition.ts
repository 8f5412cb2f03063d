import { refuse } from "../../../../shared/checks.ts";
import type { CompiledStage } from "../../../../shared/pipeline/compiled.ts";
import { valueText } from "../../../../shared/pipeline/value-check.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";

/** Whether it holds; of nothing none does. @throws BAD_REQUEST for what cannot be compared so */
export function holds(when: NonNullable<CompiledStage["when"]>, value: Value): boolean {
  if (value.kind === "none") return false;
  const what = value.kind === "json" ? value.json : undefined;
  if (when.below !== undefined || when.above !== undefined) {
    if (typeof what !== "number") refuse("its condition", `must be asked of a number, not of ${valueText(value)}`);
    return when.below !== undefined ? what < when.below : what > when.above!;
  }
  if (!["string", "number", "boolean"].includes(typeof what))
    refuse("its condition", `must be asked of a text, a number or a boolean, not of ${valueText(value)}`);
  return when.is !== undefined ? what === when.is : what !== when.isNot;
}
