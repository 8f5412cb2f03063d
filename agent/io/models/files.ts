import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkModelPath } from "../../../shared/model.ts";
import type { FileToPlace } from "../../ports/index.ts";

/** @throws BAD_REQUEST for a path that leaves the folder, is there twice, or is a folder of another. */
export function checkFiles(files: readonly FileToPlace[]): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    checkModelPath(path, "path");
    if (paths.has(path)) throw new SkeinError("BAD_REQUEST", { reason: `${path} is there twice` });
    paths.add(path);
  }
  for (const folder of foldersOf(files))
    if (paths.has(folder)) throw new SkeinError("BAD_REQUEST", { reason: `${folder} is a file and a folder` });
}

/** Those below the model's own, deepest first: as their names are made durable. */
export function foldersOf(files: readonly FileToPlace[]): string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join("/"));
  }
  return [...folders].sort((a, b) => b.split("/").length - a.split("/").length);
}

/** Where a checked path is. Checked once more by the system's own reading of it, since this is where it would do harm. */
export function placeOf(folder: string, path: string): string {
  const place = resolve(folder, ...path.split("/"));
  if (!place.startsWith(resolve(folder) + sep))
    throw new SkeinError("BAD_REQUEST", { reason: `${JSON.stringify(path)} leaves the model's folder` });
  return place;
}

/** Hashed while it is written, and durable. @throws BLOB_HASH_MISMATCH, and what the source throws */
export async function writeFile(place: string, { path, sha256, bytes, read }: FileToPlace): Promise<void> {
  const digest = createHash("sha256");
  let taken = 0;
  const file = await open(place, "wx", 0o644);
  try {
    for await (const chunk of read()) {
      taken += chunk.length;
      if (taken > bytes) break;
      digest.update(chunk);
      await file.writeFile(chunk);
    }
    if (taken !== bytes)
      throw mismatch(
        sha256,
        `${taken > bytes ? "more than " : ""}${Math.min(taken, bytes)} bytes of ${path}, not ${bytes}`,
      );
    const actual = digest.digest("hex");
    if (actual !== sha256) throw mismatch(sha256, actual);
    await file.sync();
  } finally {
    await file.close();
  }
}

const mismatch = (expected: string, actual: string): SkeinError =>
  new SkeinError("BLOB_HASH_MISMATCH", { expected, actual });

/** What keeps the folder from being these files and no others; undefined if nothing does. A disk that cannot be read is a fault too. */
export async function faultOf(folder: string, files: readonly FileToPlace[]): Promise<string | undefined> {
  try {
    const names = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join("/"));
    const expected = new Set([...files.map(({ path }) => path), ...foldersOf(files)]);
    const stranger = names.find((name) => !expected.has(name));
    if (stranger !== undefined) return `${stranger} is not of this model`;
    for (const { path, sha256, bytes } of files) {
      const place = placeOf(folder, path);
      if ((await stat(place)).size !== bytes) return `${path} has another size`;
      const digest = createHash("sha256");
      for await (const chunk of createReadStream(place, { highWaterMark: LIMITS.bulkChunkBytes })) digest.update(chunk);
      if (digest.digest("hex") !== sha256) return `${path} has other bytes`;
    }
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A new name is durable only when the folder that holds it is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
