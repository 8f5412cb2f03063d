import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { TensorValue, Value } from "../../../../shared/pipeline/values.ts";
import type { Raster } from "../ocr/raster.ts";
import { countOf, elementsOf, kindOf } from "./values.ts";

/** @throws INPUT_INVALID, which names the operator */
export function refuseInput(operator: string, reason: string, cause?: unknown): never {
  throw new SkeinError("INPUT_INVALID", { name: "What it was given", pipeline: operator, reason }, { cause });
}

/** The inputs of one run, each taken as what the operator wants it to be. Every method throws INPUT_INVALID for anything else. */
export class Ports {
  readonly #operator: string;
  readonly #values: Readonly<Record<string, Value | undefined>>;

  constructor(operator: string, values: Readonly<Record<string, Value | undefined>>) {
    this.#operator = operator;
    this.#values = values;
  }

  refuse(port: string, reason: string): never {
    refuseInput(this.#operator, `its input ${port} ${reason}`);
  }

  #wrong(port: string, wanted: string, value: Value | undefined): never {
    this.refuse(port, `must be ${wanted}, not ${kindOf(value)}`);
  }

  has(port: string): boolean {
    const value = this.#values[port];
    return value !== undefined && value.kind !== "none";
  }

  any(port: string): Value {
    const value = this.#values[port];
    return value && value.kind !== "none" ? value : this.#wrong(port, "there", value);
  }

  bytes(port: string): Uint8Array {
    const value = this.#values[port];
    return value?.kind === "bytes" ? value.bytes : this.#wrong(port, "bytes", value);
  }

  json(port: string): Json {
    const value = this.#values[port];
    return value?.kind === "json" ? value.json : this.#wrong(port, "JSON", value);
  }

  text(port: string): string {
    const value = this.json(port);
    return typeof value === "string" ? value : this.#wrong(port, "a text", this.#values[port]);
  }

  number(port: string): number {
    const value = this.json(port);
    return typeof value === "number" ? value : this.#wrong(port, "a number", this.#values[port]);
  }

  record(port: string): Record<string, Json> {
    const value = this.json(port);
    return isRecord(value) ? value : this.#wrong(port, "a JSON object", this.#values[port]);
  }

  array(port: string): Json[] {
    const value = this.json(port);
    return Array.isArray(value) ? value : this.#wrong(port, "a JSON list", this.#values[port]);
  }

  list(port: string): Value[] {
    const value = this.#values[port];
    return value?.kind === "list" ? value.elements : this.#wrong(port, "a list", value);
  }

  /** @param shape -1 where any length goes; absent: of any */
  tensor(port: string, datatype: TensorValue["datatype"], shape?: readonly number[]): TensorValue {
    return this.tensorIn(port, this.#values[port], datatype, shape);
  }

  tensorIn(
    port: string,
    value: Value | undefined,
    datatype: TensorValue["datatype"],
    shape?: readonly number[],
  ): TensorValue {
    const fits =
      value?.kind === "tensor" &&
      value.datatype === datatype &&
      (!shape ||
        (shape.length === value.shape.length &&
          shape.every((length, i) => length === -1 || length === value.shape[i])));
    if (!fits) this.#wrong(port, `${datatype}${shape ? `[${shape}]` : " tensors"}`, value);
    if (elementsOf(value).length !== countOf(value.shape)) this.refuse(port, "has not as many elements as its shape");
    return value;
  }

  floats(port: string, shape?: readonly number[]): { shape: number[]; elements: Float32Array } {
    return this.floatsIn(port, this.#values[port], shape);
  }

  floatsIn(
    port: string,
    value: Value | undefined,
    shape?: readonly number[],
  ): { shape: number[]; elements: Float32Array } {
    const floats = this.tensorIn(port, value, "FP32", shape);
    return { shape: floats.shape, elements: elementsOf(floats) as Float32Array };
  }

  image(port: string): Raster {
    const { shape, bytes } = this.tensor(port, "UINT8", [-1, -1, 3]);
    const [height, width] = shape as [number, number];
    if (width < 1 || height < 1) this.refuse(port, "has no pixels");
    return { width, height, pixels: bytes };
  }
}

export const isRecord = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
