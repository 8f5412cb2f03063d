import { SkeinError } from "../../../shared/errors.ts";
import { checkModelPath, type ModelFile } from "../../../shared/model.ts";
import { besideGraph, graphsOf, sortFiles } from "../../../shared/model-files.ts";
import type { OfferedFile } from "../../../shared/model-registry.ts";
import { externalDataOf } from "../../../shared/onnx-outline.ts";
import type { Surroundings } from "../surroundings.ts";
import { readRange } from "./range.ts";

/**
 * What each file is for, in the order of their paths: by what was said, by their names, and by which files the graphs name.
 * @throws MODEL_REFUSED for what is no ONNX, and with the file that is missing; BAD_REQUEST for no graph or several
 */
export async function readFiles(
  world: Surroundings,
  model: string,
  files: readonly OfferedFile[],
): Promise<{ files: ModelFile[]; graphs: ModelFile[] }> {
  const chosen = graphsOf(files);
  const weights = new Set<string>();
  for (const graph of [chosen.graph, ...(chosen.int8 === undefined ? [] : [chosen.int8])])
    for (const path of await weightsOf(world, model, files, graph)) weights.add(path);
  const sorted = sortFiles(files, chosen, weights).sort((a, b) => (a.path < b.path ? -1 : 1));
  const graphs = sorted.filter(({ use }) => use === "graph" || use === "int8");
  // The one that is always run is examined first.
  return { files: sorted, graphs: graphs.sort((a) => (a.use === "graph" ? -1 : 1)) };
}

async function weightsOf(
  world: Surroundings,
  model: string,
  files: readonly OfferedFile[],
  graph: string,
): Promise<string[]> {
  const refuse = (reason: string): never => {
    throw new SkeinError("MODEL_REFUSED", { model, reason });
  };
  const { blob, bytes } = files.find(({ path }) => path === graph)!;
  const read = (offset: number, length: number): Promise<Uint8Array> => readRange(world, blob, offset, length);
  const locations = (await externalDataOf(read, bytes)) ?? refuse(`${graph} is not an ONNX file`);
  return locations.map((location) => {
    const path = besideGraph(graph, location);
    if (!staysInside(path)) refuse(`${graph} names a file outside its folder: ${JSON.stringify(location)}`);
    if (!files.some((file) => file.path === path)) refuse(`${graph} needs ${path}, which is not among its files`);
    return path;
  });
}

function staysInside(path: string): boolean {
  try {
    return checkModelPath(path, "location") === path;
  } catch {
    return false;
  }
}
