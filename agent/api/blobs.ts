import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { readBundle } from "../../shared/blob-bundle.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { RAW_ROUTES } from "../../shared/routes.ts";
import type { AgentFace } from "../runtime/face.ts";
import { uploadOf } from "./stalls.ts";

/** Bytes in and out under their hash. Registered in a scope of its own, because here a body is a stream and never parsed. */
export function serveBlobs(app: FastifyInstance, face: AgentFace): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  const url = RAW_ROUTES.blob(":hash");

  app.put(url, async (request, reply) => {
    const hash = hashOf(request);
    const announced = Number(request.headers["content-length"] ?? 0);
    if (announced > LIMITS.blobBytesMax)
      throw new SkeinError("TOO_LARGE", { what: "The blob", actual: announced, limit: LIMITS.blobBytesMax });
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    const { existed, bytes } = await face.putBlob(uploadOf(body, TIMING.apiStallMs), hash);
    return reply.code(existed ? 200 : 201).send({ hash, bytes });
  });

  app.post(RAW_ROUTES.blobs, async (request, reply) => {
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    const blobs = readBundle(await bundleFrom(body));
    await face.putBlobs(blobs);
    return reply.send({ blobs: blobs.length });
  });

  app.head(url, async (request, reply) => {
    const bytes = await face.blobSize(hashOf(request));
    if (bytes === undefined) return reply.code(404).send();
    return reply.header("content-length", bytes).send();
  });

  app.get(url, async (request, reply) => {
    const { bytes, chunks } = await face.readBlob(hashOf(request));
    // Bytes under a hash never change.
    reply
      .header("cache-control", "private, max-age=31536000, immutable")
      .header("content-type", "application/octet-stream")
      .header("content-length", bytes);
    return reply.send(Readable.from(chunks, { objectMode: false }));
  });
}

async function bundleFrom(body: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of uploadOf(body, TIMING.apiStallMs)) {
    bytes += chunk.length;
    if (bytes > LIMITS.bundleBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: "The bundle",
        actual: `over ${bytes} bytes`,
        limit: LIMITS.bundleBytesMax,
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

function hashOf(request: FastifyRequest): BlobHash {
  const { hash } = request.params as { hash: string };
  if (isBlobHash(hash)) return hash;
  throw new SkeinError("BAD_REQUEST", { reason: "the blob's name must be a SHA-256 as 64 lower-case hex digits" });
}
