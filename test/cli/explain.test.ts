import { afterEach, beforeEach, expect, test } from "vitest";
import { type PretendApi, startPretendApi, submitHalfDone } from "../support/pretend-api.ts";
import { skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
let jobId: string;
beforeEach(async () => {
  pretend = await startPretendApi();
  jobId = await submitHalfDone(pretend);
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];

test("explain tells a job's split: the answer, every box with its terms and why, the ways, the bound", async () => {
  expect((await skein(["explain", jobId, ...api()])).out).toBe(
    [
      "job-0001, as it was decided 2023-11-14 22:13:20 UTC, in term 7, from what was known then.",
      "4 items over 2 nodes, expected to end after 1.4 s; the best single node would need 1.9 s (1.3 times as long). That is 87 % above the bound for work that splits freely.",
      "The job ends with bench's last item: one more item/s there would end it 0.1 s sooner.",
      "The next best, keeping it whole on attic, would have ended 0.4 s later.",
      "",
      "NODE    ITEMS  ENDS AFTER  COMPUTE  HAND-OVER   SPEED  COUNTED  TEMP  MEMORY FREE",
      "attic       3       1.0 s    0.9 s    0.020 s  3.20/s    100 %  51 C       4.0 GB",
      "bench       1       1.4 s    1.4 s    0.020 s  2.10/s    100 %  60 C       4.0 GB",
      "cellar      0           -        -          -  0.90/s    100 %  69 C       4.0 GB",
      "",
      "Why",
      "  attic was measured 3.2 items/s, 60 % of the fleet; starts 0.02 s later because handing over takes 0.02 s",
      "  bench was measured 2.1 items/s, 40 % of the fleet; starts 0.02 s later because handing over takes 0.02 s",
      "  cellar gets no work: it is late",
      "",
      "Ways compared",
      "  whole on attic: 1.9 s, 0.4 s later",
      "  over 2 nodes: 1.4 s, taken",
      "",
      "Bound",
      "  No split could end more than 0.7 s (87 %) sooner: work that splits freely over these nodes would end after 0.8 s.",
      "",
    ].join("\n"),
  );
});

test("who asks on is answered: why not a box, and what if", async () => {
  const { out } = await skein([
    ...["explain", jobId, "--why-not", "cellar"],
    ...["--what-if", "add like attic", "--what-if", "remove bench", ...api()],
  ]);
  expect(out).toContain("Why not cellar\n  cellar gets no work: it is late.\n");
  expect(out).toContain("What if add like attic, remove bench\n  With these changes the job would have been expected");
  expect(out).toMatch(/another attic +0 +\d/);
  expect(out).not.toContain("Ways compared");
  expect(pretend.face.calls).toContain(`explain ${jobId} cellar add like attic remove bench`);
});

test("a box tells what it runs, what limits it now, and what it was given lately", async () => {
  const { out } = await skein(["explain", "cellar", ...api()]);
  expect(out).toContain("It runs ocr at 0.9 items/s (seen at work).");
  expect(out).toContain("cellar gets no work now: it is late.");
  expect(out).toContain("job-0001: none of 4 items; gets no work: it is late.");
});

test("as JSON it is what the API answers; what nobody knows, and nonsense, is refused", async () => {
  const { out } = await skein(["explain", jobId, "--what-if", "remove bench", "--json", ...api()]);
  expect(JSON.parse(out)).toEqual(await pretend.client.explain(jobId, "", "remove bench"));
  expect((await skein(["explain", "nothing", ...api()])).code).toBe(3);
  expect((await skein(["explain", jobId, "--why-not", "nobody", ...api()])).code).toBe(3);
  const nonsense = await skein(["explain", jobId, "--what-if", "paint it red", ...api()]);
  expect([nonsense.code, nonsense.err]).toEqual([2, expect.stringContaining('"paint it red" is none of')]);
});
