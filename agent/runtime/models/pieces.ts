import { toBase64 } from "../../../shared/base64.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ModelFile } from "../../../shared/model.ts";
import { hashToBytes } from "../../../shared/wire/codec.ts";
import type { Surroundings } from "../surroundings.ts";
import { readRange } from "./range.ts";

/** The files with the digests of their pieces, read from this node's own copies. For whoever makes a manifest. @throws BLOB_MISSING */
export async function withPieces(world: Surroundings, files: readonly ModelFile[]): Promise<ModelFile[]> {
  const done: ModelFile[] = [];
  for (const file of files)
    done.push(file.bytes <= LIMITS.blobPieceBytes ? file : { ...file, pieces: await digestsOf(world, file) });
  return done;
}

async function digestsOf(world: Surroundings, { blob, bytes }: ModelFile): Promise<string> {
  const digests: number[] = [];
  for (let offset = 0; offset < bytes; offset += LIMITS.blobPieceBytes) {
    const length = Math.min(LIMITS.blobPieceBytes, bytes - offset);
    const piece = await readRange(world, blob, offset, length);
    digests.push(...hashToBytes(world.sha256(piece)));
  }
  return toBase64(Uint8Array.from(digests));
}
