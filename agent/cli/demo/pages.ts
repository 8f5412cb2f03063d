import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { BlobHash } from "../../../shared/ids.ts";
import { samplePages } from "../../io/inference/index.ts";
import type { LocalInput } from "../inputs.ts";

export interface DemoPage extends LocalInput {
  /** The exact text of the page. */
  truth: string;
}

/** The bundled pages, `rounds` times over: a dozen pages end too soon to pull a plug in the middle. */
export async function demoPages(rounds: number): Promise<DemoPage[]> {
  const pages = await Promise.all(
    (await samplePages()).map(async (page) => {
      const content = await readFile(page.path);
      const blob = createHash("sha256").update(content).digest("hex") as BlobHash;
      return { ...page, bytes: content.length, blob };
    }),
  );
  const again = (round: number): DemoPage[] => pages.map((page) => ({ ...page, name: `round-${round}-${page.name}` }));
  return Array.from({ length: rounds }, (_, round) => again(round + 1)).flat();
}
