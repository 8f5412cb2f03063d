import type { BlobHash } from "../../shared/ids.ts";

export interface BlobInfo {
  hash: BlobHash;
  bytes: number;
}

/**
 * A blob that comes in pieces of blobPieceBytes, the last one shorter, in any order. What came stays when it is closed, also
 * over the end of the agent, so that the next try goes on from there.
 */
export interface Arrival {
  readonly bytes: number;
  /** For each piece, whether it came whole; before this try too. */
  readonly here: readonly boolean[];
  /**
   * Takes one piece in, as often as wanted. With its SHA-256 in hex, only these bytes ever reach the disk.
   * @throws FRAME_INVALID if it is not as long as it must be; BLOB_HASH_MISMATCH; DISK_FULL; whatever the source throws
   */
  write(piece: number, source: AsyncIterable<Uint8Array>, sha256?: string): Promise<void>;
  /** Reads back what is here, against the SHA-256 of each piece in hex: one that is other bytes is not here any more. */
  check(sha256s: readonly string[]): Promise<void>;
  /** A piece that is here, in chunks of at most bulkChunkBytes. @throws BLOB_MISSING if it is not, or the arrival is over */
  stream(piece: number): AsyncIterable<Uint8Array>;
  /** Once all pieces are here: checks the hash of the whole and makes the blob durable. @throws BLOB_HASH_MISMATCH, and then stays open */
  finish(): Promise<BlobInfo>;
  /** SHA-256 of each piece as it is on the disk now, in hex. */
  digests(): Promise<string[]>;
  close(): Promise<void>;
  /** Closes, and keeps nothing. */
  discard(): Promise<void>;
}

/** Bytes under their hash, checked on the way in and on the way out. */
export interface Blobs {
  /**
   * Takes bytes in and makes them durable (fsync) under their SHA-256. A blob that is already there is not written again.
   * Small ones that are put at the same time share an fsync.
   * @throws BLOB_HASH_MISMATCH if `expected` is given and does not match; DISK_FULL; TOO_LARGE over blobBytesMax.
   */
  put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobHash): Promise<BlobInfo>;
  /**
   * Opens what came of a large blob. Without `bytes`: undefined if nothing did. With another size than before it begins anew.
   * One at a time for each blob.
   * @throws TOO_LARGE, DISK_FULL
   */
  arrival(hash: BlobHash, bytes?: number): Promise<Arrival | undefined>;
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
  /** Chunks of at most bulkChunkBytes, from `offset` on, `length` bytes or up to the end. Not hash-checked: the receiver does that. @throws BLOB_MISSING */
  stream(hash: BlobHash, offset?: number, length?: number): AsyncIterable<Uint8Array>;
  remove(hash: BlobHash): Promise<void>;
  list(): Promise<BlobInfo[]>;
  /** Free bytes of the disk that this agent may use. */
  freeBytes(): Promise<number>;
  /** Lets the disk go. What was acknowledged is on it already. */
  close(): Promise<void>;
}
