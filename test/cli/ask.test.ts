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

test("a pipeline is asked with an item as `skein run` takes them, one at a time", async () => {
  const folder = temporaryFolder();
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  pretend.face.pipelinesKnown.add({ text: CUSTOMER_SERVICE });
  pretend.face.runs = (input) => new TextEncoder().encode(JSON.stringify({ said: new TextDecoder().decode(input) }));
  const ask = (...words: string[]) => skein(["ask", ...words, "--api", pretend.api.url]);
  const text = write("a.txt", "hello");
  expect(await ask("customer-service", text)).toMatchObject({
    code: 0,
    out: "said: hello\n",
    err: "by bench in 12 ms\n",
  });
  expect((await ask("customer-service:1", write("one.csv", "ticket,id\nhello,7\n"))).out).toBe("said: hello\n");
  expect(JSON.parse((await ask("customer-service", text, "--json")).out)).toMatchObject({
    response: { said: "hello" },
  });
  const two = await ask("customer-service", write("two.csv", "ticket\nhello\nthere\n"));
  expect(two.code).toBe(2);
  expect(two.err).toContain("two.csv holds 2 items, and one is asked; `skein run customer-service:1 PATH` takes all");
  expect((await ask("nobody", text)).err).toContain('There is no pipeline "nobody"');
});
