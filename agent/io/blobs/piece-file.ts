import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Arrival, BlobInfo } from "../../ports/index.ts";
import { isMissing, writeWhole } from "./disk.ts";
import type { Turns } from "./turns.ts";

export interface PieceFileDeps {
  turns: Turns;
  /** @throws DISK_FULL */
  checkSpace(bytes: number): Promise<void>;
  onClosed(): void;
}

const PIECE_BYTES = LIMITS.blobPieceBytes;

/**
 * A large blob on its way: a file with gaps, and beside it a map of one byte for each piece, written when the piece is
 * whole. Neither is made durable before the end: if a power cut makes the map promise what the disk lost, the hash of the
 * whole says so, and the blob comes anew. The hash follows the pieces while they come, as far as there is no gap.
 */
export class PieceFile implements Arrival {
  readonly path: string;
  readonly bytes: number;
  readonly #hash: BlobHash;
  readonly #deps: PieceFileDeps;
  readonly #file: FileHandle;
  readonly #map: FileHandle;
  readonly #here: boolean[];
  /** Of the bytes before `#hashedTo`. */
  #digest: Hash = createHash("sha256");
  #hashedTo = 0;
  #following: Promise<void> | undefined;
  readonly #writers = new Map<number, Promise<void>>();
  #isMixed = false;
  #publish: () => Promise<void> = async () => {};
  #isOpen = true;

  private constructor(
    path: string,
    hash: BlobHash,
    bytes: number,
    deps: PieceFileDeps,
    file: FileHandle,
    map: FileHandle,
  ) {
    this.path = path;
    this.bytes = bytes;
    this.#hash = hash;
    this.#deps = deps;
    this.#file = file;
    this.#map = map;
    this.#here = Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, () => false);
  }

  static async open(path: string, hash: BlobHash, bytes: number, deps: PieceFileDeps): Promise<PieceFile> {
    const known = await readFile(`${path}.map`).catch((error: unknown) => {
      if (isMissing(error)) return new Uint8Array();
      throw error;
    });
    const map = await open(`${path}.map`, known.length > 0 ? "r+" : "w");
    // A map without its file promises nothing.
    const file = await open(path, "r+").catch(() => undefined);
    const piece = new PieceFile(path, hash, bytes, deps, file ?? (await open(path, "wx+")), map);
    if (file) for (const i of piece.#here.keys()) piece.#here[i] = known[i] === 1;
    else await map.truncate();
    return piece;
  }

  get here(): readonly boolean[] {
    return this.#here;
  }

  publishWith(publish: () => Promise<void>): void {
    this.#publish = publish;
  }

  async write(piece: number, source: AsyncIterable<Uint8Array>, sha256?: string): Promise<void> {
    if (sha256 !== undefined) return this.#writeSound(piece, source, sha256);
    // What was hashed may be overwritten now, by another holder's bytes.
    if (this.#writers.has(piece) || this.#hashedTo > piece * PIECE_BYTES) this.#isMixed = true;
    const writing = this.#write(piece, source);
    this.#writers.set(piece, writing);
    try {
      await writing;
    } finally {
      if (this.#writers.get(piece) === writing) this.#writers.delete(piece);
    }
  }

  async #write(piece: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    const end = this.#endOf(piece);
    await this.#deps.checkSpace(end - piece * PIECE_BYTES);
    let at = piece * PIECE_BYTES;
    for await (const chunk of source) {
      if (at + chunk.length > end) throw tooLong(piece);
      const position = at;
      const written = this.#deps.turns.take(() => writeWhole(this.#file, chunk, position));
      // While the disk takes it.
      if (position === this.#hashedTo && !this.#following) this.#take(chunk);
      await written;
      at += chunk.length;
    }
    if (at < end) throw tooShort(piece, end - at);
    await this.#mark(piece, true);
    this.#follow();
  }

  async #mark(piece: number, isHere: boolean): Promise<void> {
    this.#here[piece] = isHere;
    await writeWhole(this.#map, Uint8Array.of(Number(isHere)), piece);
  }

  /** Held until it is known to be right: another holder's bytes for it may be on the disk already, and be served from there. */
  async #writeSound(piece: number, source: AsyncIterable<Uint8Array>, sha256: string): Promise<void> {
    const start = piece * PIECE_BYTES;
    const length = this.#endOf(piece) - start;
    await this.#deps.checkSpace(length);
    const bytes = new Uint8Array(length);
    let at = 0;
    for await (const chunk of source) {
      if (at + chunk.length > length) throw tooLong(piece);
      bytes.set(chunk, at);
      at += chunk.length;
    }
    if (at < length) throw tooShort(piece, length - at);
    const actual = createHash("sha256").update(bytes).digest("hex");
    if (actual !== sha256) throw new SkeinError("BLOB_HASH_MISMATCH", { expected: sha256, actual });
    await this.#deps.turns.take(() => writeWhole(this.#file, bytes, start));
    await this.#mark(piece, true);
    this.#follow();
  }

  async check(sha256s: readonly string[]): Promise<void> {
    for (const [piece, isHere] of this.#here.entries()) {
      if (!isHere || (await this.#digestOf(piece)) === sha256s[piece]) continue;
      await this.#mark(piece, false);
      this.#isMixed = true;
    }
  }

  async *stream(piece: number): AsyncGenerator<Uint8Array> {
    const end = this.#endOf(piece);
    for (let at = piece * PIECE_BYTES; at < end; ) {
      if (!this.#isOpen || !this.#here[piece]) throw new SkeinError("BLOB_MISSING", { hash: this.#hash });
      const chunk = new Uint8Array(Math.min(LIMITS.bulkChunkBytes, end - at));
      const { bytesRead } = await this.#deps.turns.take(() => this.#file.read(chunk, 0, chunk.length, at));
      if (bytesRead === 0) throw new SkeinError("BLOB_MISSING", { hash: this.#hash });
      yield chunk.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  async finish(): Promise<BlobInfo> {
    await Promise.allSettled(this.#writers.values());
    await this.#following;
    if (this.#isMixed) {
      this.#digest = createHash("sha256");
      this.#hashedTo = 0;
      this.#isMixed = false;
    }
    this.#follow();
    await this.#following;
    const actual = this.#digest.copy().digest("hex") as BlobHash;
    if (this.#hashedTo !== this.bytes || actual !== this.#hash)
      throw new SkeinError("BLOB_HASH_MISMATCH", { expected: this.#hash, actual });
    await this.#deps.turns.take(() => this.#file.sync());
    await this.#publish();
    await this.close();
    await rm(`${this.path}.map`, { force: true });
    return { hash: this.#hash, bytes: this.bytes };
  }

  async digests(): Promise<string[]> {
    const digests: string[] = [];
    for (const piece of this.#here.keys()) digests.push(await this.#digestOf(piece));
    return digests;
  }

  async #digestOf(piece: number): Promise<string> {
    const digest = createHash("sha256");
    await this.#read(piece * PIECE_BYTES, this.#endOf(piece), (bytes) => digest.update(bytes));
    return digest.digest("hex");
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#following;
    await Promise.all([this.#file.close(), this.#map.close()]);
    this.#deps.onClosed();
  }

  async discard(): Promise<void> {
    await this.close();
    await forget(this.path);
  }

  #endOf(piece: number): number {
    return Math.min(this.bytes, (piece + 1) * PIECE_BYTES);
  }

  #take(bytes: Uint8Array): void {
    this.#digest.update(bytes);
    this.#hashedTo += bytes.length;
  }

  /** Reads back what came out of order, as soon as there is no gap before it. An error is met again where it matters. */
  #follow(): void {
    this.#following ??= this.#hashOn()
      .catch(() => {})
      .finally(() => {
        this.#following = undefined;
      });
  }

  async #hashOn(): Promise<void> {
    while (this.#isOpen && this.#here[Math.floor(this.#hashedTo / PIECE_BYTES)] && this.#hashedTo < this.bytes)
      await this.#read(this.#hashedTo, this.#endOf(Math.floor(this.#hashedTo / PIECE_BYTES)), (bytes) =>
        this.#take(bytes),
      );
  }

  async #read(from: number, to: number, take: (bytes: Uint8Array) => void): Promise<void> {
    const buffer = new Uint8Array(LIMITS.bulkChunkBytes);
    for (let at = from; at < to; ) {
      const length = Math.min(buffer.length, to - at);
      const { bytesRead } = await this.#deps.turns.take(() => this.#file.read(buffer, 0, length, at));
      if (bytesRead === 0) throw new SkeinError("INTERNAL", { reason: `${this.path} ends at ${at}` });
      take(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  }
}

/** The map last: without its file it means nothing. */
export async function forget(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.map`, { force: true });
}

const tooShort = (piece: number, bytes: number): SkeinError =>
  new SkeinError("FRAME_INVALID", { peer: "a peer", reason: `piece ${piece} ended ${bytes} bytes short` });
const tooLong = (piece: number): SkeinError =>
  new SkeinError("FRAME_INVALID", { peer: "a peer", reason: `piece ${piece} is longer than it may be` });
