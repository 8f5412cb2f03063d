import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A page that comes with the project. */
export interface SamplePage {
  /** File name, e.g. `invoice.png`. */
  name: string;
  path: string;
  /** What stands on it, line by line. */
  truth: string;
}

/** The folder with package.json: sources and built files lie at different depths below it. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    if (dirname(folder) === folder) throw new Error("no package.json above the program's files");
    folder = dirname(folder);
  }
  return folder;
}

export const pagesFolder = (): string => join(packageFolder(), "agent", "samples", "pages");

/** The bundled pages, by name. */
export async function samplePages(): Promise<SamplePage[]> {
  const folder = pagesFolder();
  const names = (await readdir(folder)).filter((name) => extname(name) !== ".txt").sort();
  return Promise.all(
    names.map(async (name) => {
      const truth = await readFile(join(folder, `${basename(name, extname(name))}.txt`), "utf8");
      return { name, path: join(folder, name), truth };
    }),
  );
}
