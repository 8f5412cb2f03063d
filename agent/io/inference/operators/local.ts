/**
 * Operators of this box's owner: modules in a folder that the owner names, loaded into the executors of this box and sent
 * nowhere. Each file exports `spec` and `prepare`, as the operators here have them; see README.md in this folder.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SkeinError } from "../../../../shared/errors.ts";
import type { OperatorSpec } from "../../../../shared/pipeline/operators.ts";
import { parseType } from "../../../../shared/pipeline/types.ts";
import { checkValue } from "../../../../shared/pipeline/value-check.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import type { Operator, Prepared } from "./operator.ts";
import { refuseInput } from "./ports.ts";
import { checkSpec } from "./spec-check.ts";

export interface LocalOperators {
  operators: Map<string, Operator>;
  /** Files that could not be used; all others are. */
  faults: { file: string; reason: string }[];
}

const filesMax = 64;
/** A module that waits for something when it is loaded must not keep the box from its work. */
const loadMsMax = 5_000;

/** Those in a folder; none where there is no such folder. Never throws for what a file does. */
export async function readLocalOperators(folder: string, loadMs = loadMsMax): Promise<LocalOperators> {
  const read: LocalOperators = { operators: new Map(), faults: [] };
  const files = await modulesIn(folder);
  for (const file of files.slice(filesMax)) read.faults.push({ file, reason: `there are over ${filesMax} files` });
  for (const file of files.slice(0, filesMax)) {
    try {
      const operator = operatorOf(await loaded(join(folder, file), loadMs));
      const { name } = operator.spec;
      if (read.operators.has(name)) throw new Error(`${name} is in another file too`);
      read.operators.set(name, operator);
    } catch (error) {
      read.faults.push({ file, reason: error instanceof SkeinError ? `${error.facts.reason}` : reasonOf(error) });
    }
  }
  return read;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 500);

async function modulesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(".mjs")).sort();
}

async function loaded(file: string, loadMs: number): Promise<Record<string, unknown>> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it was not loaded within ${loadMs} ms`)), loadMs);
  const module = import(pathToFileURL(file).href) as Promise<Record<string, unknown>>;
  return Promise.race([module, promise]).finally(() => clearTimeout(timer));
}

/** @throws what is wrong with it */
function operatorOf({ spec, prepare }: Record<string, unknown>): Operator {
  const checked = checkSpec(spec);
  if (typeof prepare !== "function") throw new Error("it must export a function prepare(parameters, files)");
  return {
    spec: checked,
    prepare: (parameters, files) => {
      const run: unknown = prepare(parameters, files);
      if (typeof run !== "function") refuseInput(checked.name, "its prepare gives no function");
      return async (inputs) => checkedOutputs(checked, await (run as Prepared)(inputs));
    },
  };
}

/** What strangers' code gives is checked before other stages build on it. @throws INPUT_INVALID */
function checkedOutputs({ name, outputs }: OperatorSpec, given: unknown): Record<string, Value> {
  const values = (typeof given === "object" && given !== null ? given : {}) as Record<string, Value>;
  return Object.fromEntries(
    Object.entries(outputs).map(([port, { type }]) => {
      const value = values[port];
      if (typeof value?.kind !== "string") refuseInput(name, `its output ${port} is no value`);
      try {
        if (value.kind !== "none") checkValue(value, parseType(type), port);
      } catch (error) {
        refuseInput(name, `its output ${SkeinError.from(error).facts.reason}`, error);
      }
      return [port, value];
    }),
  );
}
