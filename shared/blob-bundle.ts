/**
 * Many small blobs in one body of the API: a request of its own for each costs more than the blob. One after the other,
 * each as its length (4 bytes, the highest first), its hash (64 hex digits) and its bytes.
 */
import { refuse } from "./checks.ts";
import { type BlobHash, isBlobHash } from "./ids.ts";
import { LIMITS } from "./limits.ts";

export interface BundledBlob {
  hash: BlobHash;
  bytes: Uint8Array;
}

const HEAD_BYTES = 4 + 64;
const TEXT = { write: new TextEncoder(), read: new TextDecoder("latin1") };

/** Cuts a list into bundles that an agent takes, by the sizes of its blobs. */
export function bundlesOf<T extends { bytes: number }>(blobs: readonly T[]): T[][] {
  const bundles: T[][] = [];
  let room = 0;
  for (const blob of blobs) {
    const needed = HEAD_BYTES + blob.bytes;
    if (room < needed || bundles.at(-1)!.length >= LIMITS.bundleBlobsMax) {
      bundles.push([]);
      room = LIMITS.bundleBytesMax;
    }
    bundles.at(-1)!.push(blob);
    room -= needed;
  }
  return bundles;
}

export function writeBundle(blobs: readonly BundledBlob[]): Uint8Array {
  const bundle = new Uint8Array(blobs.reduce((sum, { bytes }) => sum + HEAD_BYTES + bytes.length, 0));
  const view = new DataView(bundle.buffer);
  let at = 0;
  for (const { hash, bytes } of blobs) {
    view.setUint32(at, bytes.length);
    TEXT.write.encodeInto(hash, bundle.subarray(at + 4));
    bundle.set(bytes, at + HEAD_BYTES);
    at += HEAD_BYTES + bytes.length;
  }
  return bundle;
}

/** Says nothing of whether the hashes are right. @throws BAD_REQUEST if it is not one to the last byte */
export function readBundle(bundle: Uint8Array): BundledBlob[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const blobs: BundledBlob[] = [];
  for (let at = 0; at < bundle.length; ) {
    if (at + HEAD_BYTES > bundle.length) refuse("the bundle", `ends within a head, at byte ${bundle.length}`);
    const length = view.getUint32(at);
    const from = at + HEAD_BYTES;
    if (length > LIMITS.bundledBlobBytesMax)
      refuse("the bundle", `has a blob of ${length} bytes; the most is ${LIMITS.bundledBlobBytesMax}`);
    if (from + length > bundle.length) refuse("the bundle", `ends within a blob, at byte ${bundle.length}`);
    const hash = TEXT.read.decode(bundle.subarray(at + 4, from));
    if (!isBlobHash(hash)) refuse("the bundle", `has no SHA-256 in hex at byte ${at + 4}`);
    blobs.push({ hash, bytes: bundle.subarray(from, from + length) });
    if (blobs.length > LIMITS.bundleBlobsMax) refuse("the bundle", `has more than ${LIMITS.bundleBlobsMax} blobs`);
    at = from + length;
  }
  return blobs;
}
