import type { BlobHash } from "../../../shared/ids.ts";
import type { Surroundings } from "../surroundings.ts";

/** A part of a blob that is here, in memory; shorter if the blob ends before. @throws BLOB_MISSING */
export async function readRange(
  world: Surroundings,
  blob: BlobHash,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  for await (const chunk of world.blobs.stream(blob, offset, length)) {
    bytes.set(chunk.subarray(0, length - filled), filled);
    filled += chunk.length;
  }
  return bytes.subarray(0, Math.min(filled, length));
}
