import type { Json } from "../../../../shared/pipeline/definition.ts";
import { entitiesOf } from "../../../../shared/text/entities.ts";
import type { Implementation } from "./operator.ts";
import { isRecord, type Ports, refuseInput } from "./ports.ts";
import { labelsOf } from "./scores.ts";
import { json } from "./values.ts";

interface Token {
  text: string;
  from: number;
  to: number;
}

function tokensIn(ports: Ports): Token[] {
  return ports.array("tokens").map((token, n) => {
    const { text, from, to } = isRecord(token) ? token : {};
    const isToken = typeof text === "string" && Number.isSafeInteger(from) && Number.isSafeInteger(to);
    return isToken
      ? { text, from: from as number, to: to as number }
      : ports.refuse("tokens", `must be of {"text", "from", "to"}; its element ${n} is not one`);
  });
}

/** Of each row the best column and its share by softmax; scores that add up to 1 are their own shares. */
function bestOf(scores: Float32Array, columns: number): { column: number; share: number }[] {
  return Array.from({ length: scores.length / columns }, (_, n) => {
    const row = scores.subarray(n * columns, (n + 1) * columns);
    const column = row.reduce((best, score, i) => (score > row[best]! ? i : best), 0);
    const sum = row.reduce((a, b) => a + b, 0);
    const isShare = row.every((score) => score >= 0) && Math.abs(sum - 1) < 1e-3;
    const share = isShare ? row[column]! : 1 / row.reduce((all, score) => all + Math.exp(score - row[column]!), 0);
    return { column, share };
  });
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

export const ENTITIES: Record<string, Implementation> = {
  "text/entities@1": (parameters, files) => {
    const name = "text/entities@1";
    const labels =
      labelsOf(name, parameters, files) ?? refuseInput(name, "it must have labels, as a file or a parameter");
    return (ports) => {
      const tokens = tokensIn(ports);
      const { elements } = ports.floats("scores", [1, tokens.length, labels.length]);
      if (elements.some(Number.isNaN)) ports.refuse("scores", "must be numbers");
      const best = bestOf(elements, labels.length);
      const text = ports.has("text") ? ports.text("text") : undefined;
      const found = entitiesOf(best.map(({ column }) => labels[column]!)).map(({ label, from, to }) => {
        const words = tokens.slice(from, to);
        const place = { from: words[0]!.from, to: words.at(-1)!.to };
        const own = text === undefined ? words.map((word) => word.text).join(" ") : text.slice(place.from, place.to);
        return { text: own, label, ...place, score: mean(best.slice(from, to).map(({ share }) => share)) };
      });
      const texts = new Map<string, Set<string>>();
      for (const { label, text: own } of found) texts.set(label, (texts.get(label) ?? new Set()).add(own));
      const byLabel: Json = Object.fromEntries([...texts].map(([label, all]) => [label, [...all]]));
      return { entities: json(found), byLabel: json(byLabel), count: json(found.length) };
    };
  },
};
