import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { DASHBOARD_FILES } from "../dashboard/index.ts";

/** The page loads nothing but its own files and talks to nobody but this agent; no other page may frame it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The dashboard's files, read once at start. They hold no secrets, so they need no token; what the page then asks for does. */
export function servePages(app: FastifyInstance): void {
  for (const { path, file, type } of DASHBOARD_FILES) {
    const content = readFileSync(file);
    app.get(path, async (_request, reply) =>
      reply
        .headers({
          "content-type": type,
          "cache-control": "no-cache",
          "content-security-policy": POLICY,
          "referrer-policy": "no-referrer",
        })
        .send(content),
    );
  }
}
