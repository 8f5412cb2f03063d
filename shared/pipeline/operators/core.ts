import type { OperatorSpec } from "../operators.ts";
import { commonType, elementType } from "./types.ts";

const PORTS = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;

/** Ports a to h; the first so many of them must come from somewhere. */
export function portsOf(type: string, says: string, needed: number): OperatorSpec["inputs"] {
  return Object.fromEntries(
    PORTS.map((port, n) => [port, { type, says: `${says} ${n + 1}`, ...(n >= needed && { optional: true as const }) }]),
  );
}

export const PICKED_AS = {
  type: "text",
  says: "what it is taken as; anything else is an error",
  oneOf: ["json", "text", "number", "boolean"],
  default: "json",
} as const;

export const CORE: OperatorSpec[] = [
  {
    name: "core/first@1",
    says: "The first of its inputs, a to h, that is there: where a cascade comes together again.",
    inputs: Object.fromEntries(
      PORTS.map((port) => [port, { type: "any", optional: true, says: "taken if none before it is there" }]),
    ),
    outputs: { value: { type: "any", says: "that one; nothing if none is there" } },
    parameters: {},
    giving: (_, inputs) => ({ value: commonType(Object.values(inputs)) }),
  },
  {
    name: "core/pass@1",
    says: "Gives what it takes.",
    inputs: { value: { type: "any", says: "anything" } },
    outputs: { value: { type: "any", says: "the same" } },
    parameters: {},
    giving: (_, inputs) => ({ value: inputs.value ?? "any" }),
  },
  {
    name: "core/split@1",
    says: "The elements of a JSON list, each a value of its own that stages can run over.",
    inputs: { list: { type: "json", says: "a list" } },
    outputs: { elements: { type: "list<json>", says: "its elements" } },
    parameters: { as: PICKED_AS },
    giving: ({ as }) => ({ elements: `list<${as ?? "json"}>` }),
  },
  {
    name: "core/join@1",
    says: "One JSON list of many values. Elements that are not there, because they were skipped, are left out.",
    inputs: { elements: { type: "list<json>", says: "values" } },
    outputs: { list: { type: "json", says: "a list of them" } },
    parameters: {},
  },
  {
    name: "core/element@1",
    says: "One element of a list.",
    inputs: { elements: { type: "list<any>", says: "values" } },
    outputs: { value: { type: "any", says: "that element; nothing if the list is shorter" } },
    parameters: {
      index: { type: "integer", says: "its place from 0; -1 is the last", min: -100_000, max: 100_000, default: 0 },
    },
    giving: (_, inputs) => ({ value: elementType(inputs.elements) }),
  },
];
