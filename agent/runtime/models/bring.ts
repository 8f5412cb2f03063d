import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type ModelFile, pieceDigests } from "../../../shared/model.ts";
import type { BlobAccess } from "../blob-access.ts";
import type { Surroundings } from "../surroundings.ts";
import { placeFiles } from "./examining.ts";
import type { KeptModel } from "./kept.ts";

/**
 * The model's folder on this disk, its files fetched from the others if it is not there. @throws BLOB_MISSING, DISK_FULL,
 * BLOB_HASH_MISMATCH, whatever `signal` was aborted with
 */
export async function bringFiles(
  world: Surroundings,
  blobAccess: BlobAccess,
  model: KeptModel,
  signal: AbortSignal,
): Promise<string> {
  const { digest, manifest } = model;
  const folders = world.models;
  model.bytesHere = 0;
  if ((await folders.folderOf(digest)) === undefined)
    for (const file of manifest.files.toSorted((a, b) => a.bytes - b.bytes)) {
      signal.throwIfAborted();
      await bringFile(blobAccess, model, file, signal);
      model.bytesHere += file.bytes;
    }
  try {
    return await placeFiles(world, digest, manifest.files);
  } catch (error) {
    // A copy of this node's own is damaged, and nobody has read it since.
    if (SkeinError.from(error).code === "BLOB_HASH_MISMATCH")
      for (const { blob } of manifest.files) await blobAccess.makeSound(blob, model.from);
    throw error;
  } finally {
    model.bytesHere = (await folders.folderOf(digest)) === undefined ? model.bytesHere : model.bytes;
  }
}

async function bringFile(
  blobAccess: BlobAccess,
  model: KeptModel,
  file: ModelFile,
  signal: AbortSignal,
): Promise<void> {
  const { blob, bytes } = file;
  const digests = bytes > LIMITS.blobPieceBytes ? pieceDigests(file) : undefined;
  if (!digests) return blobAccess.ensureLocal(blob, model.from);
  const wanted = { hash: blob, bytes, digests, startsAt: model.place };
  return blobAccess.ensureFile(wanted, () => model.from, signal);
}
