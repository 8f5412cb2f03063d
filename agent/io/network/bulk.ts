import type { Connection, Stream } from "@libp2p/interface";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { BlobSource, FetchOptions, Telemetry } from "../../ports/index.ts";
import { errorFrom, framed } from "./framing.ts";
import { StreamReader, sendSteadily, sent } from "./stream-io.ts";
import { Turns } from "./turns.ts";
import { type BlobQuestion, errorOf, failureOf, invalid, WIRE } from "./wire.ts";

export const BLOB_PROTOCOL = "/skein/blob/1";
const HEADER_BYTES_MAX = 32 * 1024;

export interface BulkInit {
  self: NodeId;
  source(): BlobSource | undefined;
  bytesHeard(connection: Connection): void;
  telemetry: Telemetry;
}

export interface Fetched {
  bytes: number;
  chunks: AsyncIterable<Uint8Array>;
}

/** Blobs between peers: a stream for each transfer, beside the lanes and never before them. */
export class Bulk {
  readonly #init: BulkInit;
  readonly #fetching = new Map<NodeId, Turns>();
  readonly #serving = new Map<NodeId, number>();

  constructor(init: BulkInit) {
    this.#init = init;
  }

  /** See PeerNetwork.fetchBlob. The turn is given back when the chunks were read to the end, or given up. */
  async fetch(
    connection: Connection,
    from: NodeId,
    hash: BlobHash,
    { offset = 0, length = Number.POSITIVE_INFINITY, signal }: FetchOptions = {},
  ): Promise<Fetched> {
    const turns = this.#turnsOf(from);
    const endTurn = await turns.take(signal);
    let stream: Stream | undefined;
    const broken = (error: unknown): Error => {
      endTurn();
      const cause = errorFrom(error);
      stream?.abort(cause);
      if (signal?.aborted) return signal.reason;
      if (cause instanceof SkeinError) return cause;
      return new SkeinError("PEER_UNREACHABLE", { peer: from, reason: cause.message }, { cause });
    };
    try {
      stream = await connection.newStream(BLOB_PROTOCOL, { signal: within(TIMING.requestDeadlineMs, signal) });
      const reader = new StreamReader(stream, () => this.#init.bytesHeard(connection));
      breakOffWith(stream, signal);
      // Also when nobody ever reads the chunks: then the other side's watchdog, or the end of a small blob, closes it.
      stream.addEventListener("close", endTurn);
      await sendSteadily(stream, framed(questionOf(hash, offset, length)), LIMITS.bulkProgressMs);
      await stream.close();
      const header = WIRE.blobHeader.decode(await reader.nextFrame(HEADER_BYTES_MAX, LIMITS.bulkProgressMs));
      if (header.failure) throw errorOf(header.failure);
      if (!Number.isSafeInteger(header.bytes) || header.bytes < offset || header.bytes > LIMITS.blobBytesMax)
        throw invalid(`a blob of ${header.bytes} bytes, from ${offset}`);
      const bytes = Math.min(length, header.bytes - offset);
      return { bytes: header.bytes, chunks: read(reader, bytes, bytes < header.bytes - offset, endTurn, broken) };
    } catch (error) {
      throw broken(error);
    }
  }

  /** Answers one stream. Never rejects. */
  async serve(stream: Stream, connection: Connection, peer: NodeId): Promise<void> {
    const active = this.#serving.get(peer) ?? 0;
    this.#countServing(stream, peer);
    try {
      const reader = new StreamReader(stream, () => this.#init.bytesHeard(connection));
      const question = WIRE.blobQuestion.decode(await reader.nextFrame(128, LIMITS.bulkProgressMs));
      await this.#send(stream, checkedQuestion(question), active);
      await stream.close({ signal: AbortSignal.timeout(LIMITS.bulkProgressMs) });
    } catch (error) {
      const cause = errorFrom(error);
      const facts = cause instanceof SkeinError ? { ...cause.facts, code: cause.code } : { reason: cause.message };
      this.#init.telemetry.log(cause instanceof SkeinError ? "warn" : "debug", "blobNotServed", { ...facts, peer });
      stream.abort(cause);
    }
  }

  /** Until the stream is closed, which a peer that gave up and asks anew has done before it asks. */
  #countServing(stream: Stream, peer: NodeId): void {
    this.#serving.set(peer, (this.#serving.get(peer) ?? 0) + 1);
    stream.addEventListener("close", () => {
      const left = (this.#serving.get(peer) ?? 1) - 1;
      if (left > 0) this.#serving.set(peer, left);
      else this.#serving.delete(peer);
    });
  }

  async #send(stream: Stream, { hash, offset, length }: Question, active: number): Promise<void> {
    const { self } = this.#init;
    let blob: Fetched | undefined;
    let failure: SkeinError | undefined;
    if (active >= LIMITS.bulkServedPerPeerMax)
      failure = new SkeinError("PEER_BUSY", { peer: self, reason: `${active} transfers to this node are under way` });
    else
      try {
        blob = await this.#init.source()?.(hash, offset, length);
        if (!blob) failure = new SkeinError("BLOB_MISSING", { hash, peer: self });
      } catch (error) {
        failure = SkeinError.from(error);
      }
    const header = WIRE.blobHeader.encode(
      failure ? { bytes: 0, failure: failureOf(0, failure) } : { bytes: blob?.bytes ?? 0 },
    );
    await sendSteadily(stream, framed(header), LIMITS.bulkProgressMs);
    // One chunk may wait in the stream while the source fetches the next, so that the link is not idle meanwhile.
    const { bulkChunkBytes, bulkProgressMs } = LIMITS;
    for await (const chunk of blob?.chunks ?? [])
      for (let at = 0; at < chunk.byteLength; at += bulkChunkBytes)
        await sendSteadily(stream, chunk.subarray(at, at + bulkChunkBytes), bulkProgressMs, bulkChunkBytes);
    await sent(stream, bulkProgressMs);
  }

  #turnsOf(peer: NodeId): Turns {
    let turns = this.#fetching.get(peer);
    if (!turns) {
      turns = new Turns(LIMITS.bulkPerPeerMax, LIMITS.bulkWaitingPerPeerMax, peer);
      this.#fetching.set(peer, turns);
    }
    return turns;
  }
}

interface Question {
  hash: BlobHash;
  offset: number;
  length: number;
}

const questionOf = (hash: BlobHash, offset: number, length: number): Uint8Array =>
  WIRE.blobQuestion.encode({ hash: Buffer.from(hash, "hex"), offset, ...(Number.isFinite(length) ? { length } : {}) });

function checkedQuestion({ hash, offset, length = 0 }: BlobQuestion): Question {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  if (hash.byteLength !== 32 || !isCount(offset) || !isCount(length)) throw invalid("a question for no blob");
  return { hash: Buffer.from(hash).toString("hex") as BlobHash, offset, length: length || Number.POSITIVE_INFINITY };
}

const within = (ms: number, signal?: AbortSignal): AbortSignal =>
  signal ? AbortSignal.any([signal, AbortSignal.timeout(ms)]) : AbortSignal.timeout(ms);

function breakOffWith(stream: Stream, signal?: AbortSignal): void {
  const abort = () => stream.abort(errorFrom(signal?.reason));
  signal?.addEventListener("abort", abort, { once: true });
  stream.addEventListener("close", () => signal?.removeEventListener("abort", abort));
}

/** Exactly `bytes` bytes; an end before or bytes beyond are the peer's fault. Leaving the loop early breaks the transfer off. */
async function* read(
  reader: StreamReader,
  bytes: number,
  isPart: boolean,
  endTurn: () => void,
  broken: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  try {
    while (left > 0) {
      const part = await reader.next(LIMITS.bulkProgressMs);
      if (!part) throw new Error(`the transfer ended ${left} bytes short`);
      if (part.byteLength > left && !isPart) throw invalid("more bytes than were announced");
      const wanted = part.subarray(0, left);
      left -= wanted.byteLength;
      yield wanted;
      // An agent of before does not know that only a part is wanted.
      if (wanted.byteLength < part.byteLength) broken(new Error("the reader has what it wants"));
    }
    endTurn();
  } catch (error) {
    throw broken(error);
  } finally {
    if (left > 0) broken(new Error("the reader left"));
  }
}
