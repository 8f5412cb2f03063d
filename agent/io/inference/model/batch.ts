/** Items run together: their tensors one behind the other in the first dimension, and what comes out taken apart again. */
import type { TensorData } from "../../../../shared/tensor-data.ts";
import type { Tensor } from "../../../../shared/tensors.ts";

/** Rows of one item: what its inputs agree on in the first dimension; undefined if they do not, and then it runs alone. */
export function rowsOf(inputs: readonly Tensor[]): number | undefined {
  const rows = inputs[0]?.shape[0];
  return rows !== undefined && rows > 0 && inputs.every(({ shape }) => shape[0] === rows) ? rows : undefined;
}

/** Items of one key may be stacked: all dimensions but the first agree. */
export const stackKey = (inputs: readonly Tensor[]): string =>
  [...inputs]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, shape }) => `${name}[${shape.slice(1)}]`)
    .join();

/** In their order, each group at most `rowsMax` rows; a larger item, or one that fits no other, is a group of its own. */
export function groupsOf<T extends { inputs: readonly Tensor[] }>(items: readonly T[], rowsMax: number): T[][] {
  const groups: T[][] = [];
  const open = new Map<string, { group: T[]; rows: number }>();
  for (const item of items) {
    const rows = rowsOf(item.inputs);
    const key = stackKey(item.inputs);
    const fitting = rows === undefined ? undefined : open.get(key);
    if (fitting && fitting.rows + rows! <= rowsMax) {
      fitting.group.push(item);
      fitting.rows += rows!;
      continue;
    }
    const group = [item];
    groups.push(group);
    if (rows !== undefined) open.set(key, { group, rows });
  }
  return groups;
}

/** One item's inputs after the other's, by name. */
export function stacked(items: readonly (readonly Tensor[])[]): Tensor[] {
  return items[0]!.map(({ name, datatype, shape }) => {
    const parts = items.map((inputs) => inputs.find((tensor) => tensor.name === name)!);
    const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
    return { name, datatype, shape: [rows, ...shape.slice(1)], data: joined(parts.map(({ data }) => data)) };
  });
}

function joined(parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (Array.isArray(first)) return (parts as string[][]).flat();
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new (first!.constructor as { new (length: number): Uint8Array })(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part as Uint8Array, at);
    at += part.length;
  }
  return whole;
}

/** Undefined if an output has other rows than went in: such a model does not batch, whatever its manifest says. */
export function takenApart(outputs: readonly Tensor[], rows: readonly number[]): Tensor[][] | undefined {
  const all = rows.reduce((sum, one) => sum + one, 0);
  if (outputs.some(({ shape }) => shape[0] !== all)) return undefined;
  let from = 0;
  return rows.map((count) => {
    const first = from;
    from += count;
    return outputs.map(({ name, datatype, shape, data }) => {
      const size = data.length / all;
      const part = data.slice(first * size, from * size) as TensorData;
      return { name, datatype, shape: [count, ...shape.slice(1)], data: part };
    });
  });
}
