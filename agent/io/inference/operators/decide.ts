import type { Json } from "../../../../shared/pipeline/definition.ts";
import { fieldOf, inWords, parsedJson } from "./json.ts";
import type { Implementation } from "./operator.ts";
import { pointedTo, readPointer } from "./pointer.ts";
import { isRecord, type Ports, refuseInput } from "./ports.ts";
import { json } from "./values.ts";

const RULES = "decide/rules@1";
const rulesMax = 256;
const conditionsMax = 32;

interface Rule {
  name: string;
  when: Check[];
  decision: string;
  reason: string;
}
type Check = (facts: Json) => boolean;

const COMPARED: Record<string, (fact: Json | undefined, wanted: Json) => boolean> = {
  is: (fact, wanted) => fact !== undefined && same(fact, wanted),
  isNot: (fact, wanted) => fact === undefined || !same(fact, wanted),
  below: (fact, wanted) => typeof fact === "number" && fact < Number(wanted),
  above: (fact, wanted) => typeof fact === "number" && fact > Number(wanted),
  atLeast: (fact, wanted) => typeof fact === "number" && fact >= Number(wanted),
  atMost: (fact, wanted) => typeof fact === "number" && fact <= Number(wanted),
  among: (fact, wanted) => fact !== undefined && (wanted as Json[]).some((one) => same(fact, one)),
  has: (fact, wanted) =>
    Array.isArray(fact)
      ? fact.some((one) => same(one, wanted))
      : typeof fact === "string" && fact.includes(`${wanted}`),
  exists: (fact, wanted) => (fact !== undefined && fact !== null) === wanted,
};
const NUMBERS = ["below", "above", "atLeast", "atMost"];

const same = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

function readRules(value: Json): Rule[] {
  const rules = Array.isArray(value) ? value : [];
  if (rules.length < 1 || rules.length > rulesMax) refuseInput(RULES, `it must have 1 to ${rulesMax} rules, in a list`);
  const read = rules.map(readRule);
  if (read.at(-1)!.when.length > 0)
    refuseInput(RULES, "its last rule must have no conditions, so that one holds whatever the facts are");
  return read;
}

function readRule(value: Json, n: number): Rule {
  const at = `rule ${n + 1}`;
  const wrong = (what: string): never => refuseInput(RULES, `${at} ${what}`);
  if (!isRecord(value)) return wrong("must be an object");
  const { name, when = [], decision, reason, ...others } = value;
  if (Object.keys(others).length > 0) wrong(`has ${Object.keys(others).join(", ")}, which rules do not have`);
  if (typeof name !== "string" || typeof decision !== "string" || typeof reason !== "string")
    return wrong("must have a name, a decision and a reason, as texts");
  if (!Array.isArray(when) || when.length > conditionsMax)
    return wrong(`must have at most ${conditionsMax} conditions, in a list`);
  return { name, decision, reason, when: when.map((one, i) => readCondition(one, `${at}, condition ${i + 1}`)) };
}

function readCondition(value: Json, at: string): Check {
  const { fact, ...comparisons } = isRecord(value) ? value : {};
  const [comparison, ...others] = Object.keys(comparisons);
  if (typeof fact !== "string" || comparison === undefined || others.length > 0 || !Object.hasOwn(COMPARED, comparison))
    return refuseInput(RULES, `${at} must be a fact and one of ${Object.keys(COMPARED).join(", ")}`);
  const wanted = comparisons[comparison]!;
  if (NUMBERS.includes(comparison) && typeof wanted !== "number")
    refuseInput(RULES, `${at} must compare with a number`);
  if (comparison === "among" && !Array.isArray(wanted)) refuseInput(RULES, `${at} must name a list`);
  if (comparison === "exists" && typeof wanted !== "boolean") refuseInput(RULES, `${at} must be true or false`);
  const steps = readPointer(fact, RULES);
  return (facts) => COMPARED[comparison]!(pointedTo(facts, steps), wanted);
}

/** {a.b} by the fact; one that is not there stands as "nothing", because a reason must not fail where the rule held. */
const filled = (reason: string, facts: Json): string =>
  reason.replace(/\{([^{}]+)\}/g, (_, path: string) => inWords(fieldOf(facts, path) ?? "nothing"));

interface Side {
  weight: number;
  scores: Record<string, Json>;
}

function sidesOf(ports: Ports, weights: readonly number[]): Side[] {
  return "abcdefgh".split("").flatMap((port, n): Side[] => {
    if (!ports.has(port)) return [];
    const weight = weights[n] ?? ports.refuse(port, "has no weight: give one more in weights");
    return [{ weight, scores: ports.record(port) }];
  });
}

export const DECIDE: Record<string, Implementation> = {
  [RULES]: (parameters, files) => {
    const rules = readRules(files.rules ? parsedJson(files.rules, "its file rules", RULES) : parameters.rules!);
    return (ports) => {
      const facts = ports.record("facts");
      const { name, decision, reason } = rules.find(({ when }) => when.every((holds) => holds(facts)))!;
      return { decision: json(decision), rule: json(name), reason: json(filled(reason, facts)) };
    };
  },
  "decide/weighted@1":
    ({ weights }) =>
    (ports) => {
      const sides = sidesOf(ports, weights as number[]);
      const whole = sides.reduce((sum, { weight }) => sum + weight, 0);
      if (!(whole > 0)) refuseInput("decide/weighted@1", "no side that is there has a weight above 0");
      const sums = new Map<string, number>();
      for (const { weight, scores } of sides)
        for (const [label, score] of Object.entries(scores)) {
          if (typeof score !== "number")
            refuseInput("decide/weighted@1", `the score of ${JSON.stringify(label)} must be a number`);
          sums.set(label, (sums.get(label) ?? 0) + (weight / whole) * score);
        }
      const ranked = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
      const [best, next] = ranked;
      if (!best) return refuseInput("decide/weighted@1", "it was given no scores");
      return {
        label: json(best[0]),
        score: json(best[1]),
        margin: json(best[1] - (next?.[1] ?? 0)),
        scores: json(Object.fromEntries(ranked)),
      };
    },
};
