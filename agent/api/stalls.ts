import type { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";

const stalled = (): SkeinError =>
  new SkeinError("DEADLINE_EXCEEDED", { what: "The upload", deadlineMs: TIMING.apiStallMs });

/** A JSON body must be whole within apiStallMs: it is small, and whoever sends it slower holds a connection for nothing. */
export function breakOffStalledBodies(app: FastifyInstance): void {
  app.addHook("preParsing", async (request, _reply, payload) => {
    if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined)
      return payload;
    const timer = setTimeout(() => request.raw.destroy(stalled()), TIMING.apiStallMs);
    request.raw.once("close", () => clearTimeout(timer));
    request.raw.once("end", () => clearTimeout(timer));
    return payload;
  });
}

/**
 * The chunks of an upload, with back-pressure: nothing is read that was not asked for. The watch runs only while the
 * sender is waited for, so a slow disk on this side is never held against it.
 * @throws TOO_LARGE over blobBytesMax; DEADLINE_EXCEEDED when no byte came for `stallMs`.
 */
export async function* uploadOf(source: Readable, stallMs: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  const watch = (): NodeJS.Timeout => setTimeout(() => source.destroy(stalled()), stallMs);
  let timer = watch();
  try {
    // The socket must outlive an early end, or the sender never reads why it was refused.
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      bytes += chunk.length;
      if (bytes > LIMITS.blobBytesMax)
        throw new SkeinError("TOO_LARGE", {
          what: "The blob",
          actual: `over ${bytes} bytes`,
          limit: LIMITS.blobBytesMax,
        });
      yield chunk;
      timer = watch();
    }
  } finally {
    clearTimeout(timer);
  }
}
