import type { Json } from "../../../../shared/pipeline/definition.ts";

/** As what an output of JSON is taken, so that others may take it as more than "json". */
export type JsonKind = "json" | "text" | "number" | "boolean";

export function takenAs(value: Json, kind: JsonKind): boolean {
  if (kind === "json") return true;
  return typeof value === (kind === "text" ? "string" : kind);
}
