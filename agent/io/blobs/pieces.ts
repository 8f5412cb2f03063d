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

/** The whole source if it is at most `bytesMax`; else a source that gives all of it, what was read included. */
export async function wholeIfSmall(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<{ whole: Uint8Array } | { source: Uint8Array | AsyncIterable<Uint8Array> }> {
  if (source instanceof Uint8Array) return source.length <= bytesMax ? { whole: source } : { source };
  const parts: Uint8Array[] = [];
  const rest = source[Symbol.asyncIterator]();
  for (let bytes = 0; bytes <= bytesMax; ) {
    const { done, value } = await rest.next();
    if (done) return { whole: Buffer.concat(parts) };
    parts.push(value);
    bytes += value.length;
  }
  const iterator = {
    next: async () => {
      const value = parts.shift();
      return value ? { done: false as const, value } : rest.next();
    },
    return: async () => {
      await rest.return?.();
      return { done: true as const, value: undefined };
    },
  };
  return { source: { [Symbol.asyncIterator]: () => iterator } };
}
