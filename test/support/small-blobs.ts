/** The database of an agent's small blobs, opened from outside. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import type { BlobHash } from "../../shared/ids.ts";

type Level = ClassicLevel<string, Uint8Array>;

async function opened<T>(path: string, work: (level: Level) => Promise<T>): Promise<T> {
  const level: Level = new ClassicLevel(path, { valueEncoding: "view" });
  await level.open();
  return work(level).finally(() => level.close());
}

async function contentKey(level: Level, hash: BlobHash): Promise<string | undefined> {
  const place = await level.get(`h${hash}`);
  if (!place) return undefined;
  const sequence = new DataView(place.buffer, place.byteOffset).getFloat64(0, true);
  return `c${sequence.toString(16).padStart(13, "0")}`;
}

/** Changes the middle byte of a small blob under `path`, which no agent has open. */
export const rotSmall = (path: string, hash: BlobHash): Promise<void> =>
  opened(join(path, "small"), async (level) => {
    const key = await contentKey(level, hash);
    const bytes = key && (await level.get(key));
    if (!bytes) throw new Error(`${hash} is not there to be damaged`);
    bytes[bytes.length >> 1]! ^= 0xff;
    await level.put(key, bytes, { sync: true });
  });

/** What is kept of these small blobs under `path`, read from a copy, so that an agent may have it open. */
export async function readSmall(path: string, hashes: readonly BlobHash[]): Promise<Map<BlobHash, Uint8Array>> {
  const copy = await mkdtemp(join(tmpdir(), "skein-small-"));
  try {
    await cp(join(path, "small"), copy, { recursive: true, filter: (file) => !file.endsWith("LOCK") });
    return await opened(copy, async (level) => {
      const found = new Map<BlobHash, Uint8Array>();
      for (const hash of hashes) {
        const key = await contentKey(level, hash);
        const bytes = key && (await level.get(key));
        if (bytes) found.set(hash, bytes);
      }
      return found;
    });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
