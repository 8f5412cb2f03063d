import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SkeinError } from "../../shared/errors.ts";

/**
 * Writes a file so that anyone who reads it, after a power cut too, finds the old content or the new and nothing between:
 * a temporary file beside it, fsync, rename, fsync of the folder. @throws DISK_FULL
 */
export async function writeWhole(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(draft, "w", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    throw new SkeinError("DISK_FULL", { path: dirname(path), freeBytes: 0 }, { cause: error });
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
