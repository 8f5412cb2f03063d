/**
 * Checks of values that came from outside (a peer, a file, a client) before they are believed. Each names the field and
 * what it should have been; all throw BAD_REQUEST.
 */
import { SkeinError } from "./errors.ts";

export function refuse(path: string, what: string): never {
  throw new SkeinError("BAD_REQUEST", { reason: path ? `${path} ${what}` : what, field: path });
}

/** Short, on one line, and safe for whatever it is given. */
const shown = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
};

/** An object and not a list. */
export function checkRecord(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    refuse(path, `must be an object, not ${shown(value)}`);
  return value as Record<string, unknown>;
}

/** No key but these: a misspelt key is a setting that silently does nothing. */
export function checkKeys(record: Record<string, unknown>, path: string, known: readonly string[]): void {
  const unknown = Object.keys(record).find((key) => !known.includes(key));
  if (unknown !== undefined)
    refuse(path ? `${path}.${unknown}` : unknown, `is not known; known are ${known.join(", ")}`);
}

/** A finite number in a range, ends included. */
export function checkNumber(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < min || value > max)
    refuse(path, `must be a number from ${min} to ${max}, not ${shown(value)}`);
  return value;
}

export function checkWhole(value: unknown, path: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
    refuse(path, `must be a whole number from ${min} to ${max}, not ${shown(value)}`);
  return value;
}

const CONTROL = /\p{Cc}/u;
const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length;

/**
 * One line: control characters from a peer would reach somebody's terminal. UTF-8 has one to three bytes for each unit of a
 * string, so bytes are counted only near the bound: reports of a thousand nodes come in by the hundred a second.
 */
export function checkText(value: unknown, path: string, bytesMax: number, bytesMin = 1): string {
  if (typeof value !== "string") refuse(path, `must be text, not ${shown(value)}`);
  const bytes = 3 * value.length > bytesMax || value.length < bytesMin ? utf8Bytes(value) : value.length;
  if (bytes < bytesMin || bytes > bytesMax) refuse(path, `must have ${bytesMin} to ${bytesMax} bytes, not ${bytes}`);
  if (CONTROL.test(value)) refuse(path, `must be one line without control characters, not ${shown(value)}`);
  return value;
}

export function checkBoolean(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") refuse(path, `must be true or false, not ${shown(value)}`);
  return value;
}

export function checkOneOf<T extends string>(value: unknown, path: string, known: readonly T[]): T {
  if (!known.includes(value as T)) refuse(path, `must be one of ${known.join(", ")}, not ${shown(value)}`);
  return value as T;
}

export function checkList<T>(
  value: unknown,
  path: string,
  lengthMax: number,
  check: (one: unknown, path: string) => T,
): T[] {
  if (!Array.isArray(value)) refuse(path, `must be a list, not ${shown(value)}`);
  if (value.length > lengthMax) refuse(path, `must have at most ${lengthMax} entries, not ${value.length}`);
  return value.map((one, i) => check(one, `${path}[${i}]`));
}

/** A name that becomes a file's on somebody's disk, so it must not be able to leave the folder it is written to. */
export function checkFileName(value: unknown, path: string, bytesMax: number): string {
  const name = checkText(value, path, bytesMax);
  if (name === "." || name === ".." || /[/\\]/.test(name)) refuse(path, "must be a plain file name without folders");
  return name;
}
