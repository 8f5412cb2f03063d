/** Items from JSON: a line each, or a file of one. */
import type { Json } from "../../../shared/pipeline/definition.ts";
import { type GivenItem, type InputFaults, namingField, type PipelineInput } from "./given.ts";

export function itemsOfJsonLines(
  file: string,
  text: string,
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): GivenItem[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  const items = lines.flatMap((line, i): GivenItem[] => {
    const place = `${file}, line ${i + 1}`;
    const item = line.trim() === "" ? undefined : itemOfJson(place, line, inputs, faults);
    return item ? [item] : [];
  });
  if (lines.every((line) => line.trim() === "")) faults.add(file, "is empty; each line must be an item as JSON");
  return items;
}

/** An object by the names of the inputs, or, where there is one input, its value itself. */
export function itemOfJson(
  place: string,
  text: string,
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): GivenItem | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    faults.add(place, `is no JSON: ${(error as Error).message.slice(0, 120)}`);
    return undefined;
  }
  const [only, ...others] = inputs;
  const object = typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  if (others.length === 0 && !(object && Object.hasOwn(object, only!.name)))
    return { place, fields: new Map([[only!.name, { json: value }]]) };
  if (!object) {
    faults.add(place, `must be an object with ${inputs.map(({ name }) => name).join(", ")}`);
    return undefined;
  }
  const missing = inputs.filter(({ name }) => !Object.hasOwn(object, name));
  for (const { name } of missing) faults.add(place, `has no ${name}; it has ${Object.keys(object).join(", ")}`);
  if (missing.length > 0) return undefined;
  const naming = namingField(Object.keys(object), inputs);
  const name = naming === undefined ? undefined : object[naming];
  return {
    place,
    ...((typeof name === "string" || typeof name === "number") && name !== "" && { name: String(name) }),
    fields: new Map(inputs.map(({ name }) => [name, { json: object[name]! }])),
  };
}
