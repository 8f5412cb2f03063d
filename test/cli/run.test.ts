import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { type PretendFace, sha256 } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const ESCAPE = "\u001b";
const JOB = "job-0001" as JobId;

function scans(pages: Record<string, string>): string {
  const folder = join(temporaryFolder(), "scans");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
  return folder;
}

const api = (): string[] => ["--api", pretend.api.url];

/** Records the whole job as soon as it is submitted. */
function workAtOnce(face: PretendFace): void {
  face.onEvent((event) => {
    if (event.event === "jobSubmitted") setImmediate(() => face.record(event.facts.jobId as JobId, Infinity));
  });
}

test("each page becomes a text file and the output's own bytes, and all good is 0", async () => {
  workAtOnce(pretend.face);
  const folder = scans({
    "page 10.png": "ten",
    "page 2.JPG": "two\nlines",
    "notes.txt": "not a page",
    ".hidden.png": "x",
  });
  const out = join(folder, "..", "text");
  const { code, err } = await skein(["run", "ocr", folder, "--out", out, ...api()]);
  expect(code).toBe(0);
  expect(readdirSync(out).sort()).toEqual(["page 10.json", "page 10.txt", "page 2.json", "page 2.txt"]);
  expect(readFileSync(join(out, "page 2.txt"), "utf8")).toBe("two\nlines\n");
  const { results } = await pretend.face.results(JOB);
  expect(results.map((result) => result.name)).toEqual(["page 2.JPG", "page 10.png"]);
  expect(sha256(readFileSync(join(out, "page 2.json")))).toBe(results[0]?.output);
  expect(err).toContain("2 of 2 pages read in 4.0 s by 2 nodes (attic 1, bench 1)");
});

test("without a folder to write to, the text goes to stdout and nothing else does", async () => {
  workAtOnce(pretend.face);
  const one = scans({ "a.png": "alone" });
  expect((await skein(["run", "ocr", join(one, "a.png"), ...api()])).out).toBe("alone\n");
  const two = scans({ "a.png": "first", "b.png": "second" });
  expect((await skein(["run", "ocr", two, ...api()])).out).toBe("== a.png\nfirst\n== b.png\nsecond\n");
});

test("a page that failed is listed with its reason, the others are written, and the exit code is 1", async () => {
  workAtOnce(pretend.face);
  const folder = scans({ "a.png": "good", "b.png": "" });
  const out = join(folder, "..", "text");
  const { code, err } = await skein(["run", "ocr", folder, "--out", out, ...api()]);
  expect(code).toBe(1);
  expect(readdirSync(out).sort()).toEqual(["a.json", "a.txt"]);
  expect(err).toContain("1 of 2 pages read in 4.0 s by 2 nodes (attic 1, bench 1), 1 failed.");
  expect(err).toContain("  b.png: b.png is empty (0 bytes).");
});

test("two inputs that differ in their ending only keep their whole names", async () => {
  workAtOnce(pretend.face);
  const folder = scans({ "a.png": "png", "a.webp": "webp", "b.png": "b" });
  const out = join(folder, "..", "text");
  await skein(["run", "ocr", folder, "--out", out, ...api()]);
  expect(
    readdirSync(out)
      .filter((name) => name.endsWith(".txt"))
      .sort(),
  ).toEqual(["a.png.txt", "a.webp.txt", "b.txt"]);
});

test("two folders may hold the same names", async () => {
  workAtOnce(pretend.face);
  const [one, two] = [scans({ "a.png": "one" }), scans({ "a.png": "two" })];
  await skein(["run", "ocr", one, join(two, "a.png"), ...api()]);
  expect((await pretend.face.results(JOB)).results.map((result) => result.name)).toEqual([
    "scans-a.png",
    "2-scans-a.png",
  ]);
});

test("the same bytes are sent once, small files together, and of large ones what the agent has is not sent at all", async () => {
  workAtOnce(pretend.face);
  const large = (letter: string): string => letter.repeat(LIMITS.bundledBlobBytesMax + 1);
  const hashOf = (text: string): string => sha256(new TextEncoder().encode(text));
  await pretend.client.putBlob(sha256(new TextEncoder().encode(large("t"))), new TextEncoder().encode(large("t")));
  pretend.face.calls.length = 0;
  const files = { "a.png": large("t"), "b.png": large("n"), "c.png": large("n"), "d.png": "one", "e.png": "two" };
  await skein(["run", "ocr", scans({ ...files, "f.png": "two" }), ...api()]);
  const sent = pretend.face.calls.filter((call) => call.startsWith("putBlob"));
  expect(sent).toEqual([`putBlobs ${hashOf("one")} ${hashOf("two")}`, `putBlob ${hashOf(large("n"))}`]);
  expect((await pretend.face.results(JOB)).results).toHaveLength(6);
});

test("a folder gives each pipeline the files that it takes, and says which those are when there are none", async () => {
  const folder = scans({ "a.png": "x" });
  const { code, err } = await skein(["run", "canary", folder, ...api()]);
  expect([code, err]).toEqual([2, expect.stringContaining("scans has no JSON files, so there is nothing to read.")]);
});

test("--json prints the job with each page, and only that goes to stdout", async () => {
  workAtOnce(pretend.face);
  const { out, code } = await skein(["run", "ocr", scans({ "a.png": "x", "b.png": "" }), "--json", ...api()]);
  expect(code).toBe(1);
  const answer = JSON.parse(out) as { jobId: string; state: string; pages: Record<string, unknown>[] };
  expect(answer).toMatchObject({ jobId: JOB, state: "done", items: 2, itemsFailed: 1 });
  expect(answer.pages[0]).toMatchObject({ name: "a.png", text: "x" });
  expect(answer.pages[1]).toMatchObject({ name: "b.png", error: { code: "INPUT_EMPTY" } });
});

test("--detach prints the job's id and does not wait", async () => {
  const { out, code } = await skein(["run", "ocr", scans({ "a.png": "x" }), "--detach", ...api()]);
  expect([out, code]).toEqual([`${JOB}\n`, 0]);
  expect((await pretend.face.jobs())[0]?.state).toBe("running");
});

test("a second run under one key is the same job", async () => {
  workAtOnce(pretend.face);
  const folder = scans({ "a.png": "x" });
  await skein(["run", "ocr", folder, "--key", "monday", ...api()]);
  const again = await skein(["run", "ocr", folder, "--key", "monday", ...api()]);
  expect(again.code).toBe(0);
  expect(again.out).toBe("x\n");
  expect(pretend.face.pretendJobs.size).toBe(1);
});

test("Ctrl-C leaves the job running and says how to come back", async () => {
  const folder = scans({ "a.png": "x", "b.png": "y" });
  const out = join(folder, "..", "text");
  const world = pretendWorld();
  const running = skein(["run", "ocr", folder, "--out", out, ...api()], world);
  await vi.waitFor(() => expect(pretend.face.calls).toContain(`job ${JOB}`));
  world.interrupt();
  const { code, err } = await running;
  expect(code).toBe(130);
  expect(err).toContain(`skein job ${JOB}`);
  expect(err).toContain(`skein results ${JOB} --out ${out}`);
  expect((await pretend.face.jobs())[0]?.state).toBe("running");
  expect(world.listening).toBe(0);
  // And the way back works.
  pretend.face.record(JOB, 2);
  expect((await skein(["results", JOB, "--out", out, ...api()])).code).toBe(0);
  expect(readFileSync(join(out, "b.txt"), "utf8")).toBe("y\n");
});

test("pages are written as they are recorded, not at the end", async () => {
  const folder = scans({ "a.png": "x", "b.png": "y" });
  const out = join(folder, "..", "text");
  const running = skein(["run", "ocr", folder, "--out", out, ...api()]);
  await vi.waitFor(() => expect(pretend.face.pretendJobs.size).toBe(1));
  pretend.face.record(JOB, 1);
  await vi.waitFor(() => expect(readdirSync(out)).toContain("a.txt"), { timeout: 5_000 });
  expect(readdirSync(out)).not.toContain("b.txt");
  pretend.face.record(JOB, 1);
  expect((await running).code).toBe(0);
});

test("a run outlives a restart of the agent it talks to", async () => {
  const { face, api: first } = pretend;
  const port = Number(new URL(first.url).port);
  const running = skein(["run", "ocr", scans({ "a.png": "x" }), ...api()]);
  await vi.waitFor(() => expect(face.calls).toContain(`job ${JOB}`));
  await first.stop();
  face.record(JOB, 1);
  // A journal that is still being read back knows no job yet.
  face.failures.job = [new SkeinError("JOB_UNKNOWN", { jobId: JOB })];
  pretend = await startPretendApi({ face, port });
  const { code, out } = await running;
  expect([code, out]).toEqual([0, "x\n"]);
});

test("a run goes on with the next agent when the one it talks to dies, even before the job was submitted", async () => {
  const second = await startPretendApi();
  workAtOnce(second.face);
  // The first takes the file and dies at the submit.
  const { promise: dead, resolve } = Promise.withResolvers<void>();
  pretend.face.submit = () => {
    pretend.api.stop().then(resolve);
    return new Promise(() => {});
  };
  const { code, out } = await skein(["run", "ocr", scans({ "a.png": "x" }), ...api(), "--api", second.api.url]);
  expect([code, out]).toEqual([0, "x\n"]);
  await dead;
  await second.api.stop();
});

test("an agent that is frozen in the middle of a submit does not hold the run up", async () => {
  const second = await startPretendApi();
  workAtOnce(second.face);
  const { promise: frozen, resolve } = Promise.withResolvers<void>();
  pretend.face.submit = () => {
    resolve();
    return new Promise(() => {});
  };
  const first = pretend.api.url;
  let isFrozen = false;
  const never = new Promise<Response>(() => {});
  const world = pretendWorld({
    fetch: (url, init) => {
      if (!isFrozen || !String(url).startsWith(first)) return fetch(url, init);
      return Promise.race([never, untilAborted(init?.signal)]);
    },
  });
  const running = skein(["run", "ocr", scans({ "a.png": "x" }), ...api(), "--api", second.api.url], world);
  await frozen;
  isFrozen = true;
  expect((await running).out).toBe("x\n");
  await second.api.stop();
});

const untilAborted = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));

test("between two leaders a submit is tried again, and is one job", async () => {
  workAtOnce(pretend.face);
  pretend.face.failures.submit = [new SkeinError("NO_LEADER"), new SkeinError("PROPOSAL_DROPPED", { reason: "x" })];
  expect((await skein(["run", "ocr", scans({ "a.png": "x" }), ...api()])).code).toBe(0);
  expect(pretend.face.pretendJobs.size).toBe(1);
});

test("without a quorum a run ends at once with who is missing", async () => {
  pretend.face.hasQuorum = false;
  const { code, err } = await skein(["run", "ocr", scans({ "a.png": "x" }), ...api()]);
  expect(code).toBe(5);
  expect(err).toContain("Missing: bench, cellar");
});

test("priority, copies and deadline go with the job", async () => {
  workAtOnce(pretend.face);
  const folder = scans({ "a.png": "one" });
  const terms = ["--priority", "high", "--copies", "3", "--deadline", "1.5h"];
  expect((await skein(["run", "ocr", folder, ...terms, ...api()])).code).toBe(0);
  expect(pretend.face.pretendJobs.get(JOB)!.spec).toMatchObject({
    priority: "high",
    copies: 3,
    deadlineInMs: 5_400_000,
  });
});

test.each([
  ["--priority", "urgent"],
  ["--cut", "halves"],
  ["--copies", "0"],
  ["--copies", "two"],
  ["--deadline", "soon"],
  ["--deadline", "0s"],
  ["--deadline", "400d"],
])("%s %s is refused before anything is sent", async (option, value) => {
  const { code, err } = await skein(["run", "ocr", scans({ "a.png": "one" }), option, value, ...api()]);
  expect(code).toBe(2);
  expect(err).toContain(option);
  expect(pretend.face.calls).toEqual([]);
});

test("a job that ran into its deadline is no success, and says so", async () => {
  pretend.face.onEvent(({ event, facts }) => {
    if (event !== "jobSubmitted") return;
    setImmediate(() => {
      pretend.face.record(facts.jobId as JobId, 1);
      pretend.face.pretendJobs.get(facts.jobId as JobId)!.view.state = "expired";
    });
  });
  const { code, err } = await skein(["run", "ocr", scans({ "a.png": "one", "b.png": "two" }), ...api()]);
  expect(code).toBe(1);
  expect(err).toContain("1 of 2 pages read before its deadline passed");
});

test("a cancelled job is no success", async () => {
  const running = skein(["run", "ocr", scans({ "a.png": "x", "b.png": "y" }), ...api()]);
  await vi.waitFor(() => expect(pretend.face.calls).toContain(`job ${JOB}`));
  pretend.face.record(JOB, 1);
  await skein(["cancel", JOB, ...api()]);
  const { code, err } = await running;
  expect(code).toBe(1);
  expect(err).toContain("1 of 2 pages read before it was cancelled");
});

test("on a terminal the progress is drawn over, within its width, and gone at the end", async () => {
  const world = pretendWorld({ isTerminal: true, columns: () => 40 });
  const running = skein(["run", "ocr", scans({ "a.png": "x", "b.png": "y", "c.png": "z" }), ...api()], world);
  await vi.waitFor(() => expect(pretend.face.calls).toContain(`job ${JOB}`));
  pretend.face.record(JOB, 1);
  await vi.waitFor(() => expect(world.written.err).toContain(" 33 %  1/3"), { timeout: 5_000 });
  pretend.face.record(JOB, 2);
  await running;
  // Each drawing begins by clearing the one before.
  const drawn = world.written.err.split(`${ESCAPE}[J`);
  expect(drawn.length).toBeGreaterThan(2);
  for (const line of world.written.err.split("\n").filter((one) => /[█░]/.test(one)))
    expect([...(line.split("[J").at(-1) ?? "")].length).toBeLessThan(40);
  expect(drawn.at(-1)).toContain("3 of 3 pages read");
  expect(drawn.at(-1)).not.toMatch(/[█░]/);
});

test("an agent that names a result after another folder writes nothing there", async () => {
  workAtOnce(pretend.face);
  const folder = scans({ "a.png": "x" });
  await skein(["run", "ocr", folder, ...api()]);
  (await pretend.face.results(JOB)).results[0]!.name = "../../evil.png";
  const out = join(folder, "deep", "text");
  const { code, err } = await skein(["results", JOB, "--out", out, ...api()]);
  expect(code).toBe(2);
  expect(err).toContain("plain file name");
  expect(readdirSync(out)).toEqual([]);
});

const WRONG: [what: string, argv: (folder: string) => string[], code: number, says: string][] = [
  ["a missing folder", (f) => ["run", "ocr", join(f, "nowhere")], 2, "does not exist"],
  ["a folder without images", (f) => ["run", "ocr", f], 2, "has no PNG, JPEG or WebP files"],
  ["an unknown pipeline", (f) => ["run", "ocrr", join(f, "a.txt")], 2, 'no pipeline "ocrr"'],
];
test.each(WRONG)("%s is told as what it is", async (_what, argv, code, says) => {
  const folder = scans({ "a.txt": "no image" });
  const answer = await skein([...argv(folder), ...api()]);
  expect(answer.code).toBe(code);
  expect(answer.err).toContain(says);
  expect(answer.out).toBe("");
});

test("a file over the limit is named before anything is sent", async () => {
  const folder = scans({ "a.png": "small" });
  const large = join(folder, "large.png");
  writeFileSync(large, "");
  // Sparse: the file is large, the disk is not touched.
  truncateSync(large, LIMITS.imageBytesMax + 1);
  expect(statSync(large).size).toBeGreaterThan(LIMITS.imageBytesMax);
  const { code, err } = await skein(["run", "ocr", folder, ...api()]);
  expect(code).toBe(2);
  expect(err).toContain(large);
  expect(pretend.face.calls).toEqual([]);
});

test("no agent is said at once, and is not waited for as if it were restarting", async () => {
  await pretend.api.stop();
  const startedMs = performance.now();
  const { code, err } = await skein(["run", "ocr", scans({ "a.png": "x" }), ...api()]);
  expect(code).toBe(4);
  expect(err).toContain("skein start");
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
