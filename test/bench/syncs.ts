/**
 * Loaded into an agent before everything else (`node --import`): counts what it asks the disk to make durable. On SIGUSR2
 * it writes the counts so far as JSON to `$SYNCS_FOLDER/PID`.
 */

import { writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";

const counts = { journal: 0, files: 0 };
const folder = process.env.SYNCS_FOLDER;
if (folder === undefined) throw new Error("SYNCS_FOLDER is not set");

const file = await open("/dev/null");
const fileHandle = Object.getPrototypeOf(file) as Record<"sync" | "datasync", (this: unknown) => Promise<void>>;
await file.close();
for (const name of ["sync", "datasync"] as const) {
  const original = fileHandle[name];
  fileHandle[name] = function (this: unknown) {
    counts.files++;
    return original.call(this);
  };
}

type Batch = (this: unknown, operations: unknown, options?: { sync?: boolean }) => unknown;
const level = ClassicLevel.prototype as unknown as { batch: Batch };
const batch = level.batch;
level.batch = function (operations, options) {
  if (options?.sync) counts.journal++;
  return batch.call(this, operations, options);
};

process.on("SIGUSR2", () => writeFileSync(join(folder, String(process.pid)), JSON.stringify(counts)));
