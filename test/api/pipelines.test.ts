import { afterEach, beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { CUSTOMER_SERVICE, READ_ONE } from "../support/pipeline-parts.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

async function post(path: string, body: unknown): Promise<{ status: number; body: never }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(pretend.api.url + path, { method: "POST", body: JSON.stringify(body), headers });
  return { status: response.status, body: (await response.json()) as never };
}

test("a pipeline is added as text or as data: 201, and 200 if it was there", async () => {
  const added = { pipeline: "customer-service:1", existing: false };
  expect(await post("/v1/pipelines", { text: CUSTOMER_SERVICE })).toEqual({ status: 201, body: added });
  expect((await post("/v1/pipelines", { text: CUSTOMER_SERVICE })).status).toBe(200);
  expect(await post("/v1/pipelines", { definition: READ_ONE })).toMatchObject({ status: 201 });
});

test("the client gets what the face answers, a colon in the path included", async () => {
  const { client, face } = pretend;
  const checked = await client.pipelineCheck({ text: CUSTOMER_SERVICE });
  expect(checked).toMatchObject({ pipeline: "customer-service:1", existing: false });
  expect(checked.compiled.stages).toHaveLength(6);
  expect(await client.pipelines()).toEqual([]);
  await client.pipelineAdd({ text: CUSTOMER_SERVICE });
  const [view] = await client.pipelines();
  expect(view).toMatchObject({ outputs: { intent: "text" }, models: ["intent:1", "intent-large:1"], stages: 6 });
  expect(view).not.toHaveProperty("definition");
  expect(await client.pipeline("customer-service:1")).toMatchObject({ definition: { name: "customer-service" } });
  face.pipelinesKnown.details.get("customer-service:1")!.jobs = ["job-1" as JobId];
  await expect(client.pipelineRemove("customer-service", "")).rejects.toMatchObject({ code: "PIPELINE_WANTED" });
  expect(await client.pipelineRemove("customer-service", "true")).toMatchObject({ removed: "customer-service:1" });
  expect(face.calls.at(-1)).toBe("removePipeline customer-service true");
  await expect(client.pipeline("customer-service:1")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE", status: 400 });
});

test("a pipeline at fault is 422, with each fault and its line", async () => {
  const text = CUSTOMER_SERVICE.replace("best.score", "best.scor").replace("core/first@1", "core/fist@1");
  const { status, body } = await post("/v1/pipelines", { text });
  expect(status).toBe(422);
  const { facts, message } = SkeinError.from(body);
  expect(facts.faults).toMatchObject([
    { path: "stages.expert.when.value", line: 14, reason: expect.stringContaining("did you mean score?") },
    { path: "stages.answer.operator", line: 18 },
  ]);
  expect(message).toContain("line 14, stages.expert.when.value: takes scor of best");
  expect(await pretend.client.pipelines()).toEqual([]);
});

test.each([
  ["nothing", {}, /must have either text or definition/],
  ["both", { text: "x", definition: READ_ONE }, /must have either text or definition/],
  ["a text that is none", { text: 7 }, /text must be text/],
  ["a definition that is none", { definition: [] }, /definition must be an object/],
  ["a key that nobody knows", { text: "x", force: true }, /force is not known/],
  ["a text of more than it may have", { text: "x".repeat(LIMITS.pipelineBytesMax + 1) }, /at most 65536 bytes/],
])("refused before anyone looks at it: %s", async (_, sent, reason) => {
  const { status, body } = await post("/v1/pipelines", sent);
  expect(status).toBe(400);
  expect(SkeinError.from(body).message).toMatch(reason);
  expect(pretend.face.calls).not.toContain("addPipeline ");
});
