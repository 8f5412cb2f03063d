import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { BlobHash } from "../../../shared/ids.ts";
import type { LocalInput } from "../inputs.ts";
import { packageRoot } from "./local-fleet.ts";

export interface SamplePage extends LocalInput {
  /** The exact text of the page. */
  truth: string;
}

/** The bundled pages, `rounds` times over: a dozen pages end too soon to pull a plug in the middle. */
export async function samplePages(rounds: number): Promise<SamplePage[]> {
  const folder = join(packageRoot(), "agent", "samples", "pages");
  const images = (await readdir(folder)).filter((file) => !file.endsWith(".txt")).sort();
  const pages = await Promise.all(
    images.map(async (file) => {
      const path = join(folder, file);
      const bytes = await readFile(path);
      const truth = await readFile(join(folder, `${file.slice(0, -extname(file).length)}.txt`), "utf8");
      return {
        file,
        path,
        bytes: bytes.length,
        blob: createHash("sha256").update(bytes).digest("hex") as BlobHash,
        truth,
      };
    }),
  );
  return Array.from({ length: rounds }, (_, round) =>
    pages.map((page) => ({ ...page, name: `round-${round + 1}-${page.file}` })),
  ).flat();
}
