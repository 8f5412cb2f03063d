import { type FastifyInstance, fastify } from "fastify";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ROUTES, type RouteName } from "../../shared/routes.ts";
import type { AgentFace } from "../runtime/face.ts";
import { ANSWERS } from "./answers.ts";
import { serveBlobs } from "./blobs.ts";
import { checkQuery } from "./check-bodies.ts";
import { errorFrom } from "./errors.ts";
import { serveEvents } from "./events.ts";
import { guard, isLoopback } from "./guard.ts";
import { serveOnline } from "./online.ts";
import { servePages } from "./pages.ts";
import { breakOffStalledBodies } from "./stalls.ts";

/** The one thing the API says to the log: a call that failed for no reason of the client's. */
export interface FailureLog {
  log(level: "error", event: string, facts: Record<string, unknown>): void;
}

export interface ApiOptions {
  /** An address of this box; loopback unless a token is set. */
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** Asked of every client that is not on this box. */
  token?: string;
  telemetry: FailureLog;
}

export interface Api {
  /** Where a program on this box reaches it. */
  url: string;
  /** Ends the event streams, lets running calls end, then closes. */
  stop(): Promise<void>;
}

/** How long running calls may take to end at a stop before their connections are closed. */
const STOP_PATIENCE_MS = 2_000;
/** The longest a request may take to come in: a blob of the largest size over a slow link. */
const REQUEST_MS_MAX = 3_600_000;

/** @throws UNAUTHORIZED if it should listen beyond loopback without a token; PORT_TAKEN; BAD_REQUEST if the address is not this box's. */
export async function startApi(face: AgentFace, options: ApiOptions): Promise<Api> {
  if (!options.token && !isLoopback(options.host)) throw new SkeinError("UNAUTHORIZED");
  const app = fastify({
    bodyLimit: LIMITS.apiBodyBytesMax,
    requestTimeout: REQUEST_MS_MAX,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: LIMITS.nameBytesMax * 3 },
    return503OnClosing: false,
  });
  app.server.maxConnections = LIMITS.apiConnectionsMax;
  // What a client put in must never be taken for a page by a browser that guesses.
  app.addHook("onRequest", async (_request, reply) => void reply.header("x-content-type-options", "nosniff"));
  answerErrors(app, options.telemetry);
  servePages(app);
  const streams = new AbortController();
  await app.register(async (scope) => {
    guard(scope, options.token);
    serveRoutes(scope, face);
    serveEvents(scope, face, streams.signal);
    await scope.register(async (blobs) => serveBlobs(blobs, face));
    await scope.register(async (online) => serveOnline(online, face));
  });
  const url = await listen(app, options);
  return { url, stop: () => stop(app, streams) };
}

function serveRoutes(app: FastifyInstance, face: AgentFace): void {
  breakOffStalledBodies(app);
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    const { method, path } = ROUTES[name];
    app.route<{ Params: Record<string, string> }>({
      method,
      url: path.replace(/\?.*/, ""),
      handler: async (request, reply) => {
        const parameters = { ...checkQuery(request.query, path), ...request.params };
        const { status, body } = await ANSWERS[name](face, parameters, request.body);
        return reply.code(status).header("cache-control", "no-store").send(body);
      },
    });
  }
}

function answerErrors(app: FastifyInstance, telemetry: FailureLog): void {
  app.setErrorHandler((error, request, reply) => {
    const known = errorFrom(error);
    if (known.code === "INTERNAL") {
      const stack = error instanceof Error ? error.stack : String(error);
      telemetry.log("error", "apiCallFailed", { method: request.method, path: request.url, stack });
    }
    return reply.code(known.status).header("cache-control", "no-store").send(known.toJSON());
  });
  app.setNotFoundHandler((request) => {
    throw new SkeinError("ROUTE_UNKNOWN", { method: request.method, path: request.url.slice(0, LIMITS.nameBytesMax) });
  });
}

async function listen(app: FastifyInstance, { host, port }: ApiOptions): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EADDRINUSE") throw new SkeinError("PORT_TAKEN", { port, option: "--api-port" }, { cause: error });
    const reason = `the API cannot listen on ${host} port ${port} (${code})`;
    throw new SkeinError("BAD_REQUEST", { reason }, { cause: error });
  }
  const address = app.server.address();
  const bound = typeof address === "object" && address ? address.port : port;
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${near.includes(":") ? `[${near}]` : near}:${bound}`;
}

async function stop(app: FastifyInstance, streams: AbortController): Promise<void> {
  streams.abort();
  const timer = setTimeout(() => app.server.closeAllConnections(), STOP_PATIENCE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
