import { randomBytes } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StorageSpeed } from "../../ports/index.ts";

/** Small writes made durable one after the other, as a log does. */
const SYNCS = 15;
const SMALL_BYTES = 4_096;
/** Long enough that a cache of some MB is not all of it, short enough to wear nothing: a card takes a second or two. */
const LONG_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** A disk that takes longer than this for all of it is told by what it did until then. */
const SYNCS_MS_MAX = 10_000;

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/**
 * Writes to a file of its own in `folder`, makes it durable and removes it; what a crash leaves is overwritten by the next. Bytes are
 * random, because some disks are fast at zeros. `isWhole`: a long write too.
 * @throws what the disk throws
 */
export async function measureStorage(folder: string, isWhole: boolean): Promise<StorageSpeed> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "speed.tmp");
  const file = await open(path, "w");
  try {
    const small = randomBytes(SMALL_BYTES);
    const syncsMs: number[] = [];
    const startedMs = performance.now();
    while (syncsMs.length < SYNCS && performance.now() - startedMs < SYNCS_MS_MAX) {
      const beganMs = performance.now();
      await file.write(small);
      await file.sync();
      syncsMs.push(performance.now() - beganMs);
    }
    const fsyncMs = Math.round(1_000 * median(syncsMs)) / 1_000;
    if (!isWhole) return { fsyncMs };
    const chunk = randomBytes(CHUNK_BYTES);
    const beganMs = performance.now();
    let writtenBytes = 0;
    while (writtenBytes < LONG_BYTES && performance.now() - beganMs < SYNCS_MS_MAX) {
      await file.write(chunk);
      writtenBytes += chunk.length;
      // In between too, so that a slow disk is left within the time above.
      if (writtenBytes % (LONG_BYTES / 4) === 0) await file.sync();
    }
    await file.sync();
    return { fsyncMs, writeBytesPerSecond: Math.round((1_000 * writtenBytes) / (performance.now() - beganMs)) };
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}
