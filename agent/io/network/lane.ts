import type { Stream } from "@libp2p/interface";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { errorFrom, FrameReader, framed, isOpen, partsOf, type StreamBytes } from "./framing.ts";
import { renewWindowAtHalf } from "./insides.ts";

/** Frames that wait are sent in one piece up to this size: libp2p pays per send, not per byte. */
const BATCH_BYTES = 128 * 1024;

export interface LaneListener {
  /** Any byte at all. */
  bytesHeard(): void;
  /** May throw FRAME_INVALID: the lane then closes with it. */
  frameHeard(body: Uint8Array): void;
  /** Once. `error` is absent if the other side closed in order. */
  closed(error?: Error): void;
}

/**
 * A long-lived stream of frames. What is to be sent waits in a bounded queue here and never in libp2p, whose own write
 * buffer has no bound. Reading needs no queue: a frame is handed on as it arrives, so at most one is held.
 */
export class Lane {
  readonly #stream: Stream;
  readonly #listener: LaneListener;
  readonly #reader = new FrameReader(LIMITS.frameBytesMax);
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #flushing = false;
  #closed = false;

  constructor(stream: Stream, listener: LaneListener) {
    this.#stream = stream;
    this.#listener = listener;
    renewWindowAtHalf(stream);
    stream.addEventListener("drain", () => this.#flushSoon());
    stream.addEventListener("remoteCloseWrite", () => this.close());
    stream.addEventListener("close", (event) => this.#ended(event.error));
    stream.addEventListener("message", (event) => this.#read(event.data));
    if (stream.status !== "open") queueMicrotask(() => this.#ended());
  }

  /** False if the lane is closed or its queue is full; `headroomBytes` lets a few small frames in beyond the bound. */
  send(body: Uint8Array, headroomBytes = 0): boolean {
    if (this.#closed || this.#waitingBytes + body.byteLength > LIMITS.laneQueueBytesMax + headroomBytes) return false;
    const frame = framed(body);
    this.#waiting.push(frame);
    this.#waitingBytes += frame.byteLength;
    this.#flushSoon();
    return true;
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#stream.abort(error ?? new Error("the lane was closed"));
    this.#ended(error);
  }

  /** In a microtask, so that everything said in one turn of the loop leaves in one piece. */
  #flushSoon(): void {
    if (this.#flushing || this.#closed || this.#waiting.length === 0) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Hands the stream a batch only when it has nothing of its own left to send: a drain event alone does not mean that. */
  #flush(): void {
    while (!this.#closed && this.#waiting.length > 0) {
      if (!isOpen(this.#stream) || this.#stream.writableNeedsDrain || this.#stream.writeBufferLength > 0) return;
      const batch = this.#takeBatch();
      try {
        if (!this.#stream.send(batch)) return;
      } catch (error) {
        this.close(errorFrom(error));
      }
    }
  }

  #takeBatch(): Uint8Array {
    const first = this.#waiting[0]!;
    let count = 1;
    let bytes = first.byteLength;
    while (count < this.#waiting.length && bytes + this.#waiting[count]!.byteLength <= BATCH_BYTES)
      bytes += this.#waiting[count++]!.byteLength;
    const taken = this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
    return count === 1 ? first : Buffer.concat(taken, bytes);
  }

  #read(data: StreamBytes): void {
    if (this.#closed) return;
    this.#listener.bytesHeard();
    try {
      for (const part of partsOf(data))
        this.#reader.push(part, (body) => {
          this.#listener.frameHeard(body);
          return this.#closed ? "stop" : undefined;
        });
    } catch (error) {
      this.close(errorFrom(error));
      // Only a SkeinError says that the peer is to blame; anything else is a fault of ours and stops the agent.
      if (!(error instanceof SkeinError)) throw error;
    }
  }

  #ended(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#listener.closed(error);
  }
}
