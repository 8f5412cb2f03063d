/** What pipelines gave, an item a line: a table for a person, JSON lines for a program. */
import type { Json } from "../../shared/pipeline/definition.ts";
import type { Skipped } from "../../shared/pipeline/item.ts";
import { plain, table } from "./table.ts";

export interface ItemOutput {
  name: string;
  output: Json;
}

type JsonObject = { [key: string]: Json };

/** Columns of a terminal that none is cut below; and between two. */
const CELL_MIN = 8;
const GAP = 2;
const DIGITS = 4;
/** What a table cannot hold: a line an item then. */
const LONG_OUTPUTS = 12;

/** `columns` of the terminal; undefined where the text goes to a file or a program, which get everything. */
export function outputsText(items: readonly ItemOutput[], columns: number | undefined): string {
  if (columns === undefined)
    return items.map(({ name, output }) => `${JSON.stringify({ item: name, outputs: output })}\n`).join("");
  const [only, ...others] = items;
  if (only && others.length === 0) return outputText(only.output);
  const keys = [...new Set(items.flatMap(({ output }) => Object.keys(shownOf(output))))];
  // What has parts of its own is hard to read in a cell: where not all fit, it is the first to go.
  const plainKeys = keys.filter((key) => items.every(({ output }) => !hasParts(shownOf(output)[key] ?? null)));
  const whole = tableOf(items, keys, columns);
  if (whole && (!whole.isCut || plainKeys.length === 0 || plainKeys.length === keys.length)) return whole.text;
  const smaller = plainKeys.length > 0 ? tableOf(items, plainKeys, columns) : undefined;
  const left = keys.filter((key) => !plainKeys.includes(key)).map(plain);
  if (smaller)
    return `${smaller.text}${left.length > 0 ? `Left out here: ${left.join(", ")}; --json tells all.\n` : ""}`;
  return items.map(({ name, output }) => `${cut(`${plain(name)}  ${cellText(shownOf(output))}`, columns)}\n`).join("");
}

/** Undefined where even narrow columns are too many. */
function tableOf(
  items: readonly ItemOutput[],
  keys: readonly string[],
  columns: number,
): { text: string; isCut: boolean } | undefined {
  const rows = items.map(({ name, output }) => [name, ...keys.map((key) => cellText(shownOf(output)[key] ?? null))]);
  const head = ["ITEM", ...keys.map((key) => key.toUpperCase())];
  const widths = fitted(head, rows, columns);
  if (keys.length > LONG_OUTPUTS || !widths) return undefined;
  const cutRow = (row: readonly string[]): string[] => row.map((text, i) => cut(text, widths[i]!));
  const isCut = [head, ...rows].some((row) => row.some((text, i) => [...text].length > widths[i]!));
  return { text: table(cutRow(head), rows.map(cutRow)), isCut };
}

/** Objects, and lists of them. */
const hasParts = (value: Json): boolean =>
  Array.isArray(value) ? value.some((one) => typeof one === "object" && one !== null) : isObject(value);

/** One item in full: a name and its value each, texts of several lines below their name. */
export function outputText(output: Json): string {
  const parts = Object.entries(shownOf(output)).map(([key, value]) => {
    if (typeof value !== "string") return `${key}: ${cellText(value)}`;
    return value.includes("\n") ? `${key}:\n${value}` : `${key}: ${value}`;
  });
  return parts.map((part) => `${part.split("\n").map(plain).join("\n")}\n`).join("");
}

export function skippedOf(output: Json): Skipped[] {
  const { skipped } = isObject(output) ? output : {};
  return Array.isArray(skipped) ? (skipped as unknown as Skipped[]) : [];
}

/** `rec, element 3: The input is empty.` */
export const skippedText = ({ stage, element, error }: Skipped): string =>
  `${stage}${element === undefined ? "" : `, element ${element}`}: ${error.message}`;

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function shownOf(output: Json): JsonObject {
  if (!isObject(output)) return { output };
  const { skipped: _, ...shown } = output;
  return shown;
}

/** On one line; numbers as far as anyone reads them. */
function cellText(value: Json): string {
  if (value === null) return "-";
  if (typeof value === "string") return value.replace(/\s+/g, " ");
  return typeof value === "number" ? numberText(value) : JSON.stringify(rounded(value));
}

const numberText = (value: number): string => String(Number(value.toPrecision(DIGITS)));

function rounded(value: Json): Json {
  if (typeof value === "number") return Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS));
  if (Array.isArray(value)) return value.map(rounded);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rounded(one)]));
}

/** The widest columns give way until all fit; undefined where even narrow ones do not. */
function fitted(head: readonly string[], rows: readonly (readonly string[])[], columns: number): number[] | undefined {
  const widths = head.map((text, i) =>
    Math.max(...[text, ...rows.map((row) => row[i]!)].map((one) => [...one].length)),
  );
  const room = columns - GAP * (head.length - 1);
  if (room < CELL_MIN * head.length) return undefined;
  for (let over = widths.reduce((sum, width) => sum + width, 0) - room; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest]!--;
  }
  return widths;
}

const cut = (text: string, width: number): string =>
  [...text].length <= width ? text : `${[...text].slice(0, width - 1).join("")}…`;
