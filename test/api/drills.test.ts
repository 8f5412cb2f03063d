import { afterEach, beforeEach, expect, test } from "vitest";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { pretendRecord } from "../support/pretend-face.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${pretend.api.url}/v1/drills`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });

test("a drill is begun with 201, its plan is told with 200, and how it goes is told until its record is there", async () => {
  const { client, face } = pretend;
  const request = { faults: ["killLeader" as const], holdMs: 2_000 };
  expect((await post(JSON.stringify({ ...request, onlyPlan: true }))).status).toBe(200);
  const begun = await post(JSON.stringify(request));
  expect(begun.status).toBe(201);
  const { drillId } = (await begun.json()) as { drillId: string };
  expect((await client.drill(drillId)).record).toBeUndefined();
  await client.drill(drillId);
  expect((await client.drill(drillId)).record).toEqual(face.drillRecord);
  face.keptDrills.push(pretendRecord("drill-a", 0));
  expect(await client.drills()).toEqual({ kept: face.keptDrills });
  expect(face.calls.slice(0, 2)).toEqual(["startDrill killLeader 2000 only the plan", "startDrill killLeader 2000"]);
});

test.each([
  ["no body", "", 400],
  ["no fault", '{"faults":[]}', 400],
  ["a fault that there is not", '{"faults":["explode"]}', 400],
  ["more faults than a drill may have", JSON.stringify({ faults: new Array(9).fill("freeze") }), 400],
  ["a hand beside a machine", '{"faults":["freeze","unplug"]}', 400],
  ["a hold of no time", '{"faults":["freeze"],"holdMs":0}', 400],
  ["a hold of an hour", '{"faults":["freeze"],"holdMs":3600000}', 400],
  ["a victim of one's own choice", '{"faults":["freeze"],"victim":"attic"}', 400],
])("%s is refused before anyone is asked", async (_what, body, status) => {
  expect((await post(body)).status).toBe(status);
  expect(pretend.face.calls).toEqual([]);
});

test("a drill is a write like any other: it needs the token, and a page of another site may not begin one", async () => {
  const request = JSON.stringify({ faults: ["freeze"] });
  expect((await post(request, { origin: "http://elsewhere.example" })).status).toBe(403);
  await pretend.api.stop();
  pretend = await startPretendApi({ token: "secret" });
  const fromElsewhere = { "x-forwarded-for": "203.0.113.9" };
  expect((await post(request, fromElsewhere)).status).toBe(401);
  expect((await post(request, { ...fromElsewhere, authorization: "Bearer wrong" })).status).toBe(401);
  expect(pretend.face.calls).toEqual([]);
  expect((await post(request, { ...fromElsewhere, authorization: "Bearer secret" })).status).toBe(201);
});

test("a drill that may not begin, and one that there is not, say so with their codes", async () => {
  pretend.face.drillRefusal = "drill drill-x is running";
  const refused = await post('{"faults":["freeze"]}');
  expect([refused.status, await refused.json()]).toMatchObject([409, { code: "DRILL_REFUSED" }]);
  await expect(pretend.client.drill("drill-none")).rejects.toMatchObject({ code: "DRILL_UNKNOWN" });
});
