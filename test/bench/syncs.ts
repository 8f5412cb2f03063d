/**
 * Loaded into an agent before everything else (`node --import`): counts what it asks the disk to make durable. On SIGUSR2
 * it writes the counts so far as JSON to `$SYNCS_FOLDER/PID`.
 */

import { writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";

const counts = { databases: 0, files: 0 };
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

interface Options {
  sync?: boolean;
}
interface Chain {
  write(options?: Options): Promise<void>;
}
/** Without arguments it begins a chain, which is written by itself. */
type Batch = (this: unknown, ...args: [operations?: unknown, options?: Options]) => unknown;
const level = ClassicLevel.prototype as unknown as { batch: Batch };
const batch = level.batch;
level.batch = function (...args) {
  if (args[1]?.sync) counts.databases++;
  const made = batch.apply(this, args);
  if (args.length > 0) return made;
  const chain = made as Chain;
  const write = chain.write;
  chain.write = (options) => {
    if (options?.sync) counts.databases++;
    return write.call(chain, options);
  };
  return chain;
};

process.on("SIGUSR2", () => writeFileSync(join(folder, String(process.pid)), JSON.stringify(counts)));
