/** The page of operators, agent/io/inference/operators/README.md, as the specs have it. Written by `npm run operators`. */
import { readFileSync, writeFileSync } from "node:fs";
import { OPERATOR_GROUPS } from "../../shared/pipeline/operators/index.ts";
import type { OperatorSpec, ParameterSpec } from "../../shared/pipeline/operators.ts";

export const PAGE = new URL("../../agent/io/inference/operators/README.md", import.meta.url);
/** What a person writes goes above it; what comes behind is made. */
const MARK = "<!-- from here on: npm run operators -->";

const GROUPS: Record<keyof typeof OPERATOR_GROUPS, string> = {
  core: "Values and lists",
  image: "Pictures",
  vision: "Boxes in pictures",
  ocr: "Pages",
  text: "Texts",
  audio: "Sound",
  tensor: "Tensors",
  json: "JSON",
  decide: "Decisions",
  near: "Neighbours",
};

/** A cell of a table: no line ends, no bars. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/\s+/g, " ");
const code = (text: string): string => `\`${text}\``;

function boundsOf({ type, min, max, oneOf, ...spec }: ParameterSpec): string {
  const range = min === undefined ? [] : [`${min} to ${max}`];
  const choice = oneOf ? [oneOf.map(code).join(", ")] : [];
  const otherwise = spec.default === undefined ? ["must be given"] : [`default ${code(JSON.stringify(spec.default))}`];
  return [type, ...range, ...choice, ...otherwise].join("; ");
}

function rowsOf({ inputs, outputs, parameters, files = {} }: OperatorSpec): string[] {
  const optional = (one: { optional?: true }): string => (one.optional ? ", may be left out" : "");
  return [
    ...Object.entries(inputs).map(([name, one]) => ["in", name, `${code(one.type)}${optional(one)}`, one.says]),
    ...Object.entries(parameters).map(([name, one]) => ["with", name, boundsOf(one), one.says]),
    ...Object.entries(files).map(([name, one]) => ["files", name, `a file of a model${optional(one)}`, one.says]),
    ...Object.entries(outputs).map(([name, one]) => ["out", name, code(one.type), one.says]),
  ].map(([kind, name, what, says]) => `| ${kind} | ${code(name!)} | ${cell(what!)} | ${cell(says!)} |`);
}

function sectionOf(spec: OperatorSpec): string {
  return [`### ${spec.name}`, "", spec.says, "", "| | | | |", "|---|---|---|---|", ...rowsOf(spec), ""].join("\n");
}

export function operatorsPage(before: string): string {
  const [head = ""] = before.split(MARK);
  const groups = Object.entries(OPERATOR_GROUPS) as [keyof typeof OPERATOR_GROUPS, OperatorSpec[]][];
  const sections = groups.map(([group, specs]) => `## ${GROUPS[group]}\n\n${specs.map(sectionOf).join("\n")}`);
  const list = groups.map(([group, specs]) => `- ${GROUPS[group]}: ${specs.map(({ name }) => code(name)).join(", ")}`);
  return `${head.trimEnd()}\n\n${MARK}\n\n${list.join("\n")}\n\n${sections.join("\n")}`;
}

if (import.meta.filename === process.argv[1]) writeFileSync(PAGE, operatorsPage(readFileSync(PAGE, "utf8")));
