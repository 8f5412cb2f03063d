import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What is known of a folder's histories, by file: `{ "histories": [{ "file": "a.txt", "linearizable": true }] }`. */
export async function readVerdicts(folder: string): Promise<Map<string, string>> {
  const text = await readFile(join(folder, "verdicts.json"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return '{"histories":[]}';
  });
  const { histories } = JSON.parse(text) as { histories: { file: string; linearizable: boolean }[] };
  return new Map(histories.map(({ file, linearizable }) => [file, linearizable ? "linearizable" : "not linearizable"]));
}
