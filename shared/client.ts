/**
 * A client of the HTTP API, derived from shared/routes.ts: one typed method per route, and the raw routes beside them.
 * Runs in a browser and in Node alike; `fetch` is an argument.
 */
import { type BundledBlob, bundlesOf, writeBundle } from "./blob-bundle.ts";
import { ERRORS, type ErrorBody, SkeinError } from "./errors.ts";
import type { DatasetView } from "./fitting/dataset.ts";
import type { BlobHash } from "./ids.ts";
import { LIMITS, TIMING } from "./limits.ts";
import type { OnlineAnswer } from "./online.ts";
import {
  type AgentEvent,
  RAW_ROUTES,
  ROUTES,
  type RouteName,
  type RouteParams,
  type RouteRequest,
  type RouteResponse,
} from "./routes.ts";
import { linesOf } from "./sse.ts";

/** Pipelines as a program, for `pipelineAdd`. */
export { inner, map, model, operator, type Pipeline, type Port, pipeline } from "./pipeline/builder.ts";

type Texts<P extends readonly unknown[]> = { [K in keyof P]: string };
/** The path's parameters in order, then the body where the route has one. */
type RouteArguments<N extends RouteName> =
  RouteRequest<N> extends undefined
    ? Texts<RouteParams<N>>
    : [...parameters: Texts<RouteParams<N>>, body: RouteRequest<N>];

export type BlobBody = Uint8Array | AsyncIterable<Uint8Array>;

/** Every method rejects with a SkeinError: the agent's own, AGENT_UNREACHABLE if none answered, DEADLINE_EXCEEDED if it took too long. */
export type Client = { [N in RouteName]: (...args: RouteArguments<N>) => Promise<RouteResponse<N>> } & {
  readonly url: string;
  /** @throws BLOB_HASH_MISMATCH, DISK_FULL, TOO_LARGE */
  putBlob(hash: BlobHash, body: BlobBody): Promise<{ existed: boolean }>;
  /** What the fleet makes of one input, now. @throws UNKNOWN_PIPELINE, NOT_READY, TOO_LARGE, DEADLINE_EXCEEDED, and what is wrong with the input */
  infer(pipeline: string, name: string, input: Uint8Array): Promise<OnlineAnswer>;
  /** JSON lines onto the disk of the box that the agent runs on, and no other's. @throws BAD_REQUEST with the line, TOO_LARGE, DISK_FULL */
  putDataset(name: string, body: BlobBody): Promise<DatasetView>;
  /** Many small ones (bundledBlobBytesMax each), in few requests. @throws BLOB_HASH_MISMATCH, DISK_FULL, BAD_REQUEST */
  putBlobs(blobs: readonly BundledBlob[]): Promise<void>;
  /** Whether the agent itself holds it. */
  hasBlob(hash: BlobHash): Promise<boolean>;
  /** From whichever node holds it. @throws BLOB_MISSING */
  getBlob(hash: BlobHash): Promise<Uint8Array>;
  /** The same in chunks, for what is too large to be held; the hash is for whoever takes them to check. @throws BLOB_MISSING */
  streamBlob(hash: BlobHash): AsyncIterable<Uint8Array>;
  /**
   * Events as they happen, until the agent stops, the signal aborts (both end the iteration) or the connection breaks
   * (AGENT_UNREACHABLE). With `since`, first the kept ones after that id.
   */
  events(options?: { since?: number; signal?: AbortSignal }): AsyncIterable<AgentEvent>;
};

export interface ClientOptions {
  /** e.g. `http://127.0.0.1:7401`. */
  url: string;
  token?: string;
  fetch: typeof fetch;
  /** Of small calls and of getting a blob; by default apiDeadlineMs. A submit, and putting or streaming a blob, always have apiSubmitMs. */
  deadlineMs?: number;
}

export function createClient(options: ClientOptions): Client {
  const url = options.url.replace(/\/+$/, "");
  const send = sender(url, options);
  const calls = Object.fromEntries(
    (Object.keys(ROUTES) as RouteName[]).map((name) => [name, (...args: unknown[]) => callRoute(send, name, args)]),
  );
  return {
    ...(calls as { [N in RouteName]: (...args: RouteArguments<N>) => Promise<RouteResponse<N>> }),
    url,
    async putBlob(hash, body) {
      const isBytes = body instanceof Uint8Array;
      const content = { body: isBytes ? new Uint8Array(body) : (body as unknown as ReadableStream), duplex: "half" };
      const headers = { "content-type": "application/octet-stream" };
      const response = await send("PUT", RAW_ROUTES.blob(hash), { ...content, headers }, "submit");
      await answerOf(response);
      return { existed: response.status === 200 };
    },
    async infer(pipeline, name, input) {
      const headers = { "content-type": "application/octet-stream", "x-skein-input": encodeURIComponent(name) };
      const body = new Uint8Array(input);
      const response = await send("POST", RAW_ROUTES.infer(encodeURIComponent(pipeline)), { body, headers });
      if (!response.ok) throw await errorOf(response);
      const told = JSON.parse(decodeURIComponent(response.headers.get("x-skein-answer") ?? "{}")) as Omit<
        OnlineAnswer,
        "output"
      >;
      return { ...told, output: new Uint8Array(await bodyOf(() => response.arrayBuffer(), url)) };
    },
    async putDataset(name, body) {
      const content = { body: body as unknown as ReadableStream, duplex: "half" };
      const headers = { "content-type": "application/x-ndjson" };
      const path = RAW_ROUTES.dataset(encodeURIComponent(name));
      return (await answerOf(await send("PUT", path, { ...content, headers }, "submit"))) as DatasetView;
    },
    async putBlobs(blobs) {
      const sized = blobs.map((blob) => ({ blob, bytes: blob.bytes.length }));
      for (const bundle of bundlesOf(sized)) {
        const body = writeBundle(bundle.map(({ blob }) => blob)) as Uint8Array<ArrayBuffer>;
        const headers = { "content-type": "application/octet-stream" };
        await answerOf(await send("POST", RAW_ROUTES.blobs, { body, headers }, "submit"));
      }
    },
    async hasBlob(hash) {
      const response = await send("HEAD", RAW_ROUTES.blob(hash));
      if (response.status === 404) return false;
      await answerOf(response);
      return true;
    },
    async getBlob(hash) {
      const response = await send("GET", RAW_ROUTES.blob(hash));
      if (!response.ok) throw await errorOf(response);
      return new Uint8Array(await bodyOf(() => response.arrayBuffer(), url));
    },
    streamBlob: (hash) => streamBlob(send, url, hash),
    events: (choice = {}) => readEvents(send, url, choice),
  };
}

/** How long a call may take: as the client is set up, as long as a submit, or (an event stream, which watches its own silence) for ever. */
type Pace = "usual" | "submit" | "endless";
type Send = (method: string, path: string, init?: RequestInit, pace?: Pace) => Promise<Response>;

function sender(url: string, options: ClientOptions): Send {
  // A browser's fetch refuses to be called as a method of something else.
  const { fetch } = options;
  return async (method, path, init = {}, pace = "usual") => {
    const waitMs = pace === "submit" ? TIMING.apiSubmitMs : (options.deadlineMs ?? TIMING.apiDeadlineMs);
    const headers = new Headers(init.headers);
    if (options.token !== undefined) headers.set("authorization", `Bearer ${options.token}`);
    const signals = [init.signal, pace === "endless" ? undefined : AbortSignal.timeout(waitMs)];
    const signal = AbortSignal.any(signals.filter((one) => one instanceof AbortSignal));
    try {
      return await fetch(url + path, { ...init, method, headers, signal });
    } catch (error) {
      if (init.signal?.aborted) throw init.signal.reason;
      if (isTimeout(error))
        throw new SkeinError("DEADLINE_EXCEEDED", { what: `${method} ${path}`, deadlineMs: waitMs });
      throw unreachable(url, error);
    }
  };
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === "TimeoutError";

/** `fetch` hides the reason (ECONNREFUSED and the like) in the cause. */
function unreachable(url: string, error: unknown): SkeinError {
  // What the caller's own stream of bytes threw while it was sent.
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined;
  if (cause instanceof SkeinError) return cause;
  const systemCode = cause?.code?.startsWith("UND_") ? undefined : cause?.code;
  const reason = systemCode || cause?.message || (error instanceof Error ? error.message : String(error));
  return new SkeinError("AGENT_UNREACHABLE", { url, reason }, { cause: error });
}

async function callRoute(send: Send, name: RouteName, args: unknown[]): Promise<unknown> {
  const { method, path } = ROUTES[name];
  const left = [...args];
  const filled = path.replace(/:(\w+)/g, () => encodeURIComponent(String(left.shift())));
  const init: RequestInit =
    left.length === 0 ? {} : { body: JSON.stringify(left[0]), headers: { "content-type": "application/json" } };
  const response = await send(method, filled, init, name === "jobSubmit" || name === "jobVerify" ? "submit" : "usual");
  // An agent that is still starting says so with 503 and its whole health, which is an answer and no error.
  if (name === "health" && response.status === 503) {
    const health = await response.json().catch(() => undefined);
    if (typeof health?.state === "string") return health;
    throw SkeinError.from(isErrorBody(health) ? health : unreachable(response.url, new Error("503")));
  }
  return answerOf(response);
}

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await errorOf(response);
  if (response.headers.get("content-type")?.includes("json") !== true) return undefined;
  return bodyOf(() => response.json(), response.url);
}

/** A connection that breaks in the middle of an answer is an agent that went away. */
async function bodyOf<T>(read: () => Promise<T>, url: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isTimeout(error))
      throw new SkeinError("DEADLINE_EXCEEDED", { what: "The answer", deadlineMs: TIMING.apiDeadlineMs });
    throw unreachable(url, error);
  }
}

const isErrorBody = (body: unknown): body is ErrorBody =>
  typeof body === "object" &&
  body !== null &&
  typeof (body as ErrorBody).code === "string" &&
  Object.hasOwn(ERRORS, (body as ErrorBody).code);

/** Whatever answers without our kind of error body is a proxy, another program, or an agent on its way out. */
async function errorOf(response: Response): Promise<SkeinError> {
  const body: unknown = await response.json().catch(() => undefined);
  if (isErrorBody(body)) return SkeinError.from(body);
  return new SkeinError("AGENT_UNREACHABLE", { url: response.url, reason: `HTTP ${response.status}` });
}

async function* streamBlob(send: Send, url: string, hash: BlobHash): AsyncGenerator<Uint8Array> {
  const response = await send("GET", RAW_ROUTES.blob(hash), {}, "submit");
  if (!response.ok || !response.body) throw await errorOf(response);
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await bodyOf(() => reader.read(), url);
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {
      // It broke already, which is what the reader was told.
    });
  }
}

async function* readEvents(
  send: Send,
  url: string,
  choice: { since?: number; signal?: AbortSignal },
): AsyncGenerator<AgentEvent> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (choice.since !== undefined) headers["last-event-id"] = String(choice.since);
  // The silence watch must be able to end the request, whatever the caller's signal does.
  const watch = new AbortController();
  const signal = choice.signal ? AbortSignal.any([watch.signal, choice.signal]) : watch.signal;
  try {
    const response = await send("GET", RAW_ROUTES.events, { headers, signal }, "endless");
    if (!response.ok || !response.body) throw await errorOf(response);
    for await (const line of linesOf(response.body, TIMING.eventSilenceMs, LIMITS.frameBytesMax)) {
      if (line.startsWith("data:")) yield JSON.parse(line.slice("data:".length)) as AgentEvent;
    }
  } catch (error) {
    if (choice.signal?.aborted) return;
    throw error instanceof SkeinError ? error : unreachable(url, error);
  } finally {
    watch.abort();
  }
}
