/** Models on a stick: written out of one fleet, read into another, with no network between them. */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import {
  checkManifest,
  type ModelFile,
  type ModelManifest,
  modelReference,
  modelStatement,
} from "../../../shared/model.ts";
import { writeWhole } from "../files.ts";
import { digestOf } from "../inputs.ts";
import type { SteadyClient } from "../steady-client.ts";

/** Lies beside `files`, so that no file of a model can take its place. Written last: a folder without it is no model. */
const MANIFEST = "manifest.json";
const FILES = "files";

export interface Exported {
  model: string;
  folder: string;
  /** It was there, whole. */
  existing: boolean;
}

/** A model in a folder, as it was exported. */
export interface FoundModel {
  folder: string;
  manifest: ModelManifest;
}

/** Into a folder of its own in `dir`, so that a stick takes several. @throws MODEL_UNKNOWN, BAD_REQUEST, BLOB_MISSING, DISK_FULL */
export async function exportModel(client: SteadyClient, model: string, dir: string): Promise<Exported> {
  const { manifest } = await client.call((one) => one.model(model));
  const reference = modelReference(manifest);
  const folder = join(resolve(dir), `${manifest.name}-${manifest.version}`);
  if (await isThere(join(folder, MANIFEST))) {
    const found = await readFound(folder);
    const isSame = digestOfModel(found.manifest) === digestOfModel(manifest);
    if (isSame && (await faultOf(found)) === undefined) return { model: reference, folder, existing: true };
    throw new SkeinError("BAD_REQUEST", { reason: `${folder} holds something else; delete it, or export elsewhere` });
  }
  for (const file of manifest.files) await fetchFile(client, file, join(folder, FILES, ...file.path.split("/")));
  await writeWhole(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  return { model: reference, folder, existing: false };
}

/** @throws BLOB_HASH_MISMATCH, and then the file is gone again */
async function fetchFile(client: SteadyClient, { blob, bytes }: ModelFile, at: string): Promise<void> {
  await mkdir(dirname(at), { recursive: true });
  try {
    await client.call(async (one) => {
      const digest = createHash("sha256");
      const file = await open(at, "w");
      try {
        let taken = 0;
        for await (const chunk of one.streamBlob(blob)) {
          taken += chunk.length;
          if (taken > bytes) break;
          digest.update(chunk);
          await file.writeFile(chunk);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      const actual = digest.digest("hex");
      if (actual !== blob) throw new SkeinError("BLOB_HASH_MISMATCH", { expected: blob, actual });
    });
  } catch (error) {
    await rm(at, { force: true });
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    throw new SkeinError("DISK_FULL", { path: dirname(at), freeBytes: 0 }, { cause: error });
  }
}

/**
 * The model that a folder is, or those that the folders in it are. Nothing of what is found is believed yet but its form.
 * @throws FOLDER_MISSING, BAD_REQUEST
 */
export async function findModels(dir: string): Promise<FoundModel[]> {
  const root = resolve(dir);
  if (await isThere(join(root, MANIFEST))) return [await readFound(root)];
  const entries = await readdir(root, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw new SkeinError("FOLDER_MISSING", { path: dir });
    throw error;
  });
  const found: FoundModel[] = [];
  for (const entry of entries.filter((one) => one.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1)))
    if (await isThere(join(root, entry.name, MANIFEST))) found.push(await readFound(join(root, entry.name)));
  if (found.length > 0) return found;
  const reason = `${dir} holds no exported model: there is no ${MANIFEST}, neither in it nor in a folder in it`;
  throw new SkeinError("BAD_REQUEST", { reason });
}

async function readFound(folder: string): Promise<FoundModel> {
  const path = join(folder, MANIFEST);
  const { size } = await stat(path);
  if (size > 2 * LIMITS.manifestBytesMax)
    throw new SkeinError("TOO_LARGE", { what: path, actual: `${size} bytes`, limit: `${2 * LIMITS.manifestBytesMax}` });
  try {
    return { folder, manifest: checkManifest(JSON.parse(await readFile(path, "utf8"))) };
  } catch (error) {
    const because = error instanceof SkeinError ? String(error.facts.reason) : (error as Error).message;
    throw new SkeinError("BAD_REQUEST", { reason: `${path} is no manifest: ${because}` }, { cause: error });
  }
}

/** What of a model's files is not as its manifest says, in words; undefined if all is. */
export async function faultOf({ folder, manifest }: FoundModel): Promise<string | undefined> {
  for (const { path, blob, bytes } of manifest.files) {
    const at = placeOf(folder, path);
    const inside = await realpath(at).catch(() => undefined);
    if (inside === undefined) return `${path} is missing in ${join(folder, FILES)}`;
    if (!inside.startsWith((await realpath(join(folder, FILES))) + sep))
      return `${path} is a symbolic link that leads out of ${folder}`;
    const { size } = await stat(at);
    if (size !== bytes) return `${at} has ${size} bytes, and its manifest says ${bytes}; copy it anew`;
    const actual = await digestOf(at, LIMITS.blobBytesMax);
    if (actual.blob !== blob)
      return `${at} has SHA-256 ${actual.blob.slice(0, 16)}..., and its manifest says ${blob.slice(0, 16)}...; copy it anew`;
  }
  return undefined;
}

export const placeOf = (folder: string, path: string): string => join(folder, FILES, ...path.split("/"));

export const digestOfModel = (manifest: ModelManifest): BlobHash =>
  createHash("sha256").update(modelStatement(manifest)).digest("hex") as BlobHash;

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    (kind) => kind.isFile(),
    () => false,
  );
