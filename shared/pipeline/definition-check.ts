/** The form of a definition: which keys, of which kinds. What they mean together is for compile.ts. */
import { checkList, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "../checks.ts";
import { checkLabels } from "../labels.ts";
import { LIMITS } from "../limits.ts";
import { checkModelName } from "../model.ts";
import type {
  Condition,
  Json,
  Loop,
  OnError,
  PipelineDefinition,
  PortDefinition,
  StageDefinition,
} from "./definition.ts";
import { type At, Faults, pathText, quoted } from "./faults.ts";
import { parseType } from "./types.ts";

export const DEFINITION_KEYS = ["$schema", "name", "version", "says", "inputs", "stages", "outputs"] as const;
export const STAGE_KEYS = [
  ...["model", "operator", "pipeline", "in", "with", "files", "map", "when", "loop"],
  ...["batch", "on", "deadlineMs", "onError", "keep", "send"],
] as const;
const COMPARISONS = ["below", "above", "is", "isNot"] as const;
/** Of inputs and stages: they stand before a dot, in paths, and before a slash when a pipeline is a stage. */
export const NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,31}$";
/** In the place of a type that is none; said to be a fault. */
export const NO_TYPE = "";
const NAME = new RegExp(NAME_PATTERN);
const SAYS_BYTES_MAX = 500;

/** What could be read of it, without the parts at fault. */
export function checkDefinition(value: unknown, faults: Faults): PipelineDefinition {
  const record = faults.attempt([], () => checkRecord(value, "")) ?? {};
  onlyKeys(record, [], DEFINITION_KEYS, faults);
  const name = faults.attempt(["name"], () => checkModelName(given(record, "name"), ""));
  const version = optional(record, "version", [], faults, (one) => checkWhole(one, "", 1, 1_000_000));
  const says = optional(record, "says", [], faults, (one) => checkText(one, "", SAYS_BYTES_MAX, 0));
  return {
    name: name ?? "",
    ...version,
    ...says,
    inputs: entriesOf(record, "inputs", faults, (one, at) => checkPort(one, at, faults)),
    stages: entriesOf(record, "stages", faults, (one, at) => checkStage(one, at, faults)),
    outputs: entriesOf(record, "outputs", faults, (one, at) => faults.attempt(at, () => reference(one))),
  };
}

/** One that was agreed on, or is to be: with its version. @throws BAD_REQUEST */
export function checkKeptDefinition(value: unknown): PipelineDefinition & { version: number } {
  const faults = new Faults();
  const { version, ...definition } = checkDefinition(value, faults);
  if (version === undefined) faults.add(["version"], "is missing");
  const [first] = faults.found;
  return first || version === undefined
    ? refuse(pathText(first?.at ?? []), first?.reason ?? "is missing")
    : { ...definition, version };
}

/** One of the three named lists of a pipeline. */
function entriesOf<T>(
  record: Record<string, unknown>,
  key: "inputs" | "stages" | "outputs",
  faults: Faults,
  check: (value: unknown, at: At) => T | undefined,
): Record<string, T> {
  const all = faults.attempt([key], () => checkRecord(given(record, key), ""));
  if (!all) return {};
  const names = Object.keys(all);
  const most = key === "stages" ? LIMITS.pipelineStagesMax : LIMITS.pipelinePortsMax;
  if (names.length === 0) faults.add([key], "must name at least one");
  if (names.length > most) faults.add([key], `are ${names.length}; the most is ${most}`);
  const checked = names.slice(0, most).flatMap((name): [string, T][] => {
    if (!NAME.test(name))
      faults.add([key, name], "must be named by a letter, then up to 31 letters, digits, dashes and underscores");
    const one = check(all[name], [key, name]);
    return one === undefined || !NAME.test(name) ? [] : [[name, one]];
  });
  return Object.fromEntries(checked);
}

function checkPort(value: unknown, at: At, faults: Faults): PortDefinition | undefined {
  const port = faults.attempt(at, () => checkRecord(value, ""));
  if (!port) return undefined;
  onlyKeys(port, at, ["type", "says"], faults);
  const type = faults.attempt([...at, "type"], () => typeIn(given(port, "type")));
  const says = optional(port, "says", at, faults, (one) => checkText(one, "", SAYS_BYTES_MAX, 0));
  return { type: type ?? NO_TYPE, ...says };
}

function checkStage(value: unknown, at: At, faults: Faults): StageDefinition {
  const stage = faults.attempt(at, () => checkRecord(value, ""));
  if (!stage) return {};
  onlyKeys(stage, at, STAGE_KEYS, faults);
  const kinds = (["model", "operator", "pipeline"] as const).filter((kind) => stage[kind] !== undefined);
  if (kinds.length !== 1)
    faults.add(at, `must say what runs: one of model, operator and pipeline, not ${kinds.join(" and ") || "none"}`);
  const part = <K extends string, T>(key: K, check: (one: unknown, at: At) => T) =>
    optional(stage, key, at, faults, check);
  const map =
    <T>(check: (one: unknown, at: At) => T) =>
    (one: unknown, below: At) =>
      recordOf(one, below, faults, check);
  const text = (one: unknown): string => checkText(one, "", LIMITS.nameBytesMax);
  return {
    ...part("model", text),
    ...part("operator", text),
    ...part("pipeline", text),
    ...part("in", map(reference)),
    ...part("with", (one) => checkRecord(one, "") as Record<string, Json>),
    ...part("files", map(text)),
    ...part("map", (one) => checkList(one, "", LIMITS.pipelinePortsMax, text)),
    ...part("when", (one, below) => checkCondition(one, below, faults)),
    ...part("loop", (one, below) => checkLoop(one, below, faults)),
    ...part("batch", (one) => checkWhole(one, "", 1, LIMITS.stageBatchMax)),
    ...part("on", (one) => checkLabels(one, "")),
    ...part("deadlineMs", (one) => checkWhole(one, "", 1, LIMITS.stageDeadlineMsMax)),
    ...part("onError", (one, below) => checkOnError(one, below, faults)),
    ...part("keep", (one) => checkOneOf(one, "", ["durable", "recompute", "auto"] as const)),
    ...part(
      "send",
      map((one) => checkOneOf(one, "", ["fp16", "int8"] as const)),
    ),
  };
}

function checkCondition(value: unknown, at: At, faults: Faults): Condition {
  const record = checkRecord(value, "");
  onlyKeys(record, at, ["value", ...COMPARISONS], faults);
  const compared = COMPARISONS.filter((key) => record[key] !== undefined);
  if (compared.length !== 1)
    faults.add(at, `must have one comparison, below, above, is or isNot, not ${compared.join(" and ") || "none"}`);
  const part = <K extends string, T>(key: K, check: (one: unknown) => T) => optional(record, key, at, faults, check);
  return {
    value: faults.attempt([...at, "value"], () => reference(given(record, "value"))) ?? "",
    ...part("below", finite),
    ...part("above", finite),
    ...part("is", plain),
    ...part("isNot", plain),
  };
}

const finite = (value: unknown): number => checkNumber(value, "", -Number.MAX_VALUE, Number.MAX_VALUE);

function plain(value: unknown): string | number | boolean {
  if (typeof value === "string" || typeof value === "boolean") return value;
  return typeof value === "number" ? finite(value) : refuse("", "must be a text, a number, true or false");
}

function checkLoop(value: unknown, at: At, faults: Faults): Loop {
  const record = checkRecord(value, "");
  onlyKeys(record, at, ["times", "over", "carry", "first"], faults);
  if ((record.times === undefined) === (record.over === undefined))
    faults.add(at, "must say how often: either times, a number, or over, a port that carries a list");
  const text = (one: unknown): string => checkText(one, "", LIMITS.nameBytesMax);
  const carry = optional(record, "carry", at, faults, (one, below) => recordOf(one, below, faults, text));
  const first = optional(record, "first", at, faults, (one, below) => recordOf(one, below, faults, typeIn));
  return {
    ...optional(record, "times", at, faults, (one) => checkWhole(one, "", 1, LIMITS.stageRoundsMax)),
    ...optional(record, "over", at, faults, text),
    carry: carry.carry ?? {},
    ...first,
  };
}

function checkOnError(value: unknown, at: At, faults: Faults): OnError {
  if (value === "fail" || value === "skip") return value;
  if (typeof value !== "object") refuse("", `must be fail, skip or { default: ... }, not ${quoted(String(value))}`);
  const record = checkRecord(value, "");
  onlyKeys(record, at, ["default"], faults);
  return { default: checkRecord(given(record, "default"), "") as Record<string, Json> };
}

function recordOf<T>(value: unknown, at: At, faults: Faults, check: (one: unknown, at: At) => T): Record<string, T> {
  const all = Object.entries(checkRecord(value, ""));
  if (all.length > LIMITS.pipelinePortsMax)
    refuse("", `has ${all.length} entries; the most is ${LIMITS.pipelinePortsMax}`);
  return Object.fromEntries(
    all.flatMap(([key, one]): [string, T][] => {
      const checked = faults.attempt([...at, key], () => check(one, [...at, key]));
      return checked === undefined ? [] : [[key, checked]];
    }),
  );
}

const typeIn = (value: unknown): string => {
  parseType(value, "");
  return value as string;
};
const reference = (value: unknown): string => checkText(value, "", 2 * LIMITS.nameBytesMax);

const given = (record: Record<string, unknown>, key: string): unknown => record[key] ?? refuse("", "is missing");

function optional<K extends string, T>(
  record: Record<string, unknown>,
  key: K,
  at: At,
  faults: Faults,
  check: (value: unknown, at: At) => T,
): { [P in K]?: T } {
  if (record[key] === undefined) return {};
  const below = [...at, key];
  const checked = faults.attempt(below, () => check(record[key], below));
  return (checked === undefined ? {} : { [key]: checked }) as { [P in K]?: T };
}

function onlyKeys(record: Record<string, unknown>, at: At, known: readonly string[], faults: Faults): void {
  for (const key of Object.keys(record))
    if (!known.includes(key)) faults.unknown([...at, key], "is not known", key, known);
}
