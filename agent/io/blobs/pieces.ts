import { setImmediate } from "node:timers/promises";

/** Cuts a source into pieces small enough to hash between two turns of the event loop. */
export async function* inPieces(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  if (!(source instanceof Uint8Array)) {
    for await (const chunk of source) yield* inPieces(chunk, bytesMax);
    return;
  }
  for (let at = 0; at < source.length; at += bytesMax) {
    if (at > 0) await setImmediate();
    yield source.subarray(at, at + bytesMax);
  }
}
