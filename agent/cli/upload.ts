import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { bundlesOf } from "../../shared/blob-bundle.ts";
import type { Client } from "../../shared/client.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { inParallel } from "./in-parallel.ts";
import { FILES_AT_ONCE } from "./inputs.ts";

/** A file on this disk, hashed. */
export interface HashedFile {
  path: string;
  bytes: number;
  blob: BlobHash;
  /** Where it is no file as it lies on the disk: makes the same bytes each time. */
  content?: () => Promise<Uint8Array>;
}

/** One is sent while the agent writes the other down. */
const BUNDLES_AT_ONCE = 2;

/**
 * Sends what the agent lacks (small files without asking: that costs no less). May be made again, to this agent or another:
 * what is there is not kept twice.
 */
export async function uploadFiles(
  client: Client,
  files: readonly HashedFile[],
  onUploaded: (done: number) => void,
): Promise<void> {
  const distinct = [...new Map(files.map((file) => [file.blob, file])).values()];
  const isSmall = ({ bytes }: HashedFile): boolean => bytes <= LIMITS.bundledBlobBytesMax;
  let done = 0;
  await inParallel(bundlesOf(distinct.filter(isSmall)), BUNDLES_AT_ONCE, async (bundle) => {
    const blobs = await Promise.all(
      bundle.map(async ({ blob, path, content }) => ({ hash: blob, bytes: await (content?.() ?? readFile(path)) })),
    );
    await client.putBlobs(blobs);
    done += bundle.length;
    onUploaded(done);
  });
  const large = distinct.filter((file) => !isSmall(file));
  await inParallel(large, FILES_AT_ONCE, async (file) => {
    if (!(await client.hasBlob(file.blob)))
      await client.putBlob(file.blob, (await file.content?.()) ?? createReadStream(file.path));
    onUploaded(++done);
  });
}
