import { type FileHandle, mkdir, open, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Telemetry } from "../../ports/index.ts";

/** What the parts of this room share. */
export interface DiskDeps {
  telemetry: Telemetry;
  /** Of the disk; none while a drill says that it is full. */
  freeBytes: () => Promise<number>;
}

export async function freeBytesUnder(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
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

/** Makes a folder and those above it, durably. */
export async function makeFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  if (made === undefined) return;
  for (let folder = resolve(path); folder !== dirname(made); folder = dirname(folder))
    await syncFolder(dirname(folder));
}

/** All of it, at `position` or behind what was written last. A write may take less than it was given, on a disk that is about to be full for one. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === undefined ? null : position + at;
    at += (await file.write(bytes, at, bytes.length - at, place)).bytesWritten;
  }
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException | undefined)?.code;
export const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";
export const isDiskFull = (error: unknown): boolean => codeOf(error) === "ENOSPC" || codeOf(error) === "EDQUOT";
