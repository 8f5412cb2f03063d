/** Whether values are what their ports carry: asked of what people and operators give. */
import { refuse } from "../checks.ts";
import { LIMITS } from "../limits.ts";
import { elementBytes } from "../tensor-data.ts";
import { elementsOf } from "../tensors.ts";
import { type PortType, typeText } from "./types.ts";
import type { TensorValue, Value } from "./values.ts";

/** `none` is of no type. @throws BAD_REQUEST, which names the path */
export function checkValue(value: Value, type: PortType, path: string): void {
  if (type.kind !== "list" || value.kind !== "list") {
    if (!isOf(value, type)) refuse(path, `must be ${typeText(type)}, not ${valueText(value)}`);
    if (value.kind === "tensor") checkLength(value, path);
    return;
  }
  if (value.elements.length > LIMITS.fanOutMax)
    refuse(path, `must have at most ${LIMITS.fanOutMax} elements, not ${value.elements.length}`);
  for (const [n, one] of value.elements.entries()) checkValue(one, type.element, `${path}[${n}]`);
}

/** Whoever reads it back goes by its shape. */
function checkLength({ datatype, shape, bytes }: TensorValue, path: string): void {
  const length = elementsOf(shape) * elementBytes(datatype);
  if (bytes.length !== length) refuse(path, `must have ${length} bytes by its shape, not ${bytes.length}`);
}

function isOf(value: Value, type: PortType): boolean {
  switch (type.kind) {
    case "any":
      return value.kind !== "none";
    case "bytes":
    case "list":
      return value.kind === type.kind;
    case "tensor":
      return value.kind === "tensor" && value.datatype === type.datatype && isOfShape(value.shape, type.shape);
    case "json":
      return value.kind === "json";
    default:
      // As `typeof` calls them, but for text.
      return value.kind === "json" && typeof value.json === (type.kind === "text" ? "string" : type.kind);
  }
}

const isOfShape = (shape: readonly number[], wanted: readonly number[] | undefined): boolean =>
  !wanted || (wanted.length === shape.length && wanted.every((length, d) => length < 0 || length === shape[d]));

/** What a value is, in a word or two. */
export function valueText(value: Value): string {
  if (value.kind === "tensor") return `${value.datatype}[${value.shape}]`;
  if (value.kind === "list") return `a list of ${value.elements.length}`;
  if (value.kind !== "json") return value.kind === "none" ? "nothing" : "bytes";
  const text = JSON.stringify(value.json);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
