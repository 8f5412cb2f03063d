/** From what a person names (a graph, a folder) to the files of a model. */
import { lstat, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { refuse } from "../../../shared/checks.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkModelName, checkModelPath, checkPathsApart } from "../../../shared/model.ts";
import {
  besideGraph,
  graphsOf,
  isOnnxPath,
  type ModelFileUse,
  modelNameFrom,
  sortFiles,
  type UnsortedFile,
} from "../../../shared/model-files.ts";
import { externalDataOf } from "../../../shared/onnx-outline.ts";
import { packagedFiles } from "../../io/models/index.ts";

/** A file of a model, and where it is on this disk. */
export interface LocalModelFile extends UnsortedFile {
  use: ModelFileUse;
  at: string;
}

export interface LocalModel {
  name: string;
  files: LocalModelFile[];
}

type Found = UnsortedFile & { at: string };

/**
 * A folder is a model with all that is in it, but for names that begin with a dot, or with the files of an npm package that
 * its model.json names; a file is a graph, and the files that it names come with it. Nothing else is followed out of the folder.
 * @throws FOLDER_MISSING, NO_INPUTS, TOO_LARGE, BAD_REQUEST; MODEL_REFUSED for what is no ONNX, or names a file that is not there
 */
export async function gatherModel(named: string, wishedName: string | undefined): Promise<LocalModel> {
  const path = resolve(named);
  const isFolder = (await kindOf(path, named)).isDirectory();
  const name = nameOf(path, isFolder, wishedName);
  if (!isFolder) return { name, files: await graphAlone(name, path) };
  const found = (await packagedFiles(path)) ?? (await filesIn(path, ""));
  if (!found.some((file) => isOnnxPath(file.path))) throw new SkeinError("NO_INPUTS", { where: named, what: "ONNX" });
  checkPathsApart(found.map((file) => file.path));
  const chosen = graphsOf(found);
  const weights: string[] = [];
  for (const graph of [chosen.graph, ...(chosen.int8 === undefined ? [] : [chosen.int8])]) {
    const { at } = found.find((file) => file.path === graph)!;
    const needed = await weightsOf(name, at, graph);
    weights.push(...needed);
    const missing = needed.find((one) => !found.some((file) => file.path === one));
    if (missing !== undefined) throw refused(name, `${graph} needs ${missing}, which is not in ${named}`);
  }
  return { name, files: sortFiles(found, chosen, new Set(weights)) };
}

async function kindOf(path: string, named: string) {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw new SkeinError("FOLDER_MISSING", { path: named });
    throw error;
  });
}

/** `model.onnx` says nothing, so its folder's name is taken. @throws BAD_REQUEST */
function nameOf(path: string, isFolder: boolean, wished: string | undefined): string {
  if (wished !== undefined) return checkModelName(wished, "--name");
  const own = modelNameFrom(path);
  const name = !isFolder && own === "model" ? modelNameFrom(dirname(path)) : own;
  if (name === "") refuse("--name", `is needed: ${JSON.stringify(basename(path))} gives none`);
  return checkModelName(name, "--name");
}

async function graphAlone(name: string, path: string): Promise<LocalModelFile[]> {
  const graph = basename(path);
  const { size } = await stat(path);
  const files: LocalModelFile[] = [
    { path: checkModelPath(graph, "the file's name"), at: path, bytes: size, use: "graph" },
  ];
  for (const weights of await weightsOf(name, path, graph)) {
    const bytes = await bytesBeside(dirname(path), weights);
    if (bytes === undefined) throw refused(name, `${graph} needs ${weights}, which is not beside it`);
    files.push({ path: weights, at: join(dirname(path), weights), bytes, use: "weights" });
  }
  return files;
}

/** Undefined if it is not there. @throws BAD_REQUEST for what a link on the way leads to */
async function bytesBeside(folder: string, path: string): Promise<number | undefined> {
  const parts = path.split("/");
  let bytes: number | undefined;
  for (let depth = 1; depth <= parts.length; depth++) {
    const kind = await lstat(join(folder, ...parts.slice(0, depth))).catch(() => undefined);
    if (kind?.isSymbolicLink()) throw linked(path);
    bytes = kind?.isFile() ? kind.size : undefined;
  }
  return bytes;
}

const linked = (path: string): SkeinError =>
  new SkeinError("BAD_REQUEST", {
    reason: `${path} is a symbolic link, which may lead anywhere; put the file itself in its place`,
  });
const refused = (model: string, reason: string): SkeinError => new SkeinError("MODEL_REFUSED", { model, reason });

/** Every file below the folder; `within` is the part of the path that goes before. */
async function filesIn(folder: string, within: string): Promise<Found[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: Found[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // A name that begins with a dot is a repository's, or a leftover of another system.
    if (entry.name.startsWith(".")) continue;
    const [at, path] = [join(folder, entry.name), within + entry.name];
    if (entry.isSymbolicLink()) throw linked(path);
    if (entry.isDirectory()) found.push(...(await filesIn(at, `${path}/`)));
    else if (entry.isFile()) found.push({ path: checkModelPath(path, path), at, bytes: (await stat(at)).size });
    else throw new SkeinError("BAD_REQUEST", { reason: `${path} is neither a file nor a folder` });
    if (found.length > LIMITS.modelFilesMax) {
      const actual = `over ${LIMITS.modelFilesMax} files`;
      throw new SkeinError("TOO_LARGE", { what: "The model", actual, limit: `${LIMITS.modelFilesMax} files` });
    }
  }
  return found;
}

/** Files that a graph names, from the model's folder. @throws MODEL_REFUSED */
async function weightsOf(model: string, at: string, graph: string): Promise<string[]> {
  const file = await open(at);
  try {
    const { size } = await file.stat();
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const locations = await externalDataOf(read, size);
    if (!locations) throw refused(model, `${graph} is not an ONNX file`);
    return locations.map((location) => {
      const path = besideGraph(graph, location);
      try {
        return checkModelPath(path, "its weights");
      } catch {
        throw refused(model, `${graph} names a file outside its folder: ${JSON.stringify(location)}`);
      }
    });
  } finally {
    await file.close();
  }
}
