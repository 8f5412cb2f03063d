import type { Datatype, TensorSpec } from "../../../../shared/model.ts";
import { dataFromJson } from "../../../../shared/tensor-data.ts";
import { elementsOf, type Tensor } from "../../../../shared/tensors.ts";

/**
 * Lengths tried for free dimensions other than the batch, until the model takes one: a text or a table is content with 1, a
 * convolution wants an image, and some halve it five times.
 */
export const MADE_UP_LENGTHS = [1, 8, 32, 64, 224] as const;

/** Spread over 0 to 1, without the zeros that some operators skip; always the same. */
const fraction = (n: number): number => ((n * 0.618_033_988_749_895) % 1) * 0.9 + 0.05;

/** Whole numbers are 1: an index that every table has, and a mask that hides nothing. */
function element(datatype: Datatype, n: number): unknown {
  if (datatype === "BOOL") return true;
  if (datatype === "BYTES") return "a";
  return datatype.startsWith("FP") ? fraction(n) : 1;
}

/** Inputs that nobody gave, to warm a model and to time it: `rows` in the first dimension if it is free, `length` in the others. */
export function madeUpInputs(
  specs: readonly TensorSpec[],
  { rows, length }: { rows: number; length: number },
): Tensor[] {
  return specs.map(({ name, datatype, shape: wanted }) => {
    const shape = wanted.map((one, at) => (one >= 0 ? one : at === 0 ? rows : length));
    const values = Array.from({ length: elementsOf(shape) }, (_, n) => element(datatype, n));
    return { name, datatype, shape, data: dataFromJson(datatype, values, name) };
  });
}
