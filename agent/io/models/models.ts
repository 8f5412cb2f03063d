import { mkdir, readdir, rename, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { FileToPlace, ModelFolders, Telemetry } from "../../ports/index.ts";
import { checkFiles, faultOf, foldersOf, placeOf, syncFolder, writeFile } from "./files.ts";

export interface ModelFoldersDeps {
  telemetry: Telemetry;
  /** Whether the disk counts as full, whatever is free: a drill's. */
  isFull?: () => boolean;
}

/** What is being written, and what is being removed: no model, and gone at the next start. */
const INCOMING = "incoming";

/** Opens the models in the folder `path`, making it if it is not there. What a crash left half-done goes. */
export async function openModelFolders(path: string, deps: ModelFoldersDeps): Promise<ModelFolders> {
  await mkdir(path, { recursive: true });
  await syncFolder(dirname(path));
  await rm(join(path, INCOMING), { recursive: true, force: true });
  await mkdir(join(path, INCOMING));
  return new DiskModels(path, deps);
}

/**
 * A folder gets its name when all files in it are durable, and loses it before the first is removed: a name means a whole
 * model. What changes folders goes one after the other.
 */
class DiskModels implements ModelFolders {
  readonly #path: string;
  readonly #deps: ModelFoldersDeps;
  /** Written or read back in this life. */
  readonly #sound = new Set<BlobHash>();
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(path: string, deps: ModelFoldersDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  place(digest: BlobHash, files: FileToPlace[]): Promise<string> {
    return this.#alone(async () => {
      const folder = this.#folderOf(digest);
      checkFiles(files);
      if (await this.#isThere(digest, files)) return folder;
      await this.#checkSpace(files);
      const draft = join(this.#path, INCOMING, String(this.#count++));
      try {
        await this.#write(draft, files);
        await rename(draft, folder);
        await syncFolder(this.#path);
      } catch (error) {
        await rm(draft, { recursive: true, force: true });
        throw (error as NodeJS.ErrnoException).code === "ENOSPC" ? await this.#diskFull(error) : error;
      }
      this.#sound.add(digest);
      return folder;
    });
  }

  async folderOf(digest: BlobHash): Promise<string | undefined> {
    const folder = this.#folderOf(digest);
    return (await this.list()).includes(digest) ? folder : undefined;
  }

  remove(digest: BlobHash): Promise<void> {
    return this.#alone(async () => {
      if ((await this.folderOf(digest)) !== undefined) await this.#remove(digest);
    });
  }

  async list(): Promise<BlobHash[]> {
    return (await readdir(this.#path)).filter(isBlobHash).sort();
  }

  /** Once a life what an earlier one wrote is read back: a graph with one bit changed loads, and computes something else. */
  async #isThere(digest: BlobHash, files: FileToPlace[]): Promise<boolean> {
    if ((await this.folderOf(digest)) === undefined) return false;
    if (this.#sound.has(digest)) return true;
    const fault = await faultOf(this.#folderOf(digest), files);
    if (fault === undefined) {
      this.#sound.add(digest);
      return true;
    }
    this.#deps.telemetry.log("warn", "modelFolderDamaged", { digest, fault });
    await this.#remove(digest);
    return false;
  }

  async #write(draft: string, files: FileToPlace[]): Promise<void> {
    await mkdir(draft);
    const folders = foldersOf(files).map((folder) => placeOf(draft, folder));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    for (const file of files) await writeFile(placeOf(draft, file.path), file);
    for (const folder of [...folders, draft]) await syncFolder(folder);
  }

  async #remove(digest: BlobHash): Promise<void> {
    this.#sound.delete(digest);
    const gone = join(this.#path, INCOMING, String(this.#count++));
    await rename(this.#folderOf(digest), gone);
    await syncFolder(this.#path);
    await rm(gone, { recursive: true, force: true });
  }

  /** The digest is checked: it may come from a peer, and is a part of a path here. */
  #folderOf(digest: BlobHash): string {
    if (!isBlobHash(digest)) throw new SkeinError("BAD_REQUEST", { reason: "a model's digest is a SHA-256" });
    return join(this.#path, digest);
  }

  async #checkSpace(files: readonly FileToPlace[]): Promise<void> {
    const wanted = files.reduce((sum, { bytes }) => sum + bytes, 0);
    if ((await this.#freeBytes()) - wanted < LIMITS.diskFreeBytesMin) throw await this.#diskFull();
  }

  async #freeBytes(): Promise<number> {
    if (this.#deps.isFull?.()) return 0;
    const { bavail, bsize } = await statfs(this.#path);
    return bavail * bsize;
  }

  async #diskFull(cause?: unknown): Promise<SkeinError> {
    return new SkeinError("DISK_FULL", { path: this.#path, freeBytes: await this.#freeBytes() }, { cause });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
