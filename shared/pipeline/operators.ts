/** What operators take and give: the same for whoever checks a pipeline, draws it, documents it, or runs it. */
import type { Json, TypeText } from "./definition.ts";

export interface OperatorSpec {
  /** `image/resize@1`: a group, a name, a version. What a version does never changes. */
  name: string;
  /** What it does, in a sentence or two; goes into the page of operators. */
  says: string;
  inputs: Record<string, { type: TypeText; optional?: true; says: string }>;
  outputs: Record<string, { type: TypeText; says: string }>;
  parameters: Record<string, ParameterSpec>;
  /** Files it reads, by parameter under `files`. */
  files?: Record<string, { says: string; optional?: true }>;
  /** What its outputs are, where that depends on what it is given. */
  giving?: (parameters: Record<string, Json>, inputs: Record<string, TypeText>) => Record<string, TypeText>;
}

export interface ParameterSpec {
  type: "number" | "integer" | "text" | "boolean" | "numbers" | "texts" | "json";
  says: string;
  /** Absent: it must be given. */
  default?: Json;
  /** Of numbers, each. */
  min?: number;
  max?: number;
  /** Of texts. */
  oneOf?: readonly string[];
}
