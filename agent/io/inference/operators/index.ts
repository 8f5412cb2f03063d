/**
 * Operators: what runs next to the models of a pipeline, in the executor. Each is a pure function of what it takes, bounded
 * in what it gives; what they take and may be told is in shared/pipeline/operators.
 */
import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { Operator, ReadyOperator } from "./operator.ts";
import { checkedParameters } from "./parameters.ts";
import { Ports, refuseInput } from "./ports.ts";

/** Every operator of this executor by its name. */
export const IMPLEMENTATIONS: ReadonlyMap<string, Operator> = new Map<string, Operator>([]);

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
