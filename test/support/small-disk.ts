/** Real folders and real full disks for tests, and a telemetry that says nothing. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import type { Telemetry } from "../../agent/ports/index.ts";

export const silent: Telemetry = { log: () => {} };

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** A new folder, gone when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "skein-test-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A disk of its own, of `sizeMiB`, as long as the test lasts; or why there is none. */
export async function smallDisk(sizeMiB: number): Promise<{ path: string } | { reason: string }> {
  if (process.getuid?.() !== 0) return { reason: "a disk of its own (tmpfs) needs root" };
  const path = await mkdtemp(join(tmpdir(), "skein-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "skein-test", path]);
  } catch (error) {
    await rm(path, { recursive: true });
    return { reason: `tmpfs cannot be mounted here: ${(error as Error).message.trim()}` };
  }
  onTestFinished(async () => {
    await run("umount", ["--lazy", path]);
    await rm(path, { recursive: true });
  });
  return { path };
}

/** Leaves `freeMiB` on the disk under `path`. */
export async function fillDisk(path: string, freeMiB: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  await writeFile(join(path, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - freeMiB * MiB)));
}

export async function freeDisk(path: string): Promise<void> {
  await rm(join(path, "ballast"));
}
