import type { BlobHash } from "../../shared/ids.ts";

export interface BlobInfo {
  hash: BlobHash;
  bytes: number;
}

/** Bytes under their hash, checked on the way in and on the way out. */
export interface Blobs {
  /**
   * Takes bytes in and makes them durable (fsync of the file and of its folder) under their SHA-256.
   * A blob that is already there is not written again.
   * @throws BLOB_HASH_MISMATCH if `expected` is given and does not match; DISK_FULL; TOO_LARGE over blobBytesMax.
   */
  put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobHash): Promise<BlobInfo>;
  /** Size in bytes, or undefined if it is not here. */
  size(hash: BlobHash): Promise<number | undefined>;
  /**
   * The whole blob, hash checked.
   * @throws BLOB_MISSING; BLOB_HASH_MISMATCH, after the damaged copy has been set aside so that the next `size` says it is gone.
   */
  read(hash: BlobHash): Promise<Uint8Array>;
  /**
   * Whether a sound copy is here: reads all of it piece by piece and hashes it. False if it is not here, or was damaged and
   * has been set aside, as by `read`.
   */
  verify(hash: BlobHash): Promise<boolean>;
  /** Chunks of at most bulkChunkBytes, from `offset`. Not hash-checked: the receiver does that. @throws BLOB_MISSING */
  stream(hash: BlobHash, offset?: number): AsyncIterable<Uint8Array>;
  remove(hash: BlobHash): Promise<void>;
  list(): Promise<BlobInfo[]>;
  /** Free bytes of the disk that this agent may use. */
  freeBytes(): Promise<number>;
}
