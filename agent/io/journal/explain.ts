import { statfs } from "node:fs/promises";
import { SkeinError } from "../../../shared/errors.ts";
import { Damage } from "./records.ts";

/** Bytes that this process may still write on the disk under `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** LevelDB hands on what the system said as text alone. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (/No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(cause.message)) return true;
  return false;
}

/** In the words of the port; what has no word there (a dead disk, a folder without permission) stays as it is. */
export function explain(path: string, error: unknown): unknown {
  if (error instanceof SkeinError) return error;
  if (error instanceof Damage || (error as { code?: unknown }).code === "LEVEL_CORRUPTION")
    return new SkeinError("JOURNAL_CORRUPT", { path, reason: (error as Error).message }, { cause: error });
  if (isDiskFull(error)) return new SkeinError("DISK_FULL", { path, freeBytes: 0 }, { cause: error });
  return error;
}

export async function explained<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explain(path, error);
  }
}
