import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { afterEach, expect, test } from "vitest";
import { isLoopback } from "../../agent/api/guard.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";

let pretend: PretendApi | undefined;
afterEach(async () => {
  await pretend?.api.stop();
  pretend = undefined;
});

/** fetch would not let a test forge Host and Origin. */
async function ask(
  path: string,
  { method = "GET", headers = {}, host }: { method?: string; headers?: Record<string, string>; host?: string } = {},
): Promise<{ status: number; code: string | undefined }> {
  const { port, hostname } = new URL(pretend!.api.url);
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; code: string | undefined }>();
  const call = request({ host: host ?? hostname, port, path, method, headers }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("end", () => {
      const isJson = String(response.headers["content-type"]).includes("json");
      resolve({ status: response.statusCode ?? 0, code: isJson ? JSON.parse(text).code : undefined });
    });
  });
  call.on("error", reject).end();
  return promise;
}

test("an API beyond loopback without a token does not even start", async () => {
  for (const host of ["0.0.0.0", "::", "192.168.1.5"])
    await expect(startPretendApi({ host })).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});

test.each(["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost"])("%s is this box", (address) =>
  expect(isLoopback(address)).toBe(true),
);

test.each(["0.0.0.0", "128.0.0.1", "::", "::ffff:10.0.0.1", "10.0.0.1", "127.0.0.1.evil.example", "", "box"])(
  "%s is not this box",
  (address) => expect(isLoopback(address)).toBe(false),
);

test.each(["localhost:7401", "127.0.0.1:7401", "[::1]:7401", "192.168.1.5", "app.localhost"])(
  "a request for %s is taken",
  async (host) => {
    pretend = await startPretendApi();
    expect((await ask("/v1/fleet", { headers: { host } })).status).toBe(200);
  },
);

test.each(["evil.example", "evil.example:7401", "127.0.0.1.evil.example", "localhost.evil.example"])(
  "a name made to point here, %s, is refused",
  async (host) => {
    pretend = await startPretendApi();
    expect(await ask("/v1/fleet", { headers: { host } })).toEqual({ status: 403, code: "ORIGIN_REFUSED" });
  },
);

test.each(["http://evil.example", "null", "http://localhost:9999", "https://localhost:7401"])(
  "a page of %s cannot stop the agent",
  async (origin) => {
    pretend = await startPretendApi();
    const headers = { host: "localhost:7401", origin };
    expect(await ask("/v1/stop", { method: "POST", headers })).toEqual({ status: 403, code: "ORIGIN_REFUSED" });
    expect(pretend.face.stopRequested).toBe(false);
  },
);

test("the agent's own page may", async () => {
  pretend = await startPretendApi();
  const headers = { host: "localhost:7401", origin: "http://localhost:7401" };
  expect((await ask("/v1/stop", { method: "POST", headers })).status).toBe(200);
});

test("a proxy on this box does not make strangers local", async () => {
  pretend = await startPretendApi({ token: "secret" });
  for (const header of ["x-forwarded-for", "forwarded"]) {
    const refused = await ask("/v1/fleet", { headers: { [header]: "203.0.113.9" } });
    expect(refused).toEqual({ status: 401, code: "UNAUTHORIZED" });
    const headers = { [header]: "203.0.113.9", authorization: "Bearer secret" };
    expect((await ask("/v1/fleet", { headers })).status).toBe(200);
  }
});

test("on this box no token is needed, even where there is one", async () => {
  pretend = await startPretendApi({ token: "secret" });
  expect((await ask("/v1/fleet")).status).toBe(200);
});

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find((one) => !one.internal && one.family === "IPv4")?.address;

test.skipIf(outside === undefined)("from beyond loopback the token is needed, whole and exact", async () => {
  pretend = await startPretendApi({ token: "secret", host: "0.0.0.0" });
  const from = (authorization?: string) =>
    ask("/v1/fleet", { host: outside!, headers: authorization === undefined ? {} : { authorization } });
  for (const wrong of [undefined, "", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret"])
    expect(await from(wrong)).toEqual({ status: 401, code: "UNAUTHORIZED" });
  expect((await from("Bearer secret")).status).toBe(200);
  expect((await from("bearer secret")).status).toBe(200);
  // Nothing of the API is open to strangers, events and blobs included; the page's own files are, they hold no secrets.
  expect((await ask("/v1/events", { host: outside! })).status).toBe(401);
  expect((await ask(`/v1/blobs/${"a".repeat(64)}`, { host: outside! })).status).toBe(401);
  expect((await ask("/page.js", { host: outside! })).status).toBe(200);
});
