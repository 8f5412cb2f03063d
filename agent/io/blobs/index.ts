/**
 * Bytes under their hash: small ones together in a database, so that they share fsyncs, larger ones in a file each. A blob becomes visible under its name only when its bytes and its name are on
 * disk, and its bytes are hashed again when they are read whole; a copy that no longer matches is set aside, so that the
 * fleet makes a new one from another node. All work with files is asynchronous and in pieces.
 */
export { type BlobsDeps, openBlobs } from "./blobs.ts";
