import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClient } from "../../shared/client.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { type AgentEvent, RAW_ROUTES } from "../../shared/routes.ts";
import { linesOf } from "../../shared/sse.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

/** Reads until `count` events came. */
async function take(count: number, options: { since?: number } = {}, before?: () => void): Promise<AgentEvent[]> {
  const quit = new AbortController();
  const events: AgentEvent[] = [];
  const reading = (async () => {
    for await (const event of pretend.client.events({ ...options, signal: quit.signal })) {
      events.push(event);
      if (events.length === count) quit.abort();
    }
  })();
  if (before) {
    await vi.waitFor(() => expect(pretend.face.listeners).toBe(1));
    before();
  }
  await reading;
  return events;
}

test("without a last event only what is new is told", async () => {
  pretend.face.emit("old");
  const events = await take(2, {}, () => {
    pretend.face.emit("leaderChanged", { term: 8 });
    pretend.face.emit("jobSubmitted", { jobId: "job-1" });
  });
  expect(events.map(({ id, event, facts }) => [id, event, facts])).toEqual([
    [2, "leaderChanged", { term: 8 }],
    [3, "jobSubmitted", { jobId: "job-1" }],
  ]);
});

test("a reader that comes back names the last event it saw and misses none", async () => {
  for (const event of ["a", "b", "c"]) pretend.face.emit(event);
  expect((await take(3, { since: 1 }, () => pretend.face.emit("d"))).map((event) => event.id)).toEqual([2, 3, 4]);
});

test("after a restart of the agent its ids begin anew, and everything is told", async () => {
  for (const event of ["a", "b"]) pretend.face.emit(event);
  expect((await take(2, { since: 5_000 })).map((event) => event.id)).toEqual([1, 2]);
});

test("what is no longer kept is counted", async () => {
  for (let i = 0; i < LIMITS.eventsKeptMax + 10; i++) pretend.face.emit("tick");
  const events = await take(2, { since: 5 });
  expect(events[0]).toMatchObject({ id: 10, event: "eventsMissed", facts: { count: 5 } });
  expect(events[1]).toMatchObject({ id: 11, event: "tick" });
});

test.each(["-1", "1.5", "x"])("a last event of %s is refused", async (id) => {
  const response = await fetch(pretend.api.url + RAW_ROUTES.events, { headers: { "last-event-id": id } });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: "BAD_REQUEST" });
});

test("a stop of the API ends the streams in order", async () => {
  const reading = (async () => {
    for await (const _event of pretend.client.events());
    return "ended";
  })();
  await vi.waitFor(() => expect(pretend.face.listeners).toBe(1));
  const stopped = pretend.api.stop();
  expect(await reading).toBe("ended");
  await stopped;
  expect(pretend.face.listeners).toBe(0);
});

test("a reader that leaves is no longer told", async () => {
  await take(1, {}, () => pretend.face.emit("a"));
  await vi.waitFor(() => expect(pretend.face.listeners).toBe(0));
});

test("a reader that does not read costs a bounded buffer, and catches up from the kept events", async () => {
  const socket = connect(Number(new URL(pretend.api.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  socket.write("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await vi.waitFor(() => expect(pretend.face.listeners).toBe(1));
  const facts = { filler: "x".repeat(8_000) };
  const askedFor: number[] = [];
  const eventsSince = pretend.face.eventsSince.bind(pretend.face);
  pretend.face.eventsSince = (id) => {
    askedFor.push(id);
    return eventsSince(id);
  };
  for (let i = 0; i < LIMITS.eventsKeptMax; i++) pretend.face.emit("tick", facts);
  // Far less was written than happened: the rest waits in the kept events, not in this reader's buffer.
  expect(askedFor).toEqual([]);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.resume();
  await vi.waitFor(() => expect(text).toContain(`"id":${LIMITS.eventsKeptMax},`), { timeout: 10_000 });
  expect(askedFor.length).toBeGreaterThan(0);
  const ids = [...text.matchAll(/^id: (\d+)\r?$/gm)].map((match) => Number(match[1]));
  expect(ids).toEqual(Array.from({ length: LIMITS.eventsKeptMax }, (_, i) => i + 1));
  socket.destroy();
});

test("more streams than the limit are refused in words", async () => {
  const quit = new AbortController();
  const open = Array.from({ length: LIMITS.eventStreamsMax }, () =>
    fetch(pretend.api.url + RAW_ROUTES.events, { signal: quit.signal }),
  );
  await Promise.all(open);
  const one = pretend.client.events()[Symbol.asyncIterator]();
  await expect(one.next()).rejects.toMatchObject({ code: "BAD_REQUEST" });
  quit.abort();
});

test("a stream that falls silent is given up", async () => {
  const body = new ReadableStream<Uint8Array>({ start: (out) => out.enqueue(new TextEncoder().encode(": hello\n")) });
  const lines = linesOf(body, 50, 1000);
  expect((await lines.next()).value).toBe(": hello");
  await expect(lines.next()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test("lines are put together whatever way their bytes are cut", async () => {
  const bytes = new TextEncoder().encode("id: 1\r\ndata: Grüße\n\n: x\n");
  const body = new ReadableStream<Uint8Array>({
    start(out) {
      for (const byte of bytes) out.enqueue(new Uint8Array([byte]));
      out.close();
    },
  });
  const lines: string[] = [];
  for await (const line of linesOf(body, 1000, 1000)) if (line !== "") lines.push(line);
  expect(lines).toEqual(["id: 1", "data: Grüße", ": x"]);
});

test("a line without an end is not gathered for ever", async () => {
  const body = new ReadableStream<Uint8Array>({ pull: (out) => out.enqueue(new Uint8Array(600).fill(65)) });
  await expect(linesOf(body, 1000, 1000).next()).rejects.toMatchObject({ code: "TOO_LARGE" });
});

test("a quiet stream shows signs of life", async () => {
  vi.useFakeTimers({ toFake: ["setInterval"] });
  try {
    const response = await fetch(pretend.api.url + RAW_ROUTES.events);
    const lines = linesOf(response.body!, TIMING.eventSilenceMs, 1000);
    expect((await lines.next()).value).toBe("retry: 1000");
    await lines.next();
    vi.advanceTimersByTime(TIMING.eventHeartbeatMs);
    expect((await lines.next()).value).toBe(": still here");
    await lines.return(undefined);
  } finally {
    vi.useRealTimers();
  }
});

test("a broken connection is an agent that went away, not the end of the events", async () => {
  const breaks: typeof fetch = async () =>
    new Response(new ReadableStream({ pull: (out) => out.error(new TypeError("terminated")) }));
  const client = createClient({ url: "http://127.0.0.1:1", fetch: breaks });
  await expect(client.events()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
});
