import type { OperatorSpec } from "../operators.ts";
import { portsOf } from "./core.ts";

export const DECIDE: OperatorSpec[] = [
  {
    name: "decide/rules@1",
    says: "The first rule that holds decides, and says why. The last one must hold always.",
    inputs: { facts: { type: "json", says: "an object" } },
    outputs: {
      decision: { type: "text", says: "of that rule" },
      rule: { type: "text", says: "its name" },
      reason: { type: "text", says: "its reason, facts filled in" },
    },
    parameters: {
      rules: {
        type: "json",
        says: 'at most 256, in order: {"name", "when"?: [condition, …], "decision", "reason"}. A condition is {"fact": JSON pointer} and one of "is", "isNot", "below", "above", "atLeast", "atMost", "among": [values], "has": an element of a list or a part of a text, "exists": true or false. All must hold; a fact that is not there holds none but "exists": false and "isNot". In a reason {name} is a fact, {a.b} the fact b of a',
        default: [],
      },
    },
    files: { rules: { optional: true, says: "the rules as JSON, where no parameter has them" } },
  },
  {
    name: "decide/weighted@1",
    says: "Scores of several sides for the same labels, added up by weight. A side that is not there is left out, and the others count as much more.",
    inputs: portsOf("json", "scores by label, an object, of side", 1),
    outputs: {
      label: { type: "text", says: "the highest; the first by name among equals" },
      score: { type: "number", says: "its score, 0 to 1 if those given are" },
      margin: { type: "number", says: "by how much it is above the next" },
      scores: { type: "json", says: "an object: all of them" },
    },
    parameters: { weights: { type: "numbers", says: "of a, b, c and so on, in that order", min: 0, max: 1e6 } },
  },
];
