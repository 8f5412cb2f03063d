/** Before any fleet test: what one box alone makes of every page, once for all of them. */
import type { TestProject } from "vitest/node";
import { cutPages, PAGE_SETS, readAlone } from "./pages.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Output (base64) of one box alone, by the hash of the page. */
    alone: Record<string, string>;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const sets = await Promise.all(Array.from({ length: PAGE_SETS }, (_, set) => cutPages(set)));
  const alone = await readAlone(sets.flat());
  project.provide(
    "alone",
    Object.fromEntries([...alone].map(([page, output]) => [page, Buffer.from(output).toString("base64")])),
  );
}
