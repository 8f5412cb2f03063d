/**
 * Operators: what runs next to the models of a pipeline, in the executor. Each is a pure function of what it takes, bounded
 * in what it gives; what they take and may be told is in shared/pipeline/operators.
 */
import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../../../shared/pipeline/operators/index.ts";
import { AUDIO } from "./audio.ts";
import { CONVERSIONS } from "./conversion.ts";
import { CORE } from "./core.ts";
import { DECIDE } from "./decide.ts";
import { ENTITIES } from "./entities.ts";
import { IMAGES } from "./image.ts";
import { JSONS } from "./json.ts";
import { NEAR } from "./near.ts";
import { OCR } from "./ocr.ts";
import type { Implementation, Operator, ReadyOperator } from "./operator.ts";
import { checkedParameters } from "./parameters.ts";
import { Ports, refuseInput } from "./ports.ts";
import { SCORES } from "./scores.ts";
import { TENSORS } from "./tensor.ts";
import { TEXTS } from "./text.ts";
import { TOKENIZERS } from "./tokenizer.ts";
import { VISION } from "./vision.ts";

const DONE: Record<string, Implementation> = {
  ...CORE,
  ...IMAGES,
  ...VISION,
  ...OCR,
  ...TEXTS,
  ...ENTITIES,
  ...TOKENIZERS,
  ...AUDIO,
  ...TENSORS,
  ...SCORES,
  ...CONVERSIONS,
  ...JSONS,
  ...DECIDE,
  ...NEAR,
};

/** Every operator that each box has, by its name: those of the specs, neither more nor less. */
export const IMPLEMENTATIONS: ReadonlyMap<string, Operator> = new Map(
  [...OPERATORS].flatMap(([name, spec]): [string, Operator][] => {
    const prepare = DONE[name];
    return prepare ? [[name, { spec, prepare }]] : [];
  }),
);

/**
 * An operator with what a stage tells it. Its files are read here, once; not in each run.
 * @param operators those of this executor: `IMPLEMENTATIONS`, and what its owner put beside them
 * @throws INPUT_INVALID with the operator and what is wrong with its parameters or files
 */
export function readyOperator(
  operators: ReadonlyMap<string, Operator>,
  name: string,
  parameters: Record<string, Json>,
  files: Record<string, Uint8Array>,
): ReadyOperator {
  const operator = operators.get(name) ?? refuseInput(name, "this executor has no such operator");
  for (const [file, { optional }] of Object.entries(operator.spec.files ?? {}))
    if (!optional && !files[file]) refuseInput(name, `it must have the file ${file}`);
  const run = operator.prepare(checkedParameters(operator.spec, parameters), files);
  return {
    run: async (inputs) => {
      try {
        return await run(new Ports(name, inputs));
      } catch (error) {
        // What an operator did not foresee is a fault of what it was given, not of the box: no other would do better.
        if (error instanceof SkeinError) throw error;
        return refuseInput(name, (error as Error).message ?? String(error), error);
      }
    },
  };
}
