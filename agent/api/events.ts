import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { type AgentEvent, RAW_ROUTES } from "../../shared/routes.ts";
import type { AgentFace } from "../runtime/face.ts";

/** Server-sent events (WHATWG HTML, section 9.2), until the client goes or `stopping` aborts. */
export function serveEvents(app: FastifyInstance, face: AgentFace, stopping: AbortSignal): void {
  const open = new Set<EventStream>();
  stopping.addEventListener("abort", () => {
    for (const stream of open) stream.end();
  });
  app.get(RAW_ROUTES.events, async (request, reply) => {
    if (open.size >= LIMITS.eventStreamsMax) {
      const reason = `${open.size} event streams are open; the most is ${LIMITS.eventStreamsMax}`;
      throw new SkeinError("BAD_REQUEST", { reason });
    }
    const since = startFor(request, face);
    reply.hijack();
    const stream = new EventStream(reply.raw, face, since);
    open.add(stream);
    reply.raw.once("close", () => open.delete(stream));
    if (stopping.aborted) stream.end();
  });
}

/** The id after which the stream starts. Without a `Last-Event-ID` (or `?since=`) only what is new is told. */
function startFor(request: FastifyRequest, face: AgentFace): number {
  const asked = request.headers["last-event-id"] ?? (request.query as { since?: string }).since;
  const newest = face.eventsSince(0).at(-1)?.id ?? 0;
  if (asked === undefined) return newest;
  const since = Number(asked);
  if (!Number.isSafeInteger(since) || since < 0)
    throw new SkeinError("BAD_REQUEST", { reason: "the last event's id must be a whole number" });
  // An id this life of the agent has not reached is from an earlier life: everything since is news.
  return since > newest ? 0 : since;
}

/**
 * One reader. While it keeps up, events are pushed; once eventStreamBytesMax wait in its connection, nothing more is, and
 * when they are drained it is led through the agent's kept events from where it was. So a slow reader costs no memory, and
 * one that is slower than the kept events reach is told how many it missed.
 */
class EventStream {
  readonly #out: ServerResponse;
  readonly #face: AgentFace;
  readonly #ends: () => void;
  /** Invariant: every event up to here was written or counted as missed. */
  #told: number;
  #isBehindSinceMs: number | undefined;

  constructor(out: ServerResponse, face: AgentFace, since: number) {
    this.#out = out;
    this.#face = face;
    this.#told = since;
    out.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // Proxies that buffer would hold events back.
      "x-accel-buffering": "no",
    });
    out.write("retry: 1000\n\n");
    const quit = face.onEvent((event) => this.#hear(event));
    const heartbeat = setInterval(() => this.#beat(), TIMING.eventHeartbeatMs);
    this.#ends = () => {
      quit();
      clearInterval(heartbeat);
    };
    out.on("drain", () => {
      this.#isBehindSinceMs = undefined;
      this.#catchUp();
    });
    out.once("close", this.#ends);
    // A reader that went away while it was written to; "close" follows.
    out.on("error", () => {});
    this.#catchUp();
  }

  end(): void {
    this.#ends();
    this.#out.end();
  }

  #hear(event: AgentEvent): void {
    if (event.id === this.#told + 1 && this.#isBehindSinceMs === undefined) this.#tell(event);
    else this.#catchUp();
  }

  /** Tells what the reader has not been told yet, as far as its connection takes it. */
  #catchUp(): void {
    if (this.#isBehindSinceMs !== undefined) return;
    for (const event of this.#face.eventsSince(this.#told)) {
      const missed = event.id - this.#told - 1;
      if (missed > 0)
        this.#tell({ id: event.id - 1, atMs: event.atMs, event: "eventsMissed", facts: { count: missed } });
      this.#tell(event);
      if (this.#isBehindSinceMs !== undefined) return;
    }
  }

  #tell(event: AgentEvent): void {
    this.#told = event.id;
    this.#out.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
    if (this.#out.writableLength > LIMITS.eventStreamBytesMax) this.#isBehindSinceMs ??= performance.now();
  }

  #beat(): void {
    const behindMs = this.#isBehindSinceMs === undefined ? 0 : performance.now() - this.#isBehindSinceMs;
    if (behindMs > TIMING.eventSilenceMs) this.#out.destroy();
    else if (behindMs === 0) this.#out.write(": still here\n\n");
  }
}
