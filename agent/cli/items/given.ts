/** What a person hands in for the items of a job, before it is known to be what the pipeline takes. */
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Json } from "../../../shared/pipeline/definition.ts";

/** An input of a pipeline. */
export interface PipelineInput {
  name: string;
  /** As types.ts reads it. */
  type: string;
}

export interface GivenItem {
  /** Where a person finds it again: `tickets.csv, line 4`. */
  place: string;
  /** As its id or name column says. */
  name?: string;
  /** By column or key; a cell is text, whatever it is to mean. */
  fields: ReadonlyMap<string, { cell: string } | { json: Json }>;
}

/** A table with what is in it: `file` as a person named it, `folder` for the paths inside it. */
export interface GivenTable {
  file: string;
  folder: string;
  items: GivenItem[];
}

export interface InputFault {
  place: string;
  reason: string;
}

/** All that is wrong with the inputs, so that it can be put right in one go. */
export class InputFaults {
  readonly #found: InputFault[] = [];

  add(place: string, reason: string): void {
    if (this.#found.length < LIMITS.inputFaultsMax) this.#found.push({ place, reason });
  }

  /** @throws INPUTS_INVALID if there are any */
  end(): void {
    if (this.#found.length > 0) throw new SkeinError("INPUTS_INVALID", { faults: this.#found });
  }
}

/** What `check` gives, or the reason for which it refuses. */
export async function triedAt<T>(place: string, check: () => Promise<T>): Promise<T | InputFault> {
  try {
    return await check();
  } catch (error) {
    const refusal = SkeinError.from(error);
    if (refusal.code !== "BAD_REQUEST") throw error;
    return { place, reason: String(refusal.facts.reason) };
  }
}

/** Columns that name an item, unless the pipeline takes them. */
const NAMING = ["id", "name"];

/** The column or key that items of these fields are named by. */
export const namingField = (fields: Iterable<string>, inputs: readonly PipelineInput[]): string | undefined => {
  const there = new Set(fields);
  return NAMING.find((field) => there.has(field) && !inputs.some(({ name }) => name === field));
};
