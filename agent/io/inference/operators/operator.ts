import type { OperatorSpec } from "../../../../shared/pipeline/operators.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import type { Parameters } from "./parameters.ts";
import type { Ports } from "./ports.ts";

/** Small code that runs next to the models, in the executor. */
export interface Operator {
  spec: OperatorSpec;
  /**
   * Once for each stage that uses it: reads files, checks what the spec cannot say of parameters (those it can are checked
   * before, defaults filled in). @throws INPUT_INVALID
   */
  prepare: Implementation;
}

/** What goes with a spec of shared/pipeline/operators. */
export type Implementation = (parameters: Parameters, files: Record<string, Uint8Array>) => Prepared;

/** A pure function of what it takes. @throws INPUT_INVALID for what it does not take, IMAGE_UNREADABLE, IMAGE_TOO_LARGE */
export type Prepared = (inputs: Ports) => Record<string, Value> | Promise<Record<string, Value>>;

/** An operator with its parameters and files, whose inputs are checked as they come. */
export interface ReadyOperator {
  run(inputs: Record<string, Value | undefined>): Promise<Record<string, Value>>;
}
