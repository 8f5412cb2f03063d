import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { checkText } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { RAW_ROUTES } from "../../shared/routes.ts";
import type { AgentFace } from "../runtime/face.ts";
import { uploadOf } from "./stalls.ts";

/** One input in, its output out; and rows in that stay here. Registered in a scope of its own, because here a body is a stream and never parsed. */
export function serveOnline(app: FastifyInstance, face: AgentFace): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.put<{ Params: { name: string } }>(RAW_ROUTES.dataset(":name"), async (request, reply) => {
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    return reply.send(await face.putDataset(request.params.name, uploadOf(body, TIMING.apiStallMs)));
  });
  app.post<{ Params: { pipeline: string } }>(RAW_ROUTES.infer(":pipeline"), async (request, reply) => {
    const input = await whole(request.body instanceof Readable ? request.body : Readable.from([]));
    const { output, ...told } = await face.infer(request.params.pipeline, nameOf(request.headers), input);
    reply
      .header("x-skein-answer", encodeURIComponent(JSON.stringify(told)))
      .header("content-type", "application/octet-stream");
    return reply.header("cache-control", "no-store").send(Buffer.from(output));
  });
}

async function whole(body: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of uploadOf(body, TIMING.apiStallMs)) {
    bytes += chunk.length;
    if (bytes > LIMITS.onlineBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: "An input that is waited for",
        actual: `over ${bytes} bytes`,
        limit: `${LIMITS.onlineBytesMax} bytes; hand a larger one in as a job`,
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** For messages only, so what cannot be read is left out. */
function nameOf(headers: Record<string, unknown>): string {
  try {
    return checkText(decodeURIComponent(String(headers["x-skein-input"])), "x-skein-input", LIMITS.nameBytesMax);
  } catch {
    return "the input";
  }
}
