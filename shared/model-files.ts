/** What the files of a model are to it, where nobody said so; and what loading them takes. */
import { refuse } from "./checks.ts";
import type { ModelFile } from "./model.ts";

export type ModelFileUse = ModelFile["use"];

/** A file of a model before anyone said what it is for. */
export interface UnsortedFile {
  path: string;
  bytes: number;
  use?: ModelFileUse;
}

const GRAPH_NAME = "model.onnx";
const LABELS = /^(.*[._-])?(labels?|classes|class[._-]names|synset([._-]words)?)\.(txt|json|csv|names)$/i;
const TOKENIZER =
  /^(tokenizer([._-]config)?|special_tokens_map|added_tokens|vocab|merges|spiece|sentencepiece.*)\.(json|txt|model)$/i;

export const isOnnxPath = (path: string): boolean => /\.onnx$/i.test(path);
const isInt8Path = (path: string): boolean => /\.int8\.onnx$/i.test(path);
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The graphs that are run: what was said to be one; else `model.onnx`, or the only one there is; and `*.int8.onnx`. @throws BAD_REQUEST */
export function graphsOf(files: readonly UnsortedFile[]): { graph: string; int8?: string } {
  const open = files.filter(({ use, path }) => use === undefined && isOnnxPath(path)).map(({ path }) => path);
  const plain = open.filter((path) => !isInt8Path(path));
  const named = files.filter(({ use }) => use === "graph").map(({ path }) => path);
  const called = plain.filter((path) => nameOf(path) === GRAPH_NAME);
  const graphs = [named, called, plain, open].find((paths) => paths.length > 0) ?? [];
  if (graphs.length === 0) refuse("files", "have no ONNX graph among them (a file whose name ends in .onnx)");
  if (graphs.length > 1)
    refuse("files", `have several graphs (${graphs.slice(0, 4).join(", ")}); call the one to be run ${GRAPH_NAME}`);
  const graph = graphs[0]!;
  const int8Named = files.filter(({ use }) => use === "int8").map(({ path }) => path);
  const int8Open = open.filter((path) => isInt8Path(path) && path !== graph);
  const int8 = int8Named[0] ?? int8Open.find((path) => path === graph.replace(/\.onnx$/i, ".int8.onnx")) ?? int8Open[0];
  return { graph, ...(int8 !== undefined && { int8 }) };
}

/** The path of a file that a graph names, from the model's folder; as ONNX has it, it is told from the graph's own place. */
export function besideGraph(graph: string, location: string): string {
  const folder = graph.slice(0, graph.lastIndexOf("/") + 1);
  return folder + location.replace(/^(\.\/)+/, "");
}

/** Every file with its use. `weights` are the paths that a graph names. */
export function sortFiles<F extends UnsortedFile>(
  files: readonly F[],
  { graph, int8 }: { graph: string; int8?: string },
  weights: ReadonlySet<string>,
): (F & { use: ModelFileUse })[] {
  return files.map((file) => ({ ...file, use: file.use ?? useOf(file.path) }));
  function useOf(path: string): ModelFileUse {
    if (path === graph) return "graph";
    if (path === int8) return "int8";
    if (weights.has(path)) return "weights";
    if (LABELS.test(nameOf(path))) return "labels";
    return TOKENIZER.test(nameOf(path)) ? "tokenizer" : "other";
  }
}

/** A graph loaded from its path takes twice its bytes at the most, once read and once as what onnxruntime makes of them (measured). */
const LOADING_TIMES = 2;

/** Memory that loading takes at the peak: of the larger graph with all weights. What may yet turn out to be weights counts. */
export function loadingBytes(files: readonly UnsortedFile[]): number {
  const sum = (uses: (ModelFileUse | undefined)[]): number =>
    files.filter(({ use }) => uses.includes(use)).reduce((bytes, file) => bytes + file.bytes, 0);
  return LOADING_TIMES * (Math.max(sum(["graph"]), sum(["int8"])) + sum(["weights", undefined]));
}

/** What a model is called after a file or a folder; empty if nothing is left of it. */
export const modelNameFrom = (path: string): string =>
  nameOf(path)
    .replace(/\.onnx$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|[._-]+$/g, "")
    .slice(0, 64)
    .replace(/[._-]+$/, "");
