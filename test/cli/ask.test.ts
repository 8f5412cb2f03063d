import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CUSTOMER_SERVICE } from "../support/pipeline-parts.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

test("one page's text goes to stdout, and who read it to stderr", async () => {
  const page = join(temporaryFolder(), "a.png");
  writeFileSync(page, "hello");
  const said = await skein(["ask", "ocr", page, "--api", pretend.api.url]);
  expect(said).toMatchObject({ code: 0, out: "hello\n", err: "by bench in 12 ms\n" });
  const json = await skein(["ask", "ocr", page, "--json", "--api", pretend.api.url]);
  expect(JSON.parse(json.out)).toMatchObject({ name: "bench", page: { text: "hello" } });
});

test("a file that is not there is an error with its name", async () => {
  const said = await skein(["ask", "ocr", "/nowhere/a.png", "--api", pretend.api.url]);
  expect(said.code).toBe(2);
  expect(said.err).toContain("/nowhere/a.png");
});

test("a pipeline of stages is not asked, and it is said what runs it", async () => {
  const text = join(temporaryFolder(), "a.txt");
  writeFileSync(text, "hello");
  pretend.face.pipelinesKnown.add({ text: CUSTOMER_SERVICE });
  const said = await skein(["ask", "customer-service", text, "--api", pretend.api.url]);
  expect(said.code).toBe(2);
  expect(said.err).toContain("only single models are asked: `skein run` runs it");
  const other = await skein(["ask", "nobody", text, "--api", pretend.api.url]);
  expect(other.err).toContain('There is no pipeline "nobody"');
});
