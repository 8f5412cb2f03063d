import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { TensorValue } from "../../../../shared/pipeline/values.ts";
import { dataFromJson } from "../../../../shared/tensor-data.ts";
import type { Implementation } from "./operator.ts";
import { type Ports, refuseInput } from "./ports.ts";
import { shapeFor } from "./tensor.ts";
import { countOf, type Elements, elementsOf, json, tensor } from "./values.ts";

/** As JSON, each is a dozen bytes and an object: more belongs in tensors. */
const elementsMax = 1_000_000;
const depthMax = 8;

/** Lists in lists as one list, and the shape that they have. */
function flattened(ports: Ports, value: Json): { shape: number[]; flat: Json[] } {
  const shape: number[] = [];
  for (let at: Json | undefined = value; Array.isArray(at) && shape.length < depthMax; at = at[0])
    shape.push(at.length);
  const flat: Json[] = [];
  const visit = (one: Json, depth: number): void => {
    const isList = Array.isArray(one);
    if (isList !== depth < shape.length || (isList && one.length !== shape[depth]))
      ports.refuse("json", `must be lists of equal length, at most ${depthMax} deep`);
    if (flat.length > elementsMax) ports.refuse("json", `must have at most ${elementsMax} numbers`);
    if (isList) for (const inner of one) visit(inner, depth + 1);
    else flat.push(one);
  };
  visit(value, 0);
  return { shape, flat };
}

/** @throws INPUT_INVALID where one of them is no element of that type */
function elementsFrom(operator: string, datatype: TensorValue["datatype"], values: readonly Json[]): Elements {
  try {
    return dataFromJson(datatype, values, "the numbers") as Elements;
  } catch (error) {
    return refuseInput(operator, String(SkeinError.from(error).facts.reason), error);
  }
}

function nested(flat: readonly Json[], shape: readonly number[]): Json {
  if (shape.length === 0) return flat[0]!;
  const [length, ...inner] = shape as [number, ...number[]];
  if (inner.length === 0) return [...flat];
  const size = countOf(inner);
  return Array.from({ length }, (_, n) => nested(flat.slice(n * size, (n + 1) * size), inner));
}

function numberOf(ports: Ports, value: number | bigint, digits: number): Json {
  const number = Number(value);
  if (!Number.isFinite(number)) ports.refuse("tensor", "has elements that are no finite numbers");
  if (typeof value === "bigint" && !Number.isSafeInteger(number))
    ports.refuse("tensor", `has ${value}, too large for JSON`);
  return Number.isInteger(number) ? number : Number(number.toPrecision(digits));
}

export const CONVERSIONS: Record<string, Implementation> = {
  "tensor/constant@1": (parameters) => {
    const name = "tensor/constant@1";
    const values = parameters.values as number[];
    const shape = parameters.shape as number[];
    const datatype = parameters.datatype as TensorValue["datatype"];
    const count = countOf(shape);
    if (shape.some((length) => !Number.isSafeInteger(length) || length < 0) || count > elementsMax)
      refuseInput(name, `its shape must be of whole numbers from 0, for at most ${elementsMax} elements`);
    if (values.length !== count && values.length !== 1)
      refuseInput(name, `[${shape}] has ${count} elements, not ${values.length}`);
    const filled = values.length === count ? values : Array.from({ length: count }, () => values[0]!);
    const constant = tensor(
      datatype,
      shape,
      elementsFrom(name, datatype, datatype === "BOOL" ? filled.map((one) => one !== 0) : filled),
    );
    return () => ({ tensor: constant });
  },
  "tensor/from-json@1": (parameters) => (ports) => {
    const name = "tensor/from-json@1";
    const { shape, flat } = flattened(ports, ports.json("json"));
    const wanted = parameters.shape as number[];
    const datatype = parameters.datatype as TensorValue["datatype"];
    const given = wanted.length > 0 ? shapeFor(name, wanted, flat.length) : shape;
    return { tensor: tensor(datatype, given, elementsFrom(name, datatype, flat)) };
  },
  "tensor/to-json@1":
    ({ flat, digits }) =>
    (ports) => {
      const value = ports.any("tensor");
      if (value.kind !== "tensor") return ports.refuse("tensor", "must be a tensor");
      if (value.datatype === "FP16") ports.refuse("tensor", "must not be of halves: have the model give FP32");
      const count = countOf(value.shape);
      if (count > elementsMax) ports.refuse("tensor", `must have at most ${elementsMax} elements, not ${count}`);
      const numbers = Array.from(elementsOf(value) as Iterable<number | bigint>, (one) =>
        numberOf(ports, one, digits as number),
      );
      return { json: json(flat === true ? numbers : nested(numbers, value.shape)), shape: json(value.shape) };
    },
  "tensor/number@1": () => (ports) => {
    const { elements } = ports.floats("tensor");
    const [only] = elements;
    if (elements.length !== 1 || !Number.isFinite(only)) ports.refuse("tensor", "must have one finite element");
    return { number: json(only!) };
  },
};
