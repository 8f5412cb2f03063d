import type { Connection, Stream } from "@libp2p/interface";
import { invalid } from "./wire.ts";

/** The type libp2p hands out: bytes, or a list of them. */
export type StreamBytes = Uint8Array | Iterable<Uint8Array>;
const HEADER_BYTES = 4;

/** Length (u32, big endian) and body in one piece. */
export function framed(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + body.byteLength);
  new DataView(frame.buffer).setUint32(0, body.byteLength);
  frame.set(body, HEADER_BYTES);
  return frame;
}

export const partsOf = (data: StreamBytes): Iterable<Uint8Array> => (data instanceof Uint8Array ? [data] : data);

/** Cuts a byte stream into frames. Holds at most one frame: the length is checked before a byte of the body is kept. */
export class FrameReader {
  readonly #bytesMax: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #body: Uint8Array | undefined;
  #bodyBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Calls back for each frame that `bytes` completes; the body is the callee's own copy.
   * Returns how many bytes were read: fewer than given only if the callback said to stop.
   * @throws FRAME_INVALID for a length of zero or over the limit. The stream is then beyond repair.
   */
  push(bytes: Uint8Array, take: (body: Uint8Array) => "stop" | undefined): number {
    let at = 0;
    while (at < bytes.byteLength) {
      if (!this.#body) {
        at += this.#readHeader(bytes, at);
        continue;
      }
      const part = bytes.subarray(at, at + this.#body.byteLength - this.#bodyBytes);
      this.#body.set(part, this.#bodyBytes);
      this.#bodyBytes += part.byteLength;
      at += part.byteLength;
      if (this.#bodyBytes < this.#body.byteLength) continue;
      const body = this.#body;
      this.#body = undefined;
      if (take(body) === "stop") break;
    }
    return at;
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.byteLength;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      const length = new DataView(this.#header.buffer).getUint32(0);
      if (length === 0 || length > this.#bytesMax)
        throw invalid(`a frame of ${length} bytes was announced; 1 to ${this.#bytesMax} are allowed`);
      this.#body = new Uint8Array(length);
      this.#bodyBytes = 0;
    }
    return part.byteLength;
  }
}

/** libp2p rejects and closes with events as often as with errors. */
export function errorFrom(cause: unknown): Error {
  if (cause instanceof Error) return cause;
  const inner = (cause as { error?: unknown } | undefined)?.error;
  return inner instanceof Error ? inner : new Error(inner === undefined ? "the stream was closed" : String(inner));
}

export const isOpen = (stream: Stream): boolean => stream.status === "open" && stream.writeStatus === "writable";

/** Ends a connection now. libp2p says a farewell first, and throws where the connection is gone already. */
export function sever(connection: Connection, reason: string): void {
  try {
    connection.abort(new Error(reason));
  } catch {
    // Its streams are closed; this lets go of the socket, which is all that is left to do.
    connection.close().catch(() => {});
  }
}
