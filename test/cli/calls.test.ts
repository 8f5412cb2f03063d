import { afterEach, beforeEach, expect, test } from "vitest";
import { apiUrl } from "../../agent/cli/options.ts";
import { bytes, duration, table } from "../../agent/cli/table.ts";
import type { JobId } from "../../shared/ids.ts";
import { type PretendApi, startPretendApi, submitHalfDone } from "../support/pretend-api.ts";
import { NODE_IDS } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];

const aJob = (): Promise<JobId> => submitHalfDone(pretend);

test("status tells the fleet in a few lines", async () => {
  await aJob();
  const { out, code } = await skein(["status", ...api()]);
  expect(code).toBe(0);
  expect(out).toBe(
    [
      "fleet      home: 3 nodes, quorum",
      "this node  attic (aaaaaa), voter, ready",
      "leader     bench, term 7",
      "copies     this disk was not read again in full yet",
      "jobs       1 running, 0 ended",
      `dashboard  ${pretend.api.url}/`,
      "",
    ].join("\n"),
  );
});

test("status tells when this disk was read again last, and what was damaged", async () => {
  pretend.face.scrub = { lastFullPassAtMs: Date.UTC(2026, 3, 5, 23), damagedFound: 1 };
  const { out } = await skein(["status", ...api()]);
  expect(out).toContain("\ncopies     this disk was read again in full on 2026-04-05; 1 damaged copy found so far\n");
});

test("status names the voters that are missing", async () => {
  pretend.face.hasQuorum = false;
  expect((await skein(["status", ...api()])).out).toContain("NO QUORUM, missing bench, cellar");
});

test("nodes is a table with figures to the right", async () => {
  expect((await skein(["nodes", ...api()])).out).toMatchInlineSnapshot(`
    "NODE     ID      PART    PRESENCE  PROFILE              RATE  QUEUE   TEMP  MEMORY FREE    LINK
    attic *  aaaaaa  voter   fresh     generic-x64     ocr 3.2/s      0   51 C       4.0 GB       -
    bench    bbbbbb  leader  fresh     generic-x64     ocr 2.1/s      1   60 C       4.0 GB  0.4 ms
    cellar   cccccc  voter   late      raspberry-pi-5  ocr 0.9/s      2  69 C!       4.0 GB  0.8 ms
    "
  `);
});

test("job tells how far it is, each node's share and why", async () => {
  const jobId = await aJob();
  const { out } = await skein(["job", jobId, ...api()]);
  expect(out).toContain("running, 3 of 4 recorded, 0 failed");
  expect(out).toMatch(/attic +1 +1 +1 {2}attic reads 3\.2 pages a second\./);
  expect(out).toContain("Three nodes share the pages by their measured speed.");
});

test("jobs and receipt are tables", async () => {
  const jobId = await aJob();
  expect((await skein(["jobs", ...api()])).out).toMatch(/job-0001 +ocr +running +3\/4 +0 +2023-11-14 22:13:20 +-/);
  const { out } = await skein(["receipt", jobId, ...api()]);
  expect(out).toMatch(/p1\.png +attic +7\.0 +101 +22:13:21 +120 +[0-9a-f]{8} +[0-9a-f]{12} +yes +1 +attic, bench/);
  expect(out).toContain("2 to 3 of each output");
});

test("no jobs yet says how to make one", async () => {
  expect((await skein(["jobs", ...api()])).out).toContain("skein run ocr FOLDER");
});

test.each([
  ["status"],
  ["nodes"],
  ["jobs"],
  ["settings"],
  ["get", "site"],
  ["job", "job-0001"],
  ["receipt", "job-0001"],
  ["verify", "job-0001"],
  ["results", "job-0001"],
])("%s --json is JSON, whole, wherever the option stands", async (...argv) => {
  await aJob();
  const after = await skein([...argv, "--json", ...api()]);
  const before = await skein(["--json", ...api(), ...argv]);
  expect(JSON.parse(after.out)).toEqual(JSON.parse(before.out));
  expect(after.code).toBe(0);
});

test("an error with --json is its code and facts on stdout", async () => {
  const { out, err, code } = await skein(["job", "job-9", "--json", ...api()]);
  expect(JSON.parse(out)).toMatchObject({ code: "JOB_UNKNOWN", facts: { jobId: "job-9" } });
  expect([err, code]).toEqual(["", 3]);
});

test("a job that goes stage by stage tells how far each segment is, by whom, and what was made again", async () => {
  const jobId = await aJob();
  const { view } = pretend.face.pretendJobs.get(jobId)!;
  const rest = { failed: 0, runsAgain: 0, copies: 1, nodes: {} };
  view.stages = [
    {
      ...rest,
      segment: "read:1/0-1",
      stages: ["image", "boxes"],
      tasks: 4,
      recorded: 4,
      nodes: { attic: 3, bench: 1 },
    },
    { ...rest, segment: "read:1/2!", stages: [], tasks: 90, recorded: 12, failed: 1, runsAgain: 2, copies: 2 },
  ];
  const { out } = await skein(["job", jobId, ...api()]);
  expect(out).toMatch(/^STAGES +DONE +FAILED +AGAIN +COPIES +BY$/m);
  expect(out).toMatch(/^image, boxes +4\/4 +0 +0 +1 +attic 3, bench 1$/m);
  expect(out).toMatch(/^read:1\/2! +12\/90 +1 +2 +2 +-$/m);
});

test("forget lets go of ended jobs one by one, and says why not", async () => {
  const jobId = await aJob();
  const refused = await skein(["forget", jobId, ...api()]);
  expect(refused.code).toBe(1);
  expect(refused.err).toBe(
    "skein: Job job-0001 has not ended, so it is not forgotten. `skein cancel job-0001` ends it.\n",
  );
  pretend.face.record(jobId, 1);
  expect((await skein(["forget", jobId, "job-9", ...api()])).out).toBe(
    "job-0001 is forgotten; every box removes what only it stood on.\n",
  );
  expect((await skein(["forget", jobId, ...api()])).code).toBe(3);
});

test("cancel, remove and invite say what was done", async () => {
  const jobId = await aJob();
  expect((await skein(["cancel", jobId, ...api()])).out).toBe(
    "job-0001 is cancelled; 3 of 4 were recorded and stay.\n",
  );
  expect((await skein(["remove", "cellar", ...api()])).out).toBe(`cellar (${NODE_IDS[2]}) is out of the fleet.\n`);
  const { out } = await skein(["invite", "--minutes", "30", ...api()]);
  expect(out).toContain("  skein join skein1-abc\n");
  expect(pretend.face.calls).toContain("invite 1800000");
  expect((await skein(["remove", "nobody", ...api()])).code).toBe(3);
});

test("a value that is set is read back, listed beside the defaults, and taken away", async () => {
  expect((await skein(["set", "site", "cellar", ...api()])).out).toBe("site is cellar, on every box.\n");
  expect((await skein(["get", "site", ...api()])).out).toBe("cellar\n");
  expect((await skein(["settings", ...api()])).out).toBe(
    "copies                 2 (default)\ndeliveryMBps           0 (default)\nkeepJobsDays           30 (default)\nkeepJobsMax            10000 (default)\nsite                   cellar\nvoterGoneAfterSeconds  600 (default)\nvotersMax              5 (default)\n",
  );
  expect((await skein(["set", "site", "", ...api()])).out).toBe("site is not set any more, on every box.\n");
  expect((await skein(["set", "votersMax", "0", ...api()])).code).toBe(2);
});

test.each(["0", "x", "-5", "99999"])("an invitation for %s minutes is refused", async (minutes) => {
  expect((await skein(["invite", `--minutes=${minutes}`, ...api()])).code).toBe(2);
  expect(pretend.face.calls).toEqual([]);
});

test("stop waits until the agent is gone", async () => {
  const { face } = pretend;
  face.requestStop = () => {
    face.stopRequested = true;
    setTimeout(() => void pretend.api.stop(), 150);
  };
  const { out, code } = await skein(["stop", ...api()]);
  expect([out, code]).toEqual(["The agent has stopped.\n", 0]);
  await expect(fetch(pretend.api.url)).rejects.toThrow();
});

test("a token goes with every call, from --token or $SKEIN_TOKEN", async () => {
  const seen: (string | null)[] = [];
  const spy: typeof fetch = (url, init) => {
    seen.push(new Headers(init?.headers).get("authorization"));
    return fetch(url, init);
  };
  await skein(["nodes", "--token", "abc", ...api()], pretendWorld({ fetch: spy }));
  await skein(["nodes", ...api()], pretendWorld({ fetch: spy, env: { SKEIN_TOKEN: "env" } }));
  await skein(["nodes", ...api()], pretendWorld({ fetch: spy }));
  expect(seen).toEqual(["Bearer abc", "Bearer env", null]);
});

test("a second --api is asked when the first does not answer", async () => {
  const { code } = await skein(["nodes", "--api", "http://127.0.0.1:9", ...api()]);
  expect(code).toBe(0);
});

test("when none answers, the first is named", async () => {
  const { code, err } = await skein(["nodes", "--api", "http://127.0.0.1:9", "--api", "127.0.0.1:10"]);
  expect(code).toBe(4);
  expect(err).toContain("No agent answers at http://127.0.0.1:9 ");
});

test.each([
  ["box", "http://box:7401/"],
  ["192.168.1.7", "http://192.168.1.7:7401/"],
  ["box:9000", "http://box:9000/"],
  ["https://box.lan/", "https://box.lan/"],
])("--api %s means %s", (text, url) => expect(apiUrl(text)).toBe(url));

test.each([[[]], [["bogus"]], [["run", "ocr"]], [["job"]], [["status", "--bogus"]]])(
  "%j is asked wrongly: exit code 2 and a word on it",
  async (argv) => {
    const { code, err } = await skein(argv);
    expect(code).toBe(2);
    expect(err).not.toBe("");
  },
);

test("help and version are no failure, and name every command", async () => {
  const { code, out } = await skein(["--help"]);
  expect(code).toBe(0);
  for (const name of "init join start stop invite run jobs job results receipt verify why pause resume cancel status nodes remove drain transfer-leader leave recover set get settings service".split(
    " ",
  ))
    expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(await skein(["--version"])).toMatchObject({ code: 0, out: "0.1.0\n" });
});

test("a name with control characters cannot write to the terminal", () => {
  expect(table(["A"], [["x\u001b[2Jy\n"]])).toBe("A\nx?[2Jy?\n");
});

test("figures are for reading", () => {
  expect([900, 12_000, 100_000, 7_200_000].map(duration)).toEqual(["0.9 s", "12 s", "1 min 40 s", "2 h 0 min"]);
  expect([0, 999, 1500, 25e6, 4e9].map(bytes)).toEqual(["0 B", "999 B", "1.5 kB", "25 MB", "4.0 GB"]);
});
