/** From what a person names (folders, files) to the inputs of a job. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { filesOf } from "../../shared/pipelines.ts";
import { inParallel } from "./in-parallel.ts";

/** One file to be read. */
export interface LocalInput {
  /** Unique within the job; a plain file name. */
  name: string;
  path: string;
  bytes: number;
  blob: BlobHash;
  /** Where it is no file as it lies on the disk: makes the same bytes each time. */
  content?: () => Promise<Uint8Array>;
}

/** `page 2` before `page 10`, as a person would put them; the locale is fixed so that every box sorts alike. */
const natural = new Intl.Collator("en", { numeric: true });
/** Files hashed or sent at once: enough to keep a disk and a link busy. */
export const FILES_AT_ONCE = 4;

/**
 * Folders give the files that the pipeline takes, in natural order, without looking into folders within; a file that is named itself is taken
 * whatever it is called. Files are hashed here, so that one that is there already need not be sent.
 * @throws FOLDER_MISSING, NO_INPUTS, TOO_LARGE
 */
export async function gatherInputs(named: readonly string[], pipeline: string): Promise<LocalInput[]> {
  const { takes, says } = filesOf(pipeline);
  const paths = (await Promise.all(named.map((one) => filesAt(one, takes)))).flat();
  const unique = [...new Set(paths)];
  if (unique.length === 0) throw new SkeinError("NO_INPUTS", { where: named.join(", "), what: says });
  if (unique.length > LIMITS.jobItemsMax) {
    const actual = `${unique.length} files`;
    throw new SkeinError("TOO_LARGE", { what: "The job", actual, limit: `${LIMITS.jobItemsMax} files` });
  }
  const names = namesFor(unique);
  return inParallel(unique, FILES_AT_ONCE, async (path, i) => ({
    name: names[i]!,
    path,
    ...(await digestOf(path, LIMITS.imageBytesMax)),
  }));
}

/** The file, or those in the folder that are taken, in natural order. @throws FOLDER_MISSING */
export async function filesAt(named: string, takes: RegExp): Promise<string[]> {
  const path = resolve(named);
  const kind = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw new SkeinError("FOLDER_MISSING", { path: named });
    throw error;
  });
  if (!kind.isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  // A name that begins with a dot is a thumbnail or a leftover of another system.
  const files = entries.filter(
    (entry) => !entry.isDirectory() && takes.test(entry.name) && !entry.name.startsWith("."),
  );
  return files.map((entry) => join(path, entry.name)).sort((a, b) => natural.compare(basename(a), basename(b)));
}

/** The file's own name; where two folders have the same, the folder's name goes before it, and a number where that is not enough. */
export function namesFor(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(basename(path), (counts.get(basename(path)) ?? 0) + 1);
  const taken = new Set<string>();
  return paths.map((path) => {
    const own = basename(path);
    const wished = counts.get(own)! > 1 ? `${basename(dirname(path))}-${own}` : own;
    let name = wished;
    for (let n = 2; taken.has(name); n++) name = `${n}-${wished}`;
    taken.add(name);
    return name;
  });
}

/** @throws TOO_LARGE */
export async function digestOf(path: string, bytesMax: number): Promise<{ blob: BlobHash; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax)
      throw new SkeinError("TOO_LARGE", { what: path, actual: `over ${bytes} bytes`, limit: `${bytesMax} bytes` });
    hash.update(chunk);
  }
  return { blob: hash.digest("hex") as BlobHash, bytes };
}
