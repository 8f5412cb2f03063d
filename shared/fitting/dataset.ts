/**
 * Labelled vectors as a box keeps them, and never sends anywhere: JSON lines, each {"label": "text", "vector": [numbers]}.
 * One row in five is held out: which, its content decides, so that it is the same whichever box has it.
 */
import { checkKeys, checkRecord, checkText, refuse } from "../checks.ts";
import { SkeinError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Rows } from "./head.ts";

export interface DatasetView {
  name: string;
  rows: number;
  dimensions: number;
  /** In the order of the alphabet. */
  labels: string[];
}

export interface DatasetRow {
  label: string;
  vector: Float64Array;
  isHeldOut: boolean;
}

const HELD_OUT_ONE_IN = 5;
const NAME = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;

/** @throws BAD_REQUEST */
export function checkDatasetName(value: unknown): string {
  const name = checkText(value, "dataset", 64);
  return NAME.test(name) ? name : refuse("dataset", "must be small letters, digits, dots, dashes and underscores");
}

/** @throws BAD_REQUEST with the line */
export function readRow(line: string, number: number): DatasetRow {
  const at = `line ${number}`;
  const row = checkRecord(parsed(line, at), at);
  checkKeys(row, at, ["label", "vector"]);
  const label = checkText(row.label, `${at}, label`, LIMITS.nameBytesMax);
  const { vector } = row;
  if (!Array.isArray(vector) || vector.length === 0 || vector.length > LIMITS.fitDimensionsMax)
    return refuse(`${at}, vector`, `must be 1 to ${LIMITS.fitDimensionsMax} numbers`);
  const wrong = vector.findIndex((value) => typeof value !== "number" || !Number.isFinite(value));
  if (wrong >= 0) return refuse(`${at}, vector`, `must be numbers, and number ${wrong + 1} is none`);
  return { label, vector: Float64Array.from(vector as number[]), isHeldOut: hashOf(line) % HELD_OUT_ONE_IN === 0 };
}

function parsed(line: string, at: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    const reason = `${at} is not JSON: ${error instanceof Error ? error.message : error}`;
    throw new SkeinError("BAD_REQUEST", { reason }, { cause: error });
  }
}

/** FNV-1a, 32 bits, and its high bits, which are the better mixed ones. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 16;
}

/** What is told of rows, of which there is one at least. */
export const datasetView = (name: string, rows: readonly DatasetRow[]): DatasetView => ({
  name,
  rows: rows.length,
  dimensions: rows[0]!.vector.length,
  labels: [...new Set(rows.map(({ label }) => label))].sort(),
});

/** Rows as a head takes them. Those of a label that is not among `labels` are left out: they came after the fit was begun. */
export function rowsOf(rows: readonly DatasetRow[], labels: readonly string[], dimensions: number): Rows {
  const classOf = new Map(labels.map((label, i) => [label, i]));
  const known = rows.filter(({ label }) => classOf.has(label));
  const vectors = new Float64Array(known.length * dimensions);
  for (const [i, { vector }] of known.entries()) vectors.set(vector, i * dimensions);
  return { vectors, classes: Uint32Array.from(known, ({ label }) => classOf.get(label)!) };
}
