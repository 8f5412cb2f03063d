import type { CompiledPipeline, Source } from "./compiled.ts";
import type { TypeText } from "./definition.ts";
import { listOf, parseType, typeText } from "./types.ts";

/** What the value at a source is: of a mapped stage, a list of what one run gives. */
export function sourceType({ inputs, stages }: CompiledPipeline, { stage, port }: Source): TypeText {
  if (stage < 0) return inputs.find(({ name }) => name === port)?.type ?? "any";
  const { gives, map } = stages[stage]!;
  const type = parseType(gives[port]);
  return typeText(map.length > 0 ? listOf(type) : type);
}

export const outputTypes = (pipeline: CompiledPipeline): Record<string, TypeText> =>
  Object.fromEntries(Object.entries(pipeline.outputs).map(([name, source]) => [name, sourceType(pipeline, source)]));
