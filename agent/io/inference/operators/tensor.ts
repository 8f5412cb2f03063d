import { LIMITS } from "../../../../shared/limits.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import type { Implementation } from "./operator.ts";
import { type Ports, refuseInput } from "./ports.ts";
import { countOf, floats, list } from "./values.ts";

/** A tensor as rows of one dimension: what lies before it, it, and what lies behind, each multiplied out. */
interface Axis {
  at: number;
  outer: number;
  length: number;
  inner: number;
}

export function axisOf(ports: Ports, port: string, shape: readonly number[], axis: number): Axis {
  const at = axis < 0 ? shape.length + axis : axis;
  if (at < 0 || at >= shape.length) ports.refuse(port, `has no dimension ${axis}: its shape is [${shape}]`);
  return { at, outer: countOf(shape.slice(0, at)), length: shape[at]!, inner: countOf(shape.slice(at + 1)) };
}

/** Rows `from` to `from + length` of a dimension. */
function cut(
  elements: Float32Array,
  { outer, length: whole, inner }: Axis,
  from: number,
  length: number,
): Float32Array {
  const part = new Float32Array(outer * length * inner);
  for (let n = 0; n < outer; n++) {
    const start = (n * whole + from) * inner;
    part.set(elements.subarray(start, start + length * inner), n * length * inner);
  }
  return part;
}

const withLength = (shape: readonly number[], at: number, length: number): number[] =>
  shape.map((one, i) => (i === at ? length : one));

/** A shape with at most one -1, worked out for so many elements. */
export function shapeFor(operator: string, wanted: readonly number[], count: number): number[] {
  const known = countOf(wanted.filter((length) => length >= 0));
  const open = wanted.filter((length) => length < 0).length;
  const shape = wanted.map((length) => (length < 0 ? count / known : length));
  if (
    open > 1 ||
    wanted.some((length) => !Number.isInteger(length)) ||
    !shape.every(Number.isInteger) ||
    countOf(shape) !== count
  )
    refuseInput(operator, `${count} elements do not make [${wanted}]`);
  return shape;
}

function softmax(row: Float32Array, temperature: number): void {
  const highest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    row[i] = Math.exp((row[i]! - highest) / temperature);
    sum += row[i]!;
  }
  for (let i = 0; i < row.length; i++) row[i] = row[i]! / sum;
}

function meanStd(elements: Float32Array, columns: number): { mean: Float32Array; deviation: Float32Array } {
  const rows = elements.length / columns;
  const [mean, deviation] = [new Float32Array(columns), new Float32Array(columns)];
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    for (let at = column; at < elements.length; at += columns) sum += elements[at]!;
    const middle = sum / rows;
    let squares = 0;
    for (let at = column; at < elements.length; at += columns) squares += (elements[at]! - middle) ** 2;
    mean[column] = middle;
    deviation[column] = Math.sqrt(squares / rows);
  }
  return { mean, deviation };
}

export const TENSORS: Record<string, Implementation> = {
  "tensor/softmax@1":
    ({ temperature }) =>
    (ports) => {
      const { shape, elements } = ports.floats("scores");
      const columns = shape.at(-1) ?? 1;
      const probabilities = elements.slice();
      for (let at = 0; at < probabilities.length; at += columns)
        softmax(probabilities.subarray(at, at + columns), temperature as number);
      return { probabilities: floats(shape, probabilities) };
    },
  "tensor/concat@1":
    ({ axis }) =>
    (ports) => {
      const parts = "abcdefgh".split("").flatMap((port) => {
        if (!ports.has(port)) return [];
        const { shape, elements } = ports.floats(port);
        return [{ port, shape, elements, axis: axisOf(ports, port, shape, axis as number) }];
      });
      const { shape, axis: first } = parts[0] ?? refuseInput("tensor/concat@1", "it was given no tensor");
      for (const part of parts)
        if (`${withLength(part.shape, part.axis.at, 0)}` !== `${withLength(shape, first.at, 0)}`)
          ports.refuse(part.port, `must be as [${shape}] but for dimension ${axis}, not [${part.shape}]`);
      const length = parts.reduce((sum, part) => sum + part.axis.length, 0);
      const whole = new Float32Array(first.outer * length * first.inner);
      let at = 0;
      for (let n = 0; n < first.outer; n++)
        for (const { elements, axis: own } of parts) {
          const size = own.length * own.inner;
          whole.set(elements.subarray(n * size, (n + 1) * size), at);
          at += size;
        }
      return { tensor: floats(withLength(shape, first.at, length), whole) };
    },
  "tensor/stack@1":
    ({ along }) =>
    (ports) => {
      const rows = ports.list("tensors").filter(({ kind }) => kind !== "none");
      if (rows.length === 0) ports.refuse("tensors", "must have at least one tensor");
      const { shape } = ports.tensorIn("tensors", rows[0], "FP32");
      const wanted = along === true ? [-1, ...shape.slice(1)] : shape;
      if (along === true && shape.length === 0) ports.refuse("tensors", "must have a first dimension to stack along");
      const tensors = rows.map((row) => ports.floatsIn("tensors", row, wanted));
      const whole = new Float32Array(tensors.reduce((sum, { elements }) => sum + elements.length, 0));
      let at = 0;
      for (const { elements } of tensors) {
        whole.set(elements, at);
        at += elements.length;
      }
      const length = tensors.reduce((sum, one) => sum + one.shape[0]!, 0);
      return { tensor: floats(along === true ? [length, ...shape.slice(1)] : [tensors.length, ...shape], whole) };
    },
  "tensor/pick@1": (parameters) => (ports) => {
    const { shape, elements } = ports.floats("tensor");
    const axis = axisOf(ports, "tensor", shape, parameters.axis as number);
    const [start, length] = [parameters.from as number, parameters.length as number];
    const from = start < 0 ? axis.length + start : start;
    const count = Math.max(1, length);
    if (from < 0 || from + count > axis.length)
      ports.refuse("tensor", `has ${axis.length} rows, and rows ${from} to ${from + count} are wanted`);
    const left = length === 0 ? shape.filter((_, i) => i !== axis.at) : withLength(shape, axis.at, length);
    return { tensor: floats(left, cut(elements, axis, from, count)) };
  },
  "tensor/reshape@1":
    ({ shape }) =>
    (ports) => {
      const { elements } = ports.floats("tensor");
      return { tensor: floats(shapeFor("tensor/reshape@1", shape as number[], elements.length), elements) };
    },
  "tensor/mean-std@1": () => (ports) => {
    const { shape, elements } = ports.floats("rows");
    const columns = shape.at(-1) ?? 0;
    if (elements.length === 0 || columns === 0) ports.refuse("rows", "must have at least one row");
    const { mean, deviation } = meanStd(elements, columns);
    const both = new Float32Array(columns * 2);
    both.set(mean);
    both.set(deviation, columns);
    return { tensor: floats([1, columns * 2], both), mean: floats([1, columns], mean) };
  },
  "tensor/scale-add@1":
    ({ scale, add }) =>
    (ports) => {
      const { shape, elements } = ports.floats("tensor");
      const [a, b] = [scale as number, add as number];
      return {
        tensor: floats(
          shape,
          Float32Array.from(elements, (x) => x * a + b),
        ),
      };
    },
  "tensor/window@1": (parameters) => (ports) => {
    const { shape, elements } = ports.floats("tensor");
    const axis = axisOf(ports, "tensor", shape, parameters.axis as number);
    const [size, step, max] = [parameters.size, parameters.step, parameters.max] as number[] as [
      number,
      number,
      number,
    ];
    const wanted = parameters.shape as number[];
    const cutShape = withLength(shape, axis.at, size);
    const ready = wanted.length > 0 ? shapeFor("tensor/window@1", wanted, countOf(cutShape)) : cutShape;
    const count = axis.length < size ? 0 : Math.floor((axis.length - size) / step) + 1;
    const bytes = count * countOf(cutShape) * 4;
    if (count > max || bytes > LIMITS.tensorBytesMax)
      ports.refuse(
        "tensor",
        `makes ${count} windows of ${bytes} bytes; the most are ${max}, and ${LIMITS.tensorBytesMax} bytes`,
      );
    const windows: Value[] = Array.from({ length: count }, (_, n) =>
      floats(ready, cut(elements, axis, n * step, size)),
    );
    if (count === 0 && parameters.short === "zeros") windows.push(floats(ready, padded(elements, axis, size)));
    return { windows: list(windows) };
  },
};

/** One window of what is shorter than it, zeros behind. */
function padded(elements: Float32Array, { outer, length, inner }: Axis, size: number): Float32Array {
  const window = new Float32Array(outer * size * inner);
  for (let n = 0; n < outer; n++)
    window.set(elements.subarray(n * length * inner, (n + 1) * length * inner), n * size * inner);
  return window;
}
