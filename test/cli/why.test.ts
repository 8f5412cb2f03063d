import { afterEach, beforeEach, expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { type PretendApi, startPretendApi, submitHalfDone } from "../support/pretend-api.ts";
import { sha256 } from "../support/pretend-face.ts";
import { skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];

const aJob = (): Promise<JobId> => submitHalfDone(pretend);

test("why tells a job's decisions in sentences, with times from the submit and names for ids", async () => {
  const jobId = await aJob();
  expect((await skein(["why", jobId, ...api()])).out).toBe(
    [
      "job-0001 is running; 3 of 4 are recorded. Times count from its submit, 2023-11-14 22:13:20 UTC.",
      "The story is complete: bench has led since before, in term 7.",
      "",
      "    +0.003 s  p1.png (item 1) came to nothing at attic (shard 7.0) after 0.0 s: it failed there.",
      "    +0.005 s  The leader took the job on: 4 of its items are not recorded.",
      "    +0.006 s  attic got items 1 to 2 (shard 7.1), because attic is fast.",
      "    +0.900 s  Item 1 (shard 7.1) was taken back from attic, because attic is gone.",
      "    +0.901 s  bench got item 1 (shard 7.2), because bench was idle.",
      "Ignored: a report of item 1 by attic (shard 7.1), for it was recorded already.",
      "",
    ].join("\n"),
  );
});

test("why of one input or one shard also tells its record, and asks for that part only", async () => {
  const jobId = await aJob();
  const { out } = await skein(["why", jobId, "p1.png", ...api()]);
  expect(out).toContain("p1.png (item 1) was done by attic (shard 7.0) in 0.1 s and is recorded at index 101.");
  await skein(["why", jobId, "1", ...api()]);
  await skein(["why", `${jobId}/7.2`, ...api()]);
  expect(pretend.face.calls.filter((call) => call.startsWith("why"))).toEqual([
    "why job-0001 undefined p1.png",
    "why job-0001 undefined 0",
    "why job-0001 7.2 undefined",
  ]);
  expect((await skein(["why", `${jobId}/7.2`, "p1.png", ...api()])).code).toBe(2);
});

test("why as JSON is what the API answers, and of an unknown job it says so", async () => {
  const jobId = await aJob();
  const { out } = await skein(["why", jobId, "--json", ...api()]);
  expect(JSON.parse(out)).toEqual(await pretend.client.jobWhy(jobId, "", ""));
  expect((await skein(["why", "job-9", ...api()])).code).toBe(3);
});

test("pause and resume say what was done, and refuse a job that has ended", async () => {
  const jobId = await aJob();
  const paused = await skein(["pause", jobId, ...api()]);
  expect(paused.out).toBe("job-0001 is paused: what runs ends, nothing more is handed out; 3 of 4 are recorded.\n");
  expect((await skein(["jobs", ...api()])).out).toMatch(/job-0001 +ocr +paused/);
  expect((await skein(["status", ...api()])).out).toContain("jobs       0 running, 1 paused, 0 ended");
  expect((await skein(["resume", jobId, ...api()])).out).toBe("job-0001 goes on; 3 of 4 are recorded.\n");
  pretend.face.record(jobId, 1);
  expect((await skein(["pause", jobId, ...api()])).code).toBe(1);
});

test("a job shows its priority and its deadline", async () => {
  const page = new TextEncoder().encode("text");
  await pretend.client.putBlob(sha256(page), page);
  const inputs = [{ name: "p.png", blob: sha256(page), bytes: page.length }];
  const terms = { priority: "high" as const, deadlineInMs: 3_600_000, copies: 3 };
  const { jobId } = await pretend.client.jobSubmit({ pipeline: "ocr", inputs, ...terms });
  const { out } = await skein(["job", jobId, ...api()]);
  expect(out).toContain("priority  high, 3 copies of each page and result\n");
  expect(out).toContain("deadline  2023-11-14 23:13:20 UTC\n");
  expect((await skein(["jobs", ...api()])).out).toMatch(/high +2023-11-14 23:13:20/);
});
