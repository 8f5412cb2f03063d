import type { FastifyError } from "fastify";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";

/** Fastify's own refusals in our words. Anything it does not blame on the client is ours: INTERNAL, and logged. */
export function errorFrom(error: unknown): SkeinError {
  if (error instanceof SkeinError) return error;
  const { code, statusCode, message } = error as FastifyError;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new SkeinError("TOO_LARGE", {
        what: "The request's body",
        actual: `over ${LIMITS.apiBodyBytesMax} bytes`,
        limit: LIMITS.apiBodyBytesMax,
      });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new SkeinError("BAD_REQUEST", { reason: "the body is empty" });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new SkeinError("BAD_REQUEST", { reason: "the body must be application/json" });
  }
  const isClientsFault = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  if (isClientsFault) return new SkeinError("BAD_REQUEST", { reason: withoutFullStop(message) }, { cause: error });
  return SkeinError.from(error);
}

const withoutFullStop = (text: string): string => text.replace(/\.$/, "");
