/**
 * Checks of figures with a unit, for files that people write by hand. Whoever writes 60 for a share means percent, and
 * whoever writes 80000 for a temperature copied millidegrees from the kernel: each refusal says what was probably meant.
 */
import { checkKeys, checkNumber, checkOneOf, checkWhole } from "./checks.ts";
import { SkeinError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Runs a check; what it throws ends with what was probably meant, if that can be told. */
function orMeant<T>(meant: string | undefined, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof SkeinError) || meant === undefined) throw error;
    throw new SkeinError(error.code, { ...error.facts, reason: `${error.facts.reason}: ${meant}` }, { cause: error });
  }
}

/** `60`, `"60%"`, `"4 GB"`: the number and the unit, as far as there is one. */
function written(value: unknown): { number: number; unit: string } | undefined {
  if (typeof value === "number") return { number: value, unit: "" };
  const parts = typeof value === "string" ? /^\s*(\d+(?:\.\d+)?)\s*([^\d\s]*)\s*$/.exec(value) : null;
  return parts ? { number: Number(parts[1]), unit: parts[2]!.toLowerCase() } : undefined;
}

const inRange = (value: number, min: number, max: number): boolean => value >= min && value <= max;

/** A share of 1. */
export function checkShare(value: unknown, path: string, min: number, max: number): number {
  const said = written(value);
  const share = said && (said.unit === "" || said.unit === "%") ? said.number / 100 : Number.NaN;
  const meant = inRange(share, min, max) ? `it is a share of 1, not percent; did you mean ${share}?` : undefined;
  return orMeant(meant, () => checkNumber(value, path, min, max));
}

/** Degrees Celsius of silicon at work. */
export function checkCelsius(value: unknown, path: string): number {
  const [min, max] = [30, 125];
  const guesses = (degrees: number): [unit: string, celsius: number][] => [
    ["a text", degrees],
    ["millidegrees", degrees / 1_000],
    ["degrees Fahrenheit", Math.round((degrees - 32) / 1.8)],
    ["kelvin", Math.round(degrees - 273.15)],
  ];
  const said = written(value);
  const fits = said && guesses(said.number).find(([, celsius]) => inRange(celsius, min, max));
  const meant = fits && `it is in degrees Celsius, not ${fits[0]}; did you mean ${fits[1]}?`;
  return orMeant(meant, () => checkNumber(value, path, min, max));
}

const UNIT_BYTES: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes, of which there are at least 2^25: fewer are megabytes or gigabytes that lost their unit. */
export function checkBytes(value: unknown, path: string): number {
  const [min, max] = [2 ** 25, 2 ** 50];
  return orMeant(bytesMeant(value, min), () => checkWhole(value, path, min, max));
}

function bytesMeant(value: unknown, min: number): string | undefined {
  const said = written(value);
  if (!said || (said.unit === "" && (said.number >= min || said.number <= 0))) return undefined;
  const unit = /^[kmgt](i?b)?$/.test(said.unit)
    ? said.unit[0]!
    : said.number <= 256
      ? "g"
      : said.number < 1e6
        ? "m"
        : "k";
  const name = { k: "KiB", m: "MiB", g: "GiB", t: "TiB" }[unit];
  return `it is in bytes; did you mean ${Math.round(said.number * UNIT_BYTES[unit]!)} (${said.number} ${name})?`;
}

/** Watts of one box. */
export function checkWatts(value: unknown, path: string): number {
  const [min, max] = [0.1, 1_000];
  const said = written(value);
  const watts =
    said && (said.unit === "mw" || (said.unit === "" && said.number > max) ? said.number / 1_000 : said.number);
  const meant =
    watts !== undefined && inRange(watts, min, max) ? `it is a number of watts; did you mean ${watts}?` : undefined;
  return orMeant(meant, () => checkNumber(value, path, min, max));
}

/** As `checkKeys`; a key that is nearly a known one names it. */
export function checkKnownKeys(record: Record<string, unknown>, path: string, known: readonly string[]): void {
  const unknown = Object.keys(record).find((key) => !known.includes(key));
  const near = unknown === undefined ? undefined : nearest(unknown, known);
  const meant = near && `did you mean ${near}?`;
  orMeant(meant, () => checkKeys(record, path, known));
}

/** As `checkOneOf`; `CUDAExecutionProvider` and `Arm64` are near enough to be asked about. */
export function checkKnown<T extends string>(value: unknown, path: string, known: readonly T[]): T {
  const plain = typeof value === "string" ? value.toLowerCase().replace(/executionprovider$|[^a-z0-9]/g, "") : "";
  const near = known.find((one) => one === plain) ?? (plain ? nearest(plain, known) : undefined);
  return orMeant(near && `did you mean ${near}?`, () => checkOneOf(value, path, known));
}
