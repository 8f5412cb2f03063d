import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient } from "../../shared/client.ts";
import { ERRORS, SkeinError } from "../../shared/errors.ts";
import type { JobSpec } from "../../shared/job.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { ROUTES, type RouteName } from "../../shared/routes.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS, sha256 } from "../support/pretend-face.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function handIn(texts: string[], idempotencyKey?: string): Promise<string> {
  const inputs = texts.map((text, i) => ({ name: `p${i}.png`, blob: sha256(bytesOf(text)), bytes: text.length }));
  for (const text of texts) await pretend.client.putBlob(sha256(bytesOf(text)), bytesOf(text));
  const { jobId } = await pretend.client.jobSubmit({
    pipeline: "ocr",
    inputs,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
  return jobId;
}

const raw = (method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(pretend.api.url + path, {
    method,
    ...(body === undefined ? {} : { body }),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  });

test("every route of the table is answered, and with JSON", async () => {
  const jobId = await handIn(["one"]);
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    const { method, path } = ROUTES[name];
    const filled = path.replace(":jobId", jobId).replace(":node", "cellar").replace(":name", "site");
    const response = await raw(method, filled, name === "jobSubmit" ? "{}" : name === "invite" ? "{}" : undefined);
    const body = (await response.json()) as Record<string, unknown>;
    expect([name, body.code]).not.toEqual([name, "ROUTE_UNKNOWN"]);
    expect(response.headers.get("cache-control"), name).toBe("no-store");
  }
});

test("the client derived from the table gets what the face answers", async () => {
  const { client, face } = pretend;
  expect(await client.health()).toEqual(face.health());
  expect(await client.fleet()).toEqual(face.fleet());
  expect(await client.nodes()).toEqual(face.fleet().nodes);
  expect(await client.probe()).toEqual(await face.probe());
  expect(await client.nodeRemove("cellar")).toEqual({ removed: NODE_IDS[2] });
  expect(await client.nodeDrain("cellar", { drained: true })).toMatchObject({ nodeId: NODE_IDS[2], drained: true });
  expect(await client.nodeDrain("cellar", { drained: false })).toMatchObject({ drained: false });
  expect(await client.leaderTransfer({ node: "attic" })).toEqual({ leader: NODE_IDS[0], term: 8 });
  expect(await client.recoveryView()).toEqual(await face.recoveryView());
  const missing = [NODE_IDS[1]!, NODE_IDS[2]!];
  expect(await client.recover({ fleetName: "home", missing })).toMatchObject({ removed: missing });
  expect(await client.leave({})).toMatchObject({ state: "left" });
  face.stopRequested = false;
  expect(await client.invite({ validForMs: 60_000 })).toEqual({ token: "skein1-abc", expiresAtMs: 1_700_000_060_000 });
  const jobId = await handIn(["one", "two"]);
  face.record(jobId as never, 2);
  expect((await client.jobs()).map((job) => job.jobId)).toEqual([jobId]);
  expect((await client.job(jobId)).plan?.shares).toHaveLength(3);
  expect((await client.results(jobId)).results.map((result) => result.name)).toEqual(["p0.png", "p1.png"]);
  expect((await client.receipt(jobId)).copiesMin).toBe(2);
  expect(await client.jobVerify(jobId, { recompute: 1 })).toMatchObject({
    itemsVerified: 2,
    recomputed: 1,
    faults: [],
  });
  expect(face.calls).toContain(`verify ${jobId} 0 1`);
  expect(await client.settingSet("site", { value: "cellar" })).toEqual({ name: "site", value: "cellar" });
  expect(await client.setting("site")).toEqual({ name: "site", value: "cellar" });
  expect((await client.settings()).map(({ name }) => name)).toContain("site");
  expect((await client.jobWhy(jobId, "7.2", "")).leader?.lines).toHaveLength(4);
  expect(face.calls).toContain(`why ${jobId} 7.2 undefined`);
  const next = await handIn(["three"]);
  expect((await client.jobPause(next, { paused: true })).state).toBe("paused");
  expect((await client.jobPause(next, { paused: false })).state).toBe("running");
  await expect(client.jobPause(jobId, { paused: true })).rejects.toMatchObject({ code: "JOB_ENDED" });
  expect((await client.jobCancel(jobId)).state).toBe("cancelled");
  expect(await client.stop()).toEqual({ stopping: true });
  expect(face.stopRequested).toBe(true);
});

test("health is 503 while the agent starts, and the client still reads it", async () => {
  pretend.face.state = "starting";
  expect((await raw("GET", "/v1/health")).status).toBe(503);
  expect((await pretend.client.health()).state).toBe("starting");
  pretend.face.state = "ready";
  expect((await raw("GET", "/v1/health")).status).toBe(200);
});

test("a new job is 201, the same key again is 200 with the first job", async () => {
  const blob = sha256(bytesOf("one"));
  await pretend.client.putBlob(blob, bytesOf("one"));
  const spec = { pipeline: "ocr", inputs: [{ name: "a.png", blob, bytes: 3 }], idempotencyKey: "k" };
  const first = await raw("POST", "/v1/jobs", JSON.stringify(spec));
  const second = await raw("POST", "/v1/jobs", JSON.stringify(spec));
  expect([first.status, second.status]).toEqual([201, 200]);
  expect(((await second.json()) as { jobId: string }).jobId).toBe(((await first.json()) as { jobId: string }).jobId);
});

test.each([
  ["no body", "site", undefined],
  ["no value", "site", {}],
  ["a value that is no text", "site", { value: 3 }],
  ["an unknown key", "site", { value: "x", ttl: 3 }],
  ["a name that may not be", "1st", { value: "x" }],
  ["a value that the fleet's own setting may not have", "votersMax", { value: "99" }],
])("a setting with %s is refused before it reaches the face", async (_, name, body) => {
  const response = await raw("PUT", `/v1/settings/${name}`, body && JSON.stringify(body));
  expect(await response.json()).toMatchObject({ code: "BAD_REQUEST" });
  expect(pretend.face.calls).toEqual([]);
});

test("a parameter with a slash or a percent sign reaches the face as it was meant", async () => {
  const error = await pretend.client.nodeRemove("50% /../bench").catch((e: unknown) => e);
  expect((error as SkeinError).toJSON()).toMatchObject({ code: "NODE_UNKNOWN", facts: { node: "50% /../bench" } });
});

const input = { name: "a.png", blob: "a".repeat(64), bytes: 3 };
const spec = (more: object): unknown => ({ pipeline: "ocr", inputs: [input], ...more });
const named = (name: unknown): unknown => spec({ inputs: [{ ...input, name }] });
const many = (count: number): unknown =>
  spec({ inputs: Array.from({ length: count }, (_, i) => ({ ...input, name: `${i}.png` })) });

const BAD_JOBS: [what: string, body: unknown, code: string][] = [
  ["no object", [], "BAD_REQUEST"],
  ["null", null, "BAD_REQUEST"],
  ["a text", "ocr", "BAD_REQUEST"],
  ["no pipeline", { inputs: [input] }, "BAD_REQUEST"],
  ["a pipeline that is no text", spec({ pipeline: 7 }), "BAD_REQUEST"],
  ["an empty pipeline", spec({ pipeline: "" }), "BAD_REQUEST"],
  ["an unknown pipeline", spec({ pipeline: "ocrr" }), "UNKNOWN_PIPELINE"],
  ["an unknown key", spec({ piepline: "ocr" }), "BAD_REQUEST"],
  ["no inputs", { pipeline: "ocr" }, "BAD_REQUEST"],
  ["inputs that are no list", spec({ inputs: { length: 1 } }), "BAD_REQUEST"],
  ["an empty list", spec({ inputs: [] }), "NO_INPUTS"],
  ["too many inputs", many(LIMITS.jobItemsMax + 1), "TOO_LARGE"],
  ["an input that is null", spec({ inputs: [null] }), "BAD_REQUEST"],
  ["an input with an unknown key", spec({ inputs: [{ ...input, path: "/etc/passwd" }] }), "BAD_REQUEST"],
  ["a name with a parent folder", named("../a.png"), "BAD_REQUEST"],
  ["a name that is the parent folder", named(".."), "BAD_REQUEST"],
  ["a name that is the folder", named("."), "BAD_REQUEST"],
  ["a name with a folder", named("a/b.png"), "BAD_REQUEST"],
  ["a name with a backslash", named("a\\b.png"), "BAD_REQUEST"],
  ["a name with NUL", named("a\0.png"), "BAD_REQUEST"],
  ["a name with an escape sequence", named("\u001b[2J.png"), "BAD_REQUEST"],
  ["an empty name", named(""), "BAD_REQUEST"],
  ["a name that is no text", named(5), "BAD_REQUEST"],
  ["a name over the limit in bytes", named("ä".repeat(LIMITS.nameBytesMax / 2 + 1)), "BAD_REQUEST"],
  ["a repeated name", spec({ inputs: [input, input] }), "BAD_REQUEST"],
  ["a hash that is too short", spec({ inputs: [{ ...input, blob: "abc" }] }), "BAD_REQUEST"],
  ["a hash in capitals", spec({ inputs: [{ ...input, blob: "A".repeat(64) }] }), "BAD_REQUEST"],
  ["negative bytes", spec({ inputs: [{ ...input, bytes: -1 }] }), "BAD_REQUEST"],
  ["broken bytes", spec({ inputs: [{ ...input, bytes: 1.5 }] }), "BAD_REQUEST"],
  ["bytes as text", spec({ inputs: [{ ...input, bytes: "3" }] }), "BAD_REQUEST"],
  ["more bytes than a blob may have", spec({ inputs: [{ ...input, bytes: LIMITS.blobBytesMax + 1 }] }), "BAD_REQUEST"],
  ["an empty key", spec({ idempotencyKey: "" }), "BAD_REQUEST"],
  ["a key that is no text", spec({ idempotencyKey: { a: 1 } }), "BAD_REQUEST"],
  ["a key over the limit", spec({ idempotencyKey: "k".repeat(LIMITS.nameBytesMax + 1) }), "BAD_REQUEST"],
  ["a priority there is none of", spec({ priority: "urgent" }), "BAD_REQUEST"],
  ["a priority that is a number", spec({ priority: 1 }), "BAD_REQUEST"],
  ["a cut there is none of", spec({ cut: "halves" }), "BAD_REQUEST"],
  ["no copies", spec({ copies: 0 }), "BAD_REQUEST"],
  ["more copies than there may be", spec({ copies: LIMITS.copiesMax + 1 }), "BAD_REQUEST"],
  ["half a copy", spec({ copies: 1.5 }), "BAD_REQUEST"],
  ["a deadline that is over", spec({ deadlineInMs: -1 }), "BAD_REQUEST"],
  ["no time at all", spec({ deadlineInMs: 0 }), "BAD_REQUEST"],
  ["a deadline beyond a year", spec({ deadlineInMs: LIMITS.jobDeadlineMsMax + 1 }), "BAD_REQUEST"],
  ["a deadline as text", spec({ deadlineInMs: "30m" }), "BAD_REQUEST"],
  ["a blob that is not here", spec({}), "BLOB_MISSING"],
];

test.each(BAD_JOBS)("a job with %s is refused", async (_what, body, code) => {
  const response = await raw("POST", "/v1/jobs", JSON.stringify(body));
  const answer = (await response.json()) as { code: keyof typeof ERRORS; message: string; facts: object };
  expect(answer.code).toBe(code);
  expect(response.status).toBe(ERRORS[answer.code].status);
  expect(Object.keys(answer).sort()).toEqual(["code", "facts", "message"]);
  expect(answer.message).not.toContain("undefined ");
  expect(pretend.face.pretendJobs.size).toBe(0);
});

test("a job of the largest size fits through the door", async () => {
  const longName = "n".repeat(LIMITS.nameBytesMax - 8);
  const inputs = Array.from({ length: LIMITS.jobItemsMax }, (_, i) => ({ ...input, name: `${longName}${i}.png` }));
  const response = await raw("POST", "/v1/jobs", JSON.stringify(spec({ inputs })));
  // It gets as far as the agent, which does not have the blob.
  expect(((await response.json()) as { code: string }).code).toBe("BLOB_MISSING");
});

const BAD_BODIES: [what: string, method: string, path: string, body: string, type: string, status: number][] = [
  ["broken JSON", "POST", "/v1/jobs", '{"pipeline":', "application/json", 400],
  ["an empty body", "POST", "/v1/jobs", "", "application/json", 400],
  ["text for JSON", "POST", "/v1/jobs", "pipeline=ocr", "application/x-www-form-urlencoded", 400],
  ["a body over the limit", "POST", "/v1/jobs", `"${"x".repeat(LIMITS.apiBodyBytesMax)}"`, "application/json", 413],
  ["prototype poison", "POST", "/v1/jobs", '{"__proto__":{"a":1},"pipeline":"ocr"}', "application/json", 400],
  ["a stop with a body that means something", "POST", "/v1/stop", '{"force":true}', "application/json", 400],
  [
    "an invitation for ever",
    "POST",
    "/v1/invites",
    `{"validForMs":${TIMING.inviteMsMax + 1}}`,
    "application/json",
    400,
  ],
  ["an invitation for no time", "POST", "/v1/invites", '{"validForMs":0}', "application/json", 400],
  ["a drain that does not say which way", "POST", "/v1/nodes/cellar/drain", "{}", "application/json", 400],
  ["a drain of a text", "POST", "/v1/nodes/cellar/drain", '{"drained":"no"}', "application/json", 400],
  ["a transfer to a number", "POST", "/v1/leader", '{"node":7}', "application/json", 400],
  ["a leave with a misspelt key", "POST", "/v1/leave", '{"forse":true}', "application/json", 400],
  ["a forced leave in words", "POST", "/v1/leave", '{"force":"yes"}', "application/json", 400],
  ["a recovery of nothing", "POST", "/v1/recovery", "{}", "application/json", 400],
  ["a recovery without names", "POST", "/v1/recovery", '{"fleetName":"home"}', "application/json", 400],
  [
    "a recovery without somebody who is no node",
    "POST",
    "/v1/recovery",
    '{"fleetName":"home","missing":["bench"]}',
    "application/json",
    400,
  ],
  ["a pause without a word", "POST", "/v1/jobs/job-1/pause", "{}", "application/json", 400],
  ["a pause that is text", "POST", "/v1/jobs/job-1/pause", '{"paused":"yes"}', "application/json", 400],
  ["a pause with more", "POST", "/v1/jobs/job-1/pause", '{"paused":true,"for":5}', "application/json", 400],
  ["an invitation with a misspelt key", "POST", "/v1/invites", '{"validFor":60000}', "application/json", 400],
];

test.each(BAD_BODIES)("%s is refused", async (_what, method, path, body, type, status) => {
  const response = await raw(method, path, body, { "content-type": type });
  expect(response.status).toBe(status);
  const { code, message } = (await response.json()) as { code: string; message: string };
  expect(["BAD_REQUEST", "TOO_LARGE"]).toContain(code);
  expect(message.length).toBeLessThan(400);
  expect(pretend.face.stopRequested).toBe(false);
  expect(pretend.face.calls).toEqual([]);
});

test.each(["?shard=7.1&why=1", "?shard=7.1&shard=7.2", `?item=${"x".repeat(300)}`, "?item=a%0Ab"])(
  "a question for causes with %s is refused",
  async (query) => {
    const jobId = await handIn(["one"]);
    const response = await raw("GET", `/v1/jobs/${jobId}/why${query}`);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { code: string }).code).toBe("BAD_REQUEST");
    expect((await raw("GET", `/v1/jobs/${jobId}/why`)).status).toBe(200);
  },
);

test("an unknown path and a wrong method say so", async () => {
  for (const [method, path] of [
    ["GET", "/v1/nothing"],
    ["DELETE", "/v1/jobs"],
    ["PUT", "/v1/stop"],
    ["GET", "/../../etc/passwd"],
    ["GET", "/v1/nodes/%2e%2e%2fx"],
  ] as const) {
    const response = await raw(method, path);
    expect(response.status).toBe(404);
    expect(((await response.json()) as { code: string }).code).toBe("ROUTE_UNKNOWN");
  }
});

test("each error of the face keeps its code, its facts and its status", async () => {
  const failures = [
    new SkeinError("NO_QUORUM", { reachable: 1, voters: 3, needed: 2, missing: ["bench", "cellar"] }),
    new SkeinError("COPIES_SHORT", { made: 1, wanted: 2, reason: "the disk of bench is full" }),
    new SkeinError("IDEMPOTENCY_CONFLICT", { key: "k", jobId: "job-1" }),
    new SkeinError("DISK_FULL", { path: "/data", freeBytes: 1 }),
  ];
  pretend.face.failures.submit = [...failures];
  for (const failure of failures) {
    const error = await pretend.client.jobSubmit(spec({}) as JobSpec).catch((e: unknown) => e);
    expect((error as SkeinError).toJSON()).toEqual(failure.toJSON());
  }
  expect(pretend.logged).toEqual([]);
});

test("what nobody expected is INTERNAL, and the log has where it came from", async () => {
  pretend.face.failures.cancel = [new TypeError("x is not a function")];
  const error = (await pretend.client.jobCancel("job-1").catch((e: unknown) => e)) as SkeinError;
  expect(error.code).toBe("INTERNAL");
  expect(pretend.logged).toHaveLength(1);
  expect(pretend.logged[0]).toMatchObject({ event: "apiCallFailed", facts: { path: "/v1/jobs/job-1/cancel" } });
  expect(String(pretend.logged[0]?.facts.stack)).toContain("x is not a function");
});

test("a taken port is PORT_TAKEN with the port and the option", async () => {
  const port = Number(new URL(pretend.api.url).port);
  const error = (await startPretendApi({ port }).catch((e: unknown) => e)) as SkeinError;
  expect(error.toJSON()).toMatchObject({ code: "PORT_TAKEN", facts: { port, option: "--api-port" } });
});

test("an address that is not this box's is refused in words", async () => {
  const error = (await startPretendApi({ host: "192.0.2.1", token: "t" }).catch((e: unknown) => e)) as SkeinError;
  expect(error.code).toBe("BAD_REQUEST");
  expect(error.message).toContain("192.0.2.1");
});

test("after a stop nobody answers, and the client says that", async () => {
  await pretend.api.stop();
  const error = (await pretend.client.fleet().catch((e: unknown) => e)) as SkeinError;
  expect(error.code).toBe("AGENT_UNREACHABLE");
  expect(error.facts.url).toBe(pretend.api.url);
});

test("an agent that answers nothing is given up after the deadline", async () => {
  const { promise, resolve } = Promise.withResolvers<never>();
  pretend.face.job = () => promise;
  const client = createClient({ url: pretend.api.url, fetch, deadlineMs: 100 });
  const error = (await client.job("job-1").catch((e: unknown) => e)) as SkeinError;
  expect(error.toJSON()).toMatchObject({ code: "DEADLINE_EXCEEDED", facts: { deadlineMs: 100 } });
  resolve(undefined as never);
});

test("another program on the port is no agent", async () => {
  const notOurs: typeof fetch = async () => new Response("<h1>Router</h1>", { status: 502 });
  const client = createClient({ url: "http://10.0.0.1", fetch: notOurs });
  await expect(client.fleet()).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
});

test.each([
  ["an unknown key", { items: [1] }],
  ["a negative item", { fromItem: -1 }],
  ["an item beyond any job", { fromItem: LIMITS.jobItemsMax + 1 }],
  ["a broken sample", { recompute: 0.5 }],
  ["a list", [1]],
])("a verification with %s is refused before it reaches the face", async (_, body) => {
  const jobId = await handIn(["one"]);
  pretend.face.calls.length = 0;
  const response = await raw("POST", `/v1/jobs/${jobId}/verify`, JSON.stringify(body));
  expect(await response.json()).toMatchObject({ code: "BAD_REQUEST" });
  expect(pretend.face.calls).toEqual([]);
});
