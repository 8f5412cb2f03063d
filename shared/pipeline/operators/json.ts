import type { OperatorSpec } from "../operators.ts";
import { PICKED_AS, portsOf } from "./core.ts";

export const JSONS: OperatorSpec[] = [
  {
    name: "json/pick@1",
    says: "What a JSON pointer (RFC 6901) points to.",
    inputs: { json: { type: "json", says: "anything" } },
    outputs: { value: { type: "json", says: "that part of it" } },
    parameters: {
      pointer: { type: "text", says: '"/lines/0/text", say; empty: the whole' },
      as: PICKED_AS,
      otherwise: { type: "json", says: "what it gives if nothing is there; null: that is an error", default: null },
    },
    giving: ({ as }) => ({ value: String(as ?? "json") }),
  },
  {
    name: "json/merge@1",
    says: "One object from several values, under names; what is not there is left out. An empty name lays the fields of an object beside the others.",
    inputs: portsOf("json", "value", 0),
    outputs: { json: { type: "json", says: "an object" } },
    parameters: { names: { type: "texts", says: "of a, b, c and so on, in that order" } },
  },
  {
    name: "json/constant@1",
    says: "A value that is always the same: a list to run over, say.",
    inputs: {},
    outputs: { value: { type: "json", says: "that value" } },
    parameters: { value: { type: "json", says: "anything, at most 64 KiB as JSON" } },
  },
  {
    name: "json/parse@1",
    says: "Reads a text, or the bytes of a file, as JSON.",
    inputs: { bytes: { type: "bytes", says: "UTF-8" } },
    outputs: { json: { type: "json", says: "what it says" } },
    parameters: {},
  },
];
