import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { sha256 } from "../support/pretend-face.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const graph = tinyOnnx();
const file = { path: "model.onnx", blob: sha256(graph), bytes: graph.length };
const request = { name: "digits", files: [file] };

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }> {
  const json =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await fetch(pretend.api.url + path, { method, ...json });
  return { status: response.status, body: (await response.json()) as never };
}

test("a model that is being added is 202, then 201; what was there is 200", async () => {
  const { client, face } = pretend;
  await client.putBlob(file.blob, graph);
  face.catalogue.steps = ["examining"];
  expect(await call("POST", "/v1/models", request)).toEqual({ status: 202, body: { step: "examining" } });
  expect(await call("POST", "/v1/models", request)).toMatchObject({ status: 201, body: { model: "digits:1" } });
  face.addModel = async () => ({ step: "added", model: "digits:1", existing: true });
  expect((await call("POST", "/v1/models", request)).status).toBe(200);
});

test("the client gets what the face answers, a colon in the path included", async () => {
  const { client, face } = pretend;
  expect(await client.modelCheck({ files: [{ path: "model.onnx", bytes: 5 }] })).toMatchObject({
    memoryHereBytes: 5e9,
  });
  await client.putBlob(file.blob, graph);
  expect(await client.modelAdd(request)).toMatchObject({ step: "added" });
  expect(await client.modelAlias("digits", "stable", { version: 1 })).toEqual({ alias: "digits:stable", version: 1 });
  expect(await client.model("digits:stable")).toMatchObject({ model: "digits:1", manifest: { name: "digits" } });
  const [view] = await client.models();
  expect(view).toMatchObject({ model: "digits:1", aliases: ["stable"] });
  expect(view).not.toHaveProperty("manifest");
  expect(await client.modelRemove("digits:1", "true")).toEqual({ removed: "digits:1", cancelled: [] });
  expect(face.calls.slice(-2)).toEqual(["models ", "removeModel digits:1 true"]);
  await expect(client.modelRemove("digits:1", "")).rejects.toMatchObject({ code: "MODEL_UNKNOWN" });
});

test("each refusal keeps its facts, its sentence and its status", async () => {
  const refusals = [
    [422, new SkeinError("MODEL_REFUSED", { model: "digits", reason: "it hangs" })],
    [409, new SkeinError("MODEL_EXISTS", { model: "digits:1" })],
    [503, new SkeinError("PEER_BUSY", { peer: "attic", reason: "8 models are being added here" })],
  ] as const;
  pretend.face.failures.addModel = refusals.map(([, error]) => error);
  for (const [status, error] of refusals)
    expect(await call("POST", "/v1/models", request)).toEqual({ status, body: error.toJSON() });
});

describe("what a client sends is checked before anyone believes it", () => {
  const files = (...changed: object[]) => ({ ...request, files: changed.map((one) => ({ ...file, ...one })) });
  test.each([
    ["a path that leaves the folder", files({ path: "../../etc/passwd" }), /must stay inside the model's folder/],
    ["an absolute path", files({ path: "/etc/passwd" }), /must stay inside/],
    ["a drive", files({ path: "C:/model.onnx" }), /must stay inside/],
    ["the other slash", files({ path: "..\\model.onnx" }), /must stay inside/],
    ["a path of a control character", files({ path: "a\u001bb" }), /without control characters/],
    ["a path of no length", files({ path: "" }), /must have 1 to/],
    ["the same path twice", files({}, {}), /name each path once/],
    ["paths that differ in their case alone", files({}, { path: "MODEL.onnx" }), /name each path once/],
    ["a file that is a folder", files({}, { path: "model.onnx/w" }), /as a file and as a folder/],
    ["a hash that is none", files({ blob: "abc" }), /files\[0\].blob/],
    ["no size", files({ bytes: -1 }), /files\[0\].bytes/],
    ["a use that is none", files({ use: "virus" }), /files\[0\].use must be one of/],
    ["a key that nobody knows", files({ mode: 0o777 }), /files\[0\].mode is not known/],
    ["a name with capitals", { ...request, name: "Digits" }, /small letters/],
    ["a name that comes with the agent", { ...request, name: "ocr" }, /comes with the agent/],
    ["version 0", { ...request, version: 0 }, /version must be a whole number/],
    ["no files", { name: "digits" }, /files must be a list/],
    ["too many files", files(...Array(LIMITS.modelFilesMax + 1).fill({})), /at most 256 entries/],
    ["nothing", undefined, /must be an object/],
  ])("%s", async (_what, body, says) => {
    const answer = await call("POST", "/v1/models", body);
    expect(answer).toMatchObject({ status: 400, body: { code: "BAD_REQUEST", message: expect.stringMatching(says) } });
    expect(pretend.face.calls).toEqual([]);
  });

  test("sizes are believed up to any before an upload, so that they are refused with the figures", async () => {
    const large = { files: [{ path: "model.onnx", bytes: 1e14 }] };
    expect((await call("POST", "/v1/models/check", large)).status).toBe(200);
    expect((await call("POST", "/v1/models/check", { files: [{ path: "../a", bytes: 1 }] })).status).toBe(400);
  });

  test.each([
    ["PUT", "/v1/models/digits/aliases/7", { version: 1 }],
    ["PUT", "/v1/models/digits/aliases/stable", { version: -1 }],
    ["PUT", "/v1/models/digits/aliases/stable", {}],
    ["PUT", "/v1/models/ocr/aliases/stable", { version: 1 }],
    ["PUT", "/v1/models/digits%3A1/aliases/stable", { version: 1 }],
    ["DELETE", "/v1/models/digits?force=yes", undefined],
    ["DELETE", "/v1/models/digits?cascade=true", undefined],
  ])("%s %s with %j", async (method, path, body) => {
    expect(await call(method, path, body)).toMatchObject({ status: 400, body: { code: "BAD_REQUEST" } });
    expect(pretend.face.calls).toEqual([]);
  });
});
