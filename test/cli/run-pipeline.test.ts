/** `skein run` over pipelines and applications, in front of a pretend fleet. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { outputsText, skippedText } from "../../agent/cli/outputs.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { OPERATORS } from "../../shared/pipeline/operators/index.ts";
import { CUSTOMER_SERVICE, knownParts, SOME_MODELS } from "../support/pipeline-parts.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

let pretend: PretendApi;
let folder: string;
beforeEach(async () => {
  pretend = await startPretendApi();
  folder = temporaryFolder();
  pretend.face.onEvent((event) => {
    if (event.event === "jobSubmitted") setImmediate(() => pretend.face.record(event.facts.jobId as JobId, Infinity));
  });
  pretend.face.runs = (input) => json({ intent: text(input).toUpperCase(), score: 0.93456 });
});
afterEach(() => pretend.api.stop());

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const run = (words: string[], world = pretendWorld()) => skein(["run", ...words, "--api", pretend.api.url], world);
const onTerminal = (columns = 80) => pretendWorld({ outColumns: () => columns });

async function tickets(content = 'ticket,id\nwhere is my card,a\n"two\nlines",b\n'): Promise<string> {
  pretend.face.pipelinesKnown.add({ text: CUSTOMER_SERVICE });
  writeFileSync(join(folder, "tickets.csv"), content);
  return join(folder, "tickets.csv");
}

describe("what is told", () => {
  test("on a terminal a table, an item a line", async () => {
    const path = await tickets();
    const { code, out, err } = await run(["customer-service", path], onTerminal());
    expect(code).toBe(0);
    expect(out).toBe("ITEM  INTENT            SCORE\na     WHERE IS MY CARD  0.9346\nb     TWO LINES         0.9346\n");
    expect(err).toContain("2 of 2 items done in 4.0 s by 2 nodes (attic 1, bench 1).");
  });

  test("for a program a JSON line an item, with everything", async () => {
    const { out } = await run(["customer-service:1", await tickets()]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { item: "a", outputs: { intent: "WHERE IS MY CARD", score: 0.93456 } },
      { item: "b", outputs: { intent: "TWO\nLINES", score: 0.93456 } },
    ]);
  });

  test("one item alone in full, and --json with the job", async () => {
    const path = await tickets("ticket\nhello\n");
    expect((await run(["customer-service", path], onTerminal())).out).toBe("intent: HELLO\nscore: 0.9346\n");
    const { pages } = JSON.parse((await run(["customer-service", path, "--json"])).out);
    expect(pages).toEqual([expect.objectContaining({ name: "1", outputs: { intent: "HELLO", score: 0.93456 } })]);
  });

  test("--cut says how the job is cut", async () => {
    await run(["customer-service", await tickets(), "--cut", "stages"]);
    expect([...pretend.face.pretendJobs.values()].map(({ spec }) => spec.cut)).toEqual(["stages"]);
  });

  test("--out writes each output as it is, by the item's name, and its text beside it", async () => {
    const out = join(folder, "out");
    await run(["customer-service", await tickets(), "--out", out]);
    expect(readdirSync(out).sort()).toEqual(["a.json", "a.txt", "b.json", "b.txt"]);
    expect(readFileSync(join(out, "b.json"), "utf8")).toBe('{"intent":"TWO\\nLINES","score":0.93456}');
    expect(readFileSync(join(out, "b.txt"), "utf8")).toBe("intent:\nTWO\nLINES\nscore: 0.9346\n");
  });

  test("an output that is raw bytes is written as it is, and not shown as text", async () => {
    pretend.face.runs = () => Uint8Array.of(0xff, 0xd8, 0xff);
    const out = join(folder, "out");
    const path = await tickets("ticket\nx\n");
    await run(["customer-service", path, "--out", out]);
    expect(readdirSync(out)).toEqual(["1.bin"]);
    expect((await run(["customer-service", path], onTerminal())).out).toContain("3 bytes; --out DIR");
  });

  test("items that failed, and what on-error rules skipped, are listed with the place; a failure ends with 1", async () => {
    pretend.face.runs = (input) => {
      if (text(input) === "bad")
        throw new SkeinError("INPUT_INVALID", {
          name: "b",
          pipeline: "customer-service:1",
          reason: "intent: no words",
        });
      const skipped = [{ stage: "rec", element: 3, error: { code: "INPUT_EMPTY", message: "The input is empty." } }];
      return json({ intent: "x", ...(text(input) === "half" && { skipped }) });
    };
    const { code, err, out } = await run(
      ["customer-service", await tickets("id,ticket\na,half\nb,bad\n")],
      onTerminal(),
    );
    expect(code).toBe(1);
    expect(err).toContain("  b: b is not an input of the pipeline customer-service:1: intent: no words.");
    expect(err).toContain("  a: skipped rec, element 3: The input is empty.");
    expect(out).not.toContain("SKIPPED");
  });

  test("results fetches and shows them later", async () => {
    await run(["customer-service", await tickets()]);
    const { out } = await skein(["results", "job-0001", "--api", pretend.api.url], onTerminal());
    expect(out).toMatch(/^ITEM +INTENT/);
  });
});

describe("outputs", () => {
  const items = [
    { name: "a", output: { label: "x".repeat(60), list: [1, 0.123456], none: null } },
    { name: "b", output: { label: "y", list: [], none: "z".repeat(50) } },
  ];

  test("the widest columns give way, and no line is wider than the terminal", () => {
    const lines = outputsText(items, 60).trimEnd().split("\n");
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(60);
    expect(lines[0]).toMatch(/^ITEM +LABEL +LIST +NONE$/);
    expect(lines[1]).toContain("[1,0.1235]");
    expect(lines[1]).toMatch(/x… .* -$/);
  });

  test("where even narrow columns do not fit there is a line an item", () => {
    const lines = outputsText(items, 30).trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(30);
  });

  test("what has parts of its own is left out where not all fits, and that is told", () => {
    const label = "x".repeat(30);
    const several = ["a", "b"].map((name) => ({
      name,
      output: { label, ranked: [{ id: label }], by: { [label]: 1 } },
    }));
    const lines = outputsText(several, 50).trimEnd().split("\n");
    expect(lines[0]).toBe("ITEM  LABEL");
    expect(lines[1]).toBe(`a     ${label}`);
    expect(lines[3]).toBe("Left out here: ranked, by; --json tells all.");
    expect(outputsText(several, 200)).toContain('[{"id":');
  });

  test("letters that steer a terminal are not let through", () => {
    expect(outputsText([{ name: "a", output: { x: "\u001b[31mred" } }], 80)).toBe("x: ?[31mred\n");
    const skipped = skippedText({ stage: "s", error: { code: "INTERNAL", message: "m" } });
    expect(skipped).toBe("s: m");
  });
});

describe("what is to be run", () => {
  test("faults of the inputs are told with their lines, each on its own, and nothing is sent", async () => {
    const path = await tickets("id,ticket\na,\nb,c\na,d\n");
    const { code, err } = await run(["customer-service", path]);
    expect(code).toBe(2);
    expect(err).toContain(`\n  ${path}, line 2: ticket is empty\n`);
    expect(pretend.face.calls.filter((call) => /^(put|submit)/.test(call))).toEqual([]);
  });

  test("a name that nobody knows is told with all that is known", async () => {
    await tickets();
    const { code, err } = await run(["customer-servce", folder]);
    expect([code, err]).toEqual([2, expect.stringMatching(/no pipeline "customer-servce".*ocr.*customer-service:1/)]);
  });

  test("without inputs the sample that comes with an application is named", async () => {
    const { code, err } = await run(["customer-service"]);
    expect(code).toBe(2);
    expect(err).toContain(
      "To try it: skein run customer-service agent/applications/customer-service/samples/tickets.csv",
    );
    expect((await run(["ocr"])).err).toBe("skein: `skein run ocr` has no inputs, so there is nothing to read.\n");
  });

  test("an application that the fleet does not have is added with its models, which are waited for, and run", async () => {
    const { catalogue, pipelinesKnown } = pretend.face;
    // The pretend examination knows one graph; what the real ones take and give is tried by the applications' own tests.
    pipelinesKnown.known = {
      ...knownParts(),
      operator: (name) => OPERATORS.get(name),
      model: (reference) => {
        const found = catalogue.details.get(reference);
        const known = SOME_MODELS.find(({ name }) => `${name}:1` === reference);
        if (found && known) found.nodes = [{ nodeId: NODE_IDS[0]!, name: "attic", placed: true, state: "ready" }];
        return found && known ? { ...known, files: found.manifest.files } : undefined;
      },
    };
    const sample = "agent/applications/customer-service/samples/tickets.csv";
    const { code, err } = await run(["customer-service", sample]);
    expect(err).toContain("This fleet does not have customer-service yet; it comes with Skein, so it is added.");
    expect(err).toContain("customer-service:1 is added.");
    expect(code).toBe(0);
    expect([...catalogue.details.keys()].sort()).toEqual(["intent-large:1", "intent:1"]);
    expect((await pretend.face.jobs())[0]).toMatchObject({ pipeline: "customer-service:1", state: "done" });
    pretend.face.calls.length = 0;
    expect((await run(["customer-service", sample])).code).toBe(0);
    expect(pretend.face.calls.filter((call) => /^(addModel|addPipeline)/.test(call))).toEqual([]);
  });
});

test("a folder of files is an item a file for a text", async () => {
  await tickets();
  mkdirSync(join(folder, "in"));
  writeFileSync(join(folder, "in", "one.txt"), "hello");
  writeFileSync(join(folder, "in", "two.txt"), "");
  const { code, out, err } = await run(["customer-service", join(folder, "in")], onTerminal());
  expect([code, out]).toEqual([1, expect.stringContaining("HELLO")]);
  expect(err).toContain("two.txt: two.txt is empty (0 bytes).");
});
