/**
 * What flows between stages, and its form between executors: a record of values by port. A file of it:
 *   <bytes of the JSON, in decimal digits>\n<JSON><the bytes that it points to, one after the other>
 * as the binary form of shared/tensors.ts. The JSON tells the shape of the record; tensors and bytes lie behind it.
 */
import type { Datatype } from "../model.ts";
import type { Json } from "./definition.ts";

export type Value =
  /** Little-endian, in row order, as in the Open Inference Protocol; no BYTES: texts are JSON. */
  | { kind: "tensor"; datatype: Exclude<Datatype, "BYTES">; shape: number[]; bytes: Uint8Array }
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "json"; json: Json }
  | { kind: "list"; elements: Value[] }
  /** A stage that was not run, or failed and was skipped. */
  | { kind: "none" };

export type Values = Map<string, Value>;
