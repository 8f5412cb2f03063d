import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { type DatasetRow, type DatasetView, readRow } from "../../../shared/fitting/dataset.ts";
import { LIMITS } from "../../../shared/limits.ts";

const ENDING = ".jsonl";
const COMING = ".coming";

/** Each data set is one file of JSON lines, there whole or not at all. */
export class Datasets {
  readonly #folder: string;
  readonly #known = new Map<string, DatasetView>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** What was being taken in when the agent ended is thrown away. */
  static async open(folder: string): Promise<Datasets> {
    await mkdir(folder, { recursive: true });
    for (const file of await readdir(folder)) if (file.endsWith(COMING)) await rm(join(folder, file));
    return new Datasets(folder);
  }

  pathOf(name: string): string {
    return join(this.#folder, `${name}${ENDING}`);
  }

  async names(): Promise<string[]> {
    const files = await readdir(this.#folder);
    return files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
  }

  /** @throws BAD_REQUEST, TOO_LARGE, DISK_FULL */
  async put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView> {
    const names = await this.names();
    if (!names.includes(name) && names.length >= LIMITS.datasetsMax)
      throw new SkeinError("TOO_LARGE", {
        what: "the number of data sets",
        actual: names.length + 1,
        limit: LIMITS.datasetsMax,
      });
    const coming = `${this.pathOf(name)}${COMING}`;
    try {
      await writeAll(coming, chunks);
      const view = viewOf(name, readRows(await readFile(coming, "utf8")));
      await rename(coming, this.pathOf(name));
      this.#known.set(name, view);
      return view;
    } catch (error) {
      await rm(coming, { force: true });
      if ((error as NodeJS.ErrnoException).code === "ENOSPC")
        throw new SkeinError("DISK_FULL", { path: this.#folder }, { cause: error });
      throw error;
    }
  }

  async view(name: string): Promise<DatasetView> {
    const known = this.#known.get(name) ?? viewOf(name, readRows(await readFile(this.pathOf(name), "utf8")));
    this.#known.set(name, known);
    return known;
  }

  async remove(name: string): Promise<boolean> {
    this.#known.delete(name);
    const isThere = (await this.names()).includes(name);
    await rm(this.pathOf(name), { force: true });
    return isThere;
  }
}

async function writeAll(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > LIMITS.datasetBytesMax)
        throw new SkeinError("TOO_LARGE", { what: "The data set", actual: bytes, limit: LIMITS.datasetBytesMax });
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @throws BAD_REQUEST with the line, TOO_LARGE */
export function readRows(text: string): DatasetRow[] {
  const rows: DatasetRow[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    const trimmed = line.trim();
    if (trimmed === "") continue;
    const row = readRow(trimmed, number);
    const wanted = rows[0]?.vector.length ?? row.vector.length;
    if (row.vector.length !== wanted)
      throw new SkeinError("BAD_REQUEST", {
        reason: `line ${number}, vector has ${row.vector.length} numbers, the first row's ${wanted}`,
      });
    if (rows.push(row) > LIMITS.datasetRowsMax)
      throw new SkeinError("TOO_LARGE", { what: "the number of rows", actual: number, limit: LIMITS.datasetRowsMax });
  }
  if (rows.length === 0) throw new SkeinError("BAD_REQUEST", { reason: "the data set has no row" });
  return rows;
}

const viewOf = (name: string, rows: readonly DatasetRow[]): DatasetView => ({
  name,
  rows: rows.length,
  dimensions: rows[0]!.vector.length,
  labels: [...new Set(rows.map(({ label }) => label))].sort(),
});
