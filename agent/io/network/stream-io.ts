import type { Stream } from "@libp2p/interface";
import { pEvent } from "p-event";
import { LIMITS } from "../../../shared/limits.ts";
import { errorFrom, FrameReader, partsOf, type StreamBytes } from "./framing.ts";
import { renewWindowAtHalf } from "./insides.ts";

/**
 * Sends, and waits until at most `leaveBytes` of it are left to go. `drain` means that some room was made, not that all is
 * gone, so the buffer itself is asked. (`stream.onDrain()` waits only once in a stream's life, so the event is awaited.)
 * @throws if no room is made for `stallMs`, or the stream ends.
 */
export async function sendSteadily(stream: Stream, bytes: Uint8Array, stallMs: number, leaveBytes = 0): Promise<void> {
  stream.send(bytes);
  await sent(stream, stallMs, leaveBytes);
}

/** Waits until at most `leaveBytes` are left to go. @throws as `sendSteadily` */
export async function sent(stream: Stream, stallMs: number, leaveBytes = 0): Promise<void> {
  while (stream.writeBufferLength > leaveBytes) {
    try {
      await pEvent(stream, "drain", { rejectionEvents: ["close"], timeout: stallMs });
    } catch (error) {
      throw errorFrom(error);
    }
    // libp2p's own answer to the event is to send what is buffered, one microtask from now.
    await Promise.resolve();
  }
}

/**
 * Pulls from a stream with back-pressure that reaches the sender: above the read-ahead the stream is paused, so that its
 * window is not renewed. Iterating a libp2p stream, or its byte-stream helpers, would read on without bound.
 */
export class StreamReader {
  readonly #stream: Stream;
  readonly #onBytes: () => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Stream, onBytes: () => void) {
    this.#stream = stream;
    this.#onBytes = onBytes;
    renewWindowAtHalf(stream);
    stream.addEventListener("message", (event) => this.#take(event.data));
    stream.addEventListener("end", () => this.#end());
    stream.addEventListener("close", (event) => this.#end(event.error));
    if (stream.readableEnded) this.#end();
  }

  /** The next bytes, or undefined at the end. @throws if none come for `stallMs`, or the stream was broken off. */
  async next(stallMs: number): Promise<Uint8Array | undefined> {
    if (this.#parts.length === 0 && !this.#ended) await this.#arrival(stallMs);
    const part = this.#parts.shift();
    if (part) {
      this.#bytes -= part.byteLength;
      if (this.#paused && this.#bytes <= LIMITS.bulkReadAheadBytes / 2) this.#resume();
      return part;
    }
    if (this.#error) throw this.#error;
    return undefined;
  }

  /** One frame; what follows it stays to be read. @throws FRAME_INVALID, or if the stream ends first. */
  async nextFrame(bytesMax: number, stallMs: number): Promise<Uint8Array> {
    const reader = new FrameReader(bytesMax);
    for (;;) {
      const part = await this.next(stallMs);
      if (!part) throw new Error("the stream ended before a frame was whole");
      let frame: Uint8Array | undefined;
      const read = reader.push(part, (body) => {
        frame = body;
        return "stop";
      });
      if (!frame) continue;
      if (read < part.byteLength) {
        this.#parts.unshift(part.subarray(read));
        this.#bytes += part.byteLength - read;
      }
      return frame;
    }
  }

  #arrival(stallMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(new Error(`no byte moved for ${stallMs} ms`));
      }, stallMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #take(data: StreamBytes): void {
    this.#onBytes();
    for (const part of partsOf(data)) {
      this.#parts.push(part);
      this.#bytes += part.byteLength;
    }
    if (!this.#paused && this.#bytes > LIMITS.bulkReadAheadBytes) {
      this.#paused = true;
      // Not at once: a pause inside a dispatch that resume() began is undone by it.
      queueMicrotask(() => {
        if (this.#paused && !this.#ended && this.#stream.readStatus === "readable") this.#stream.pause();
      });
    }
    this.#wake?.();
  }

  #resume(): void {
    this.#paused = false;
    if (this.#stream.readStatus === "paused") this.#stream.resume();
  }

  #end(error?: Error): void {
    if (this.#ended && !error) return;
    // Bytes that libp2p still holds for a paused stream come with resume(); the end comes again after them.
    if (!error && this.#stream.readBufferLength > 0) return;
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }
}
