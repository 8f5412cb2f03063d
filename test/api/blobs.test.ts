import { request } from "node:http";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { uploadOf } from "../../agent/api/stalls.ts";
import { writeBundle } from "../../shared/blob-bundle.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { RAW_ROUTES } from "../../shared/routes.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { sha256 } from "../support/pretend-face.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const pages = new TextEncoder().encode("a page");
const hash = sha256(pages);

test("bytes go in under their hash once, and come out as they were", async () => {
  const { client } = pretend;
  expect(await client.hasBlob(hash)).toBe(false);
  expect(await client.putBlob(hash, pages)).toEqual({ existed: false });
  expect(await client.putBlob(hash, pages)).toEqual({ existed: true });
  expect(await client.hasBlob(hash)).toBe(true);
  expect(await client.getBlob(hash)).toEqual(pages);
});

test("a large one comes out in chunks, and one that is nowhere is missing", async () => {
  const { client } = pretend;
  const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
  await client.putBlob(sha256(large), large);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.streamBlob(sha256(large))) chunks.push(chunk);
  expect(chunks.length).toBeGreaterThan(1);
  expect(Buffer.concat(chunks).equals(large)).toBe(true);
  await expect(client.streamBlob(hash)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "BLOB_MISSING" });
});

test("a reader that has enough of a large one leaves the connection to others", async () => {
  const { client } = pretend;
  const large = new Uint8Array(3_000_000);
  await client.putBlob(sha256(large), large);
  for await (const chunk of client.streamBlob(sha256(large))) if (chunk.length > 0) break;
  expect(await client.hasBlob(sha256(large))).toBe(true);
});

test("many small blobs go in together, an empty one among them, in as few requests as hold them", async () => {
  const blobs = Array.from({ length: LIMITS.bundleBlobsMax + 2 }, (_, n) => {
    const bytes = new Uint8Array(n).fill(n % 251);
    return { hash: sha256(bytes), bytes };
  });
  await pretend.client.putBlobs(blobs);
  for (const { hash, bytes } of blobs) expect(pretend.face.blobs.get(hash)).toEqual(bytes);
  expect(pretend.face.calls.filter((call) => call.startsWith("putBlobs"))).toHaveLength(2);
});

const oneBlob = writeBundle([{ hash, bytes: pages }]);
const changed = (at: number, to: number): Uint8Array => oneBlob.map((byte, n) => (n === at ? to : byte));
test.each<[string, Uint8Array, string]>([
  ["whose hash is another's", writeBundle([{ hash: sha256(new Uint8Array([1])), bytes: pages }]), "BLOB_HASH_MISMATCH"],
  ["that was cut in a blob", oneBlob.subarray(0, oneBlob.length - 1), "BAD_REQUEST"],
  ["that was cut in a head", oneBlob.subarray(0, 40), "BAD_REQUEST"],
  ["that announces more than a blob may have", changed(0, 1), "BAD_REQUEST"],
  ["with a name that is no hash", changed(10, 0x2f), "BAD_REQUEST"],
  ["that is longer than a bundle may be", new Uint8Array(LIMITS.bundleBytesMax + 1), "TOO_LARGE"],
])("a bundle %s is refused and nothing of it is kept", async (_what, body, code) => {
  const response = await fetch(pretend.api.url + RAW_ROUTES.blobs, { method: "POST", body: new Uint8Array(body) });
  expect(await response.json()).toMatchObject({ code });
  expect(pretend.face.blobs.size).toBe(0);
});

test("an empty blob is a blob", async () => {
  const empty = new Uint8Array();
  await pretend.client.putBlob(sha256(empty), empty);
  expect(await pretend.client.getBlob(sha256(empty))).toEqual(empty);
});

test("a blob far over the limit of JSON bodies streams through", async () => {
  const large = new Uint8Array(LIMITS.apiBodyBytesMax + 1).fill(7);
  await pretend.client.putBlob(sha256(large), large);
  expect(pretend.face.blobs.get(sha256(large))?.length).toBe(large.length);
});

test("a stream goes up without its length being known", async () => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield pages.subarray(0, 2);
    yield pages.subarray(2);
  }
  await pretend.client.putBlob(hash, chunks());
  expect(pretend.face.blobs.get(hash)).toEqual(pages);
});

test("a JSON content type does not make a blob be parsed", async () => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(pretend.api.url + RAW_ROUTES.blob(hash), { method: "PUT", body: pages, headers });
  expect(response.status).toBe(201);
  expect(pretend.face.blobs.get(hash)).toEqual(pages);
});

test("bytes that are not what their name says are refused, and the sender reads why", async () => {
  const wrong = sha256(new Uint8Array([1]));
  await expect(pretend.client.putBlob(wrong, pages)).rejects.toMatchObject({
    code: "BLOB_HASH_MISMATCH",
    facts: { expected: wrong, actual: hash },
  });
});

test("a refusal before the body was read reaches a sender of many bytes", async () => {
  pretend.face.failures.putBlob = [new SkeinError("DISK_FULL", { path: "/data", freeBytes: 1 })];
  const large = new Uint8Array(8 * 1024 * 1024);
  await expect(pretend.client.putBlob(sha256(large), large)).rejects.toMatchObject({ code: "DISK_FULL" });
});

test("more bytes than a blob may have are refused by their announced length", async () => {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const put = request(pretend.api.url + RAW_ROUTES.blob(hash), {
    method: "PUT",
    headers: { "content-length": LIMITS.blobBytesMax + 1 },
  });
  put.on("error", reject).on("response", (response) => {
    response.setEncoding("utf8");
    let body = "";
    response.on("data", (chunk: string) => {
      body += chunk;
    });
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
  });
  put.flushHeaders();
  const { status, body } = await promise;
  put.destroy();
  expect(status).toBe(413);
  expect(JSON.parse(body)).toMatchObject({ code: "TOO_LARGE" });
  expect(pretend.face.calls).toEqual([]);
});

test.each(["abc", "A".repeat(64), "..%2f..%2fetc%2fpasswd", "g".repeat(64)])(
  "a name like %s is no blob",
  async (name) => {
    for (const method of ["GET", "PUT"]) {
      const response = await fetch(`${pretend.api.url}/v1/blobs/${name}`, {
        method,
        ...(method === "PUT" ? { body: pages } : {}),
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: "BAD_REQUEST" });
    }
    expect(pretend.face.calls).toEqual([]);
  },
);

test("a blob nobody holds is 404 with its hash", async () => {
  await expect(pretend.client.getBlob(hash)).rejects.toMatchObject({ code: "BLOB_MISSING", facts: { hash } });
});

test("a blob is never taken for a page by a browser", async () => {
  await pretend.client.putBlob(hash, pages);
  const response = await fetch(pretend.api.url + RAW_ROUTES.blob(hash));
  expect(response.headers.get("content-type")).toBe("application/octet-stream");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("an upload in which no byte moves is broken off; one that waits for our disk is not", async () => {
  const silent = new Readable({ read: () => {} });
  silent.push(pages);
  const taken: number[] = [];
  const take = async (): Promise<void> => {
    for await (const chunk of uploadOf(silent, 40)) {
      taken.push(chunk.length);
      // Longer than the sender may be silent: this wait is ours.
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
  };
  await expect(take()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(taken).toEqual([pages.length]);
});

test("nothing is read ahead of who writes it down", async () => {
  let produced = 0;
  const source = new Readable({
    highWaterMark: 1024,
    read() {
      produced++;
      this.push(Buffer.alloc(1024));
    },
  });
  const upload = uploadOf(source, 1000);
  await upload.next();
  const before = produced;
  await new Promise((resolve) => setImmediate(resolve));
  expect(produced).toBeLessThanOrEqual(before + 2);
  await upload.return(undefined);
});
