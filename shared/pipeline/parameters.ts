/** Parameters of operators against what the operator says of them: an absurd one is refused before anything runs. */
import { checkBoolean, checkList, checkNumber, checkOneOf, checkWhole, refuse } from "../checks.ts";
import { LIMITS } from "../limits.ts";
import type { ModelManifest } from "../model.ts";
import type { Json } from "./definition.ts";
import { type At, type Faults, quoted } from "./faults.ts";
import type { OperatorSpec, ParameterSpec } from "./operators.ts";

/** What is given, and the defaults of the others. Without those at fault. */
export function checkParameters(
  spec: OperatorSpec,
  given: Record<string, Json>,
  at: At,
  faults: Faults,
): Record<string, Json> {
  const known = Object.keys(spec.parameters);
  for (const name of Object.keys(given))
    if (!known.includes(name)) faults.unknown([...at, "with", name], `is no parameter of ${spec.name}`, name, known);
  const checked = Object.entries(spec.parameters).flatMap(([name, parameter]): [string, Json][] => {
    const value = Object.hasOwn(given, name) ? given[name] : parameter.default;
    if (value === undefined) {
      faults.add([...at, "with"], `must give ${name} of ${spec.name}: ${parameter.says}`);
      return [];
    }
    const checked = faults.attempt([...at, "with", name], () => checkParameter(parameter, value));
    return checked === undefined ? [] : [[name, checked]];
  });
  return Object.fromEntries(checked);
}

/** @throws BAD_REQUEST */
export function checkParameter({ type, min, max, oneOf }: ParameterSpec, value: Json): Json {
  const number = (one: unknown): number => checkNumber(one, "", min ?? -Number.MAX_VALUE, max ?? Number.MAX_VALUE);
  const text = (one: unknown): string =>
    oneOf ? checkOneOf(one, "", oneOf) : typeof one === "string" ? one : refuse("", "must be text");
  if (type === "number") return number(value);
  if (type === "integer") return checkWhole(value, "", min ?? Number.MIN_SAFE_INTEGER, max ?? Number.MAX_SAFE_INTEGER);
  if (type === "text") return text(value);
  if (type === "boolean") return checkBoolean(value, "");
  if (type === "numbers") return checkList(value, "", LIMITS.pipelineBytesMax, number);
  return type === "texts" ? checkList(value, "", LIMITS.pipelineBytesMax, text) : value;
}

/** Which file of which model each parameter names. */
export function checkFiles(
  spec: OperatorSpec,
  given: Record<string, string>,
  model: (reference: string) => ModelManifest | undefined,
  at: At,
  faults: Faults,
): Record<string, { model: string; path: string }> {
  const wanted = Object.entries(spec.files ?? {});
  const known = wanted.map(([name]) => name);
  for (const [name, { says, optional }] of wanted)
    if (!optional && !Object.hasOwn(given, name))
      faults.add([...at, "files"], `must give ${name} of ${spec.name}, as MODEL:VERSION/PATH: ${says}`);
  const found = Object.entries(given).flatMap(([name, text]): [string, { model: string; path: string }][] => {
    const below = [...at, "files", name];
    if (!known.includes(name)) {
      faults.unknown(below, `is no file of ${spec.name}`, name, known);
      return [];
    }
    const [, reference = "", path = ""] = text.match(/^([^/]+:\d+)\/(.+)$/) ?? [];
    const manifest = reference ? model(reference) : undefined;
    if (!reference) faults.add(below, `must be MODEL:VERSION/PATH, not ${quoted(text)}`);
    else if (!manifest) faults.add(below, `names the model ${quoted(reference)}, which the fleet does not have`);
    else if (!manifest.files.some((file) => file.path === path))
      faults.unknown(
        below,
        `names ${quoted(path)}, which ${reference} does not have`,
        path,
        manifest.files.map((file) => file.path),
      );
    return [[name, { model: reference, path }]];
  });
  return Object.fromEntries(found);
}

/** A JSON value where a port's type says what it must be. @throws BAD_REQUEST */
export function checkJsonOf(kind: string, value: Json): void {
  if (kind === "text" && typeof value !== "string") refuse("", "must be text");
  if (kind === "number") checkNumber(value, "", -Number.MAX_VALUE, Number.MAX_VALUE);
  if (kind === "boolean") checkBoolean(value, "");
  if (!["text", "number", "boolean", "json", "any"].includes(kind))
    refuse("", "is no JSON, so it has no default that could be written here; skip it instead");
}
