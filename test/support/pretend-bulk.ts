/** Blobs over the pretend network: the reader pulls each chunk with a request, which is back-pressure enough. */
import type { Turns } from "../../agent/io/network/turns.ts";
import type { BlobSource, Cancel, Clock, FetchOptions, RequestAnswer } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";

interface PretendBulkInit {
  ask(to: NodeId, method: string, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;
  answer(method: string, answer: RequestAnswer): void;
  turnsOf(peer: NodeId): Turns;
  after: Clock["after"];
}

interface Transfer {
  chunks: AsyncIterator<Uint8Array>;
  left: Uint8Array;
}

const OPEN = "pretend.blobOpen";
const NEXT = "pretend.blobNext";
const LEAVE = "pretend.blobLeave";
/** A reader that vanished is forgotten when so many newer ones came. */
const TRANSFERS_MAX = 256;

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = <T>(bytes: Uint8Array): T => JSON.parse(new TextDecoder().decode(bytes)) as T;

export class PretendBulk {
  readonly #init: PretendBulkInit;
  readonly #transfers = new Map<string, Transfer>();
  #source: BlobSource | undefined;
  #counter = 0;

  constructor(init: PretendBulkInit) {
    this.#init = init;
    init.answer(OPEN, async (from, body) => await this.#opened(from, decode(body)));
    init.answer(NEXT, async (from, body) => await this.#next(`${from} ${decode<number>(body)}`));
    init.answer(LEAVE, async (from, body) => {
      const key = `${from} ${decode<number>(body)}`;
      await this.#transfers.get(key)?.chunks.return?.();
      this.#transfers.delete(key);
      return new Uint8Array(0);
    });
  }

  serve(source: BlobSource): void {
    this.#source = source;
  }

  async fetch(
    from: NodeId,
    hash: BlobHash,
    { offset = 0, length = Number.POSITIVE_INFINITY, signal }: FetchOptions = {},
  ): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }> {
    const endTurn = await this.#init.turnsOf(from).take(signal);
    const id = ++this.#counter;
    try {
      const { bytes } = decode<{ bytes: number }>(
        await this.#init.ask(
          from,
          OPEN,
          encode({ id, hash, offset, length: Number.isFinite(length) ? length : 0 }),
          signal,
        ),
      );
      // A reader that never comes is given up on, as the real room's watchdog does.
      const cancel = this.#init.after(LIMITS.bulkProgressMs, endTurn);
      return { bytes, chunks: this.#read(from, id, Math.min(length, bytes - offset), endTurn, cancel, signal) };
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  async *#read(
    from: NodeId,
    id: number,
    bytes: number,
    endTurn: () => void,
    readerCame: Cancel,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    let left = bytes;
    readerCame();
    try {
      while (left > 0) {
        signal?.throwIfAborted();
        const chunk = await this.#init.ask(from, NEXT, encode(id), signal).catch((error: unknown) => {
          if (signal?.aborted) throw signal.reason;
          throw new SkeinError("PEER_UNREACHABLE", { peer: from, reason: SkeinError.from(error).message });
        });
        if (chunk.byteLength === 0)
          throw new SkeinError("PEER_UNREACHABLE", { peer: from, reason: "the transfer ended short" });
        const wanted = chunk.subarray(0, left);
        left -= wanted.byteLength;
        yield wanted;
      }
      // The source runs to its own end, as a stream's does.
      await this.#init.ask(from, NEXT, encode(id), signal);
    } finally {
      endTurn();
      // Best effort, like the reset of a stream: if it cannot be told, its own bound makes it forget.
      if (left > 0) this.#init.ask(from, LEAVE, encode(id)).catch(() => {});
    }
  }

  async #opened(
    from: NodeId,
    { id, hash, offset, length }: { id: number; hash: BlobHash; offset: number; length: number },
  ): Promise<Uint8Array> {
    const blob = await this.#source?.(hash, offset, length || Number.POSITIVE_INFINITY);
    if (!blob) throw new SkeinError("BLOB_MISSING", { hash });
    this.#transfers.set(`${from} ${id}`, { chunks: blob.chunks[Symbol.asyncIterator](), left: new Uint8Array(0) });
    const oldest = this.#transfers.keys().next().value;
    if (this.#transfers.size > TRANSFERS_MAX && oldest !== undefined) this.#transfers.delete(oldest);
    return encode({ bytes: blob.bytes });
  }

  async #next(key: string): Promise<Uint8Array> {
    const transfer = this.#transfers.get(key);
    if (!transfer) throw new SkeinError("BAD_REQUEST", { reason: "no such transfer" });
    while (transfer.left.byteLength === 0) {
      const { done, value } = await transfer.chunks.next();
      if (done) {
        this.#transfers.delete(key);
        return new Uint8Array(0);
      }
      transfer.left = value;
    }
    const chunk = transfer.left.subarray(0, LIMITS.bulkChunkBytes);
    transfer.left = transfer.left.subarray(chunk.byteLength);
    return chunk;
  }
}
