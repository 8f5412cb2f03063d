/** From what a person names (tables, folders, files) to the items of a job over a pipeline. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, parse, resolve } from "node:path";
import { checkFileName } from "../../../shared/checks.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { writeItem } from "../../../shared/pipeline/item.ts";
import { parseType } from "../../../shared/pipeline/types.ts";
import { inParallel } from "../in-parallel.ts";
import { digestOf, FILES_AT_ONCE, filesAt, type LocalInput, namesFor } from "../inputs.ts";
import { itemsOfCsv } from "./csv.ts";
import { type GivenItem, type GivenTable, InputFaults, type PipelineInput, triedAt } from "./given.ts";
import { itemOfJson, itemsOfJsonLines } from "./json-lines.ts";
import { valuesOf } from "./values.ts";

/** What a folder gives where an item is a file, in words too; one without such files gives its tables. */
export interface FilesTaken {
  takes: RegExp;
  says: string;
}

const TABLE = /\.(csv|jsonl|ndjson)$/i;
/** Of bytes: all but what lies beside data to describe it, as the text of a page does. */
const BYTES: FilesTaken = { takes: /^(?!.*\.(csv|jsonl|ndjson|md|txt|ya?ml)$)/i, says: "binary" };
const JSON_FILES: FilesTaken = { takes: /\.json$/i, says: "JSON" };

export function filesTaken(inputs: readonly PipelineInput[]): FilesTaken {
  const [only, ...others] = inputs;
  if (!only || others.length > 0) return JSON_FILES;
  const { kind } = parseType(only.type);
  if (kind === "bytes" || kind === "any") return BYTES;
  if (kind === "text") return { takes: /\.txt$/i, says: "TXT" };
  return kind === "tensor" ? { takes: /\.(json|bin)$/i, says: "JSON or BIN" } : JSON_FILES;
}

/** @throws FOLDER_MISSING, NO_INPUTS, TOO_LARGE, INPUTS_INVALID with every fault, its file and line */
export async function gatherItems(named: readonly string[], inputs: readonly PipelineInput[]): Promise<LocalInput[]> {
  const { takes, says } = filesTaken(inputs);
  const perName = await inParallel(named, FILES_AT_ONCE, async (one) => {
    const files = (await filesAt(one, takes)).map((path) => ({ path, isNamed: resolve(one) === path, named: one }));
    if (files.length > 0) return files;
    // A folder of tables alone: there is nothing else in it that could be meant.
    return (await filesAt(one, TABLE)).map((path) => ({ path, isNamed: true, named: join(one, basename(path)) }));
  });
  const files = [...new Map(perName.flat().map((file) => [file.path, file])).values()];
  if (files.length === 0) {
    const what = `${says}, CSV or JSONL`;
    throw new SkeinError("NO_INPUTS", { where: named.join(", "), what });
  }
  const faults = new InputFaults();
  const isTable = ({ path, isNamed }: (typeof files)[number]): boolean =>
    (isNamed && TABLE.test(path)) || (inputs.length > 1 && JSON_FILES.takes.test(path));
  const tables: GivenTable[] = [];
  for (const file of files.filter(isTable)) tables.push(await readTable(file.path, file.named, inputs, faults));
  faults.end();
  const whole = files.filter((file) => !isTable(file));
  if (inputs.length > 1)
    for (const { path } of whole)
      faults.add(path, `is no .csv, .jsonl or .json, and the pipeline takes ${listed(inputs)}`);
  faults.end();
  const count = whole.length + tables.reduce((sum, { items }) => sum + items.length, 0);
  if (count > LIMITS.jobItemsMax) {
    const limit = `${LIMITS.jobItemsMax} items; split what you hand in`;
    throw new SkeinError("TOO_LARGE", { what: "The job", actual: `${count} items`, limit });
  }
  const items = [...(await wholeFiles(whole.map(({ path }) => path))), ...(await itemsOf(tables, inputs, faults))];
  nameOnce(items, faults);
  faults.end();
  return items.map(({ place: _, ...item }) => item);
}

const listed = (inputs: readonly PipelineInput[]): string => inputs.map(({ name }) => name).join(" and ");

async function readTable(
  path: string,
  named: string,
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): Promise<GivenTable> {
  const table = { file: named, folder: dirname(path) };
  const { size } = await stat(path);
  if (size > LIMITS.tableBytesMax) {
    const [actual, limit] = [`${size} bytes`, `${LIMITS.tableBytesMax} bytes`];
    throw new SkeinError("TOO_LARGE", { what: named, actual, limit });
  }
  const text = utf8(await readFile(path));
  if (text === undefined) {
    faults.add(named, "is not text in UTF-8; save it as UTF-8");
    return { ...table, items: [] };
  }
  const ending = extname(path).toLowerCase();
  if (ending === ".csv") return { ...table, items: itemsOfCsv(named, text, inputs, faults) };
  if (ending !== ".json") return { ...table, items: itemsOfJsonLines(named, text, inputs, faults) };
  const item = itemOfJson(path, text, inputs, faults);
  return { ...table, items: item ? [{ name: parse(path).name, ...item }] : [] };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** With the place in what was handed in. */
type PlacedInput = LocalInput & { place: string };

async function wholeFiles(paths: readonly string[]): Promise<PlacedInput[]> {
  const names = namesFor(paths);
  return inParallel(paths, FILES_AT_ONCE, async (path, i) => ({
    ...{ name: names[i]!, path, place: path },
    ...(await digestOf(path, LIMITS.imageBytesMax)),
  }));
}

async function itemsOf(
  tables: readonly GivenTable[],
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): Promise<PlacedInput[]> {
  const given = tables.flatMap((table) => table.items.map((item, row) => ({ table, item, row })));
  const made = await inParallel(given, FILES_AT_ONCE, async ({ table, item, row }) => {
    // Made anew when it is sent: items with files in them are large, and there may be thousands.
    const content = async (): Promise<Uint8Array> => writeItem([...inputs], await valuesOf(item, inputs, table.folder));
    const name = itemName(table, item, row, tables.length > 1);
    return triedAt(item.place, async (): Promise<PlacedInput> => {
      checkFileName(name, "its name", LIMITS.nameBytesMax);
      const bytes = await content();
      const blob = createHash("sha256").update(bytes).digest("hex") as BlobHash;
      return { name, path: item.place, place: item.place, bytes: bytes.length, blob, content };
    });
  });
  for (const one of made) if ("reason" in one) faults.add(one.place, one.reason);
  return made.filter((one): one is PlacedInput => !("reason" in one));
}

/** By its own name, else by its row: padded, so that files of results sort as the rows do. */
function itemName({ file, items }: GivenTable, item: GivenItem, row: number, isOneOfSeveral: boolean): string {
  if (item.name !== undefined) return item.name;
  const number = String(row + 1).padStart(String(items.length).length, "0");
  return isOneOfSeveral ? `${parse(basename(file)).name}-${number}` : number;
}

function nameOnce(items: readonly PlacedInput[], faults: InputFaults): void {
  const places = new Map<string, string>();
  for (const { name, place } of items) {
    const before = places.get(name);
    if (before === undefined) places.set(name, place);
    else faults.add(place, `is called ${JSON.stringify(name)}, as ${before} is; results are told apart by their names`);
  }
}
