import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import type { DatasetView } from "../../../shared/fitting/dataset.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Trainer } from "./trainer.ts";

const ENDING = ".jsonl";
const COMING = ".coming";

/** Each data set is one file of JSON lines, there whole or not at all. */
export class Datasets {
  readonly #folder: string;
  /** Reads them: a long one would hold the agent's own thread up for seconds. */
  readonly #trainer: Trainer;
  readonly #known = new Map<string, DatasetView>();

  private constructor(folder: string, trainer: Trainer) {
    this.#folder = folder;
    this.#trainer = trainer;
  }

  /** What was being taken in when the agent ended is thrown away. */
  static async open(folder: string, trainer: Trainer): Promise<Datasets> {
    await mkdir(folder, { recursive: true });
    for (const file of await readdir(folder)) if (file.endsWith(COMING)) await rm(join(folder, file));
    return new Datasets(folder, trainer);
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
      const view = await this.#read(name, coming);
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

  /** One after the other: there may be more than may wait for the thread. */
  async list(): Promise<DatasetView[]> {
    const views: DatasetView[] = [];
    for (const name of (await this.names()).sort()) views.push(await this.#view(name));
    return views;
  }

  async #view(name: string): Promise<DatasetView> {
    const known = this.#known.get(name) ?? (await this.#read(name, this.pathOf(name)));
    this.#known.set(name, known);
    return known;
  }

  async #read(name: string, path: string): Promise<DatasetView> {
    return this.#trainer.view(name, path, (await stat(path)).mtimeMs);
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
