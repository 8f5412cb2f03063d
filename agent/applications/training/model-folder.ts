/** Writes a model as `skein model add` takes it: a folder with the graph and the files beside it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WordTable } from "../../../shared/text/ngrams.ts";
import { type GraphDraft, graphFiles } from "./onnx.ts";

/** `files` by name: texts as they are written. Gives the bytes of the graph. */
export async function writeModelFolder(
  folder: string,
  draft: GraphDraft,
  files: Readonly<Record<string, string>>,
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const graph = graphFiles(draft).get("model.onnx")!;
  await writeFile(join(folder, "model.onnx"), graph);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return graph.length;
}

/** As readVocabulary reads it. */
export const vocabularyText = ({ words, buckets, wordNgrams, letterNgrams }: WordTable): string =>
  `${JSON.stringify({ buckets, wordNgrams, letterNgrams, words })}\n`;

export const linesText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
