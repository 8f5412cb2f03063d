import { NONE } from "../../../../shared/pipeline/values.ts";
import { type JsonKind, takenAs } from "./json-kind.ts";
import type { Implementation } from "./operator.ts";
import { json, list } from "./values.ts";

export const CORE: Record<string, Implementation> = {
  "core/first@1": () => (ports) => {
    const port = "abcdefgh".split("").find((one) => ports.has(one));
    return { value: port === undefined ? NONE : ports.any(port) };
  },
  "core/pass@1": () => (ports) => ({ value: ports.any("value") }),
  "core/split@1": (parameters) => (ports) => {
    const kind = parameters.as as JsonKind;
    const elements = ports.array("list").map((one, n) => {
      if (!takenAs(one, kind)) ports.refuse("list", `must be of ${kind} elements; its element ${n} is not one`);
      return json(one);
    });
    return { elements: list(elements) };
  },
  "core/join@1": () => (ports) => ({
    list: json(
      ports.list("elements").flatMap((one) => {
        if (one.kind === "none") return [];
        return one.kind === "json" ? [one.json] : ports.refuse("elements", "must be of JSON elements");
      }),
    ),
  }),
  "core/element@1": (parameters) => (ports) => ({
    value: ports.list("elements").at(parameters.index as number) ?? NONE,
  }),
};
