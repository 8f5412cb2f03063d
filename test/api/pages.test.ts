import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DASHBOARD_FILES } from "../../agent/dashboard/index.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";

let pretend: PretendApi;
beforeAll(async () => {
  pretend = await startPretendApi();
});
afterAll(() => pretend.api.stop());

test.each(DASHBOARD_FILES)("$path is served under its type and a policy that keeps other sites out", async (page) => {
  const response = await fetch(pretend.api.url + page.path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(page.type);
  expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(await response.text()).toBe(readFileSync(page.file, "utf8"));
});

test("every file of the page is listed, and every file the page asks for", () => {
  const folder = fileURLToPath(new URL("../../agent/dashboard", import.meta.url));
  const listed = DASHBOARD_FILES.map((page) => page.file.slice(folder.length + 1)).sort();
  expect(listed).toEqual(
    readdirSync(folder)
      .filter((name) => !name.endsWith(".ts"))
      .sort(),
  );
  const paths = DASHBOARD_FILES.map((page) => page.path);
  for (const page of DASHBOARD_FILES) {
    const text = readFileSync(page.file, "utf8");
    const asked = [...text.matchAll(/(?:from |src=|href=)"\.?(\/[\w.-]+)"/g)].map((match) => match[1]);
    for (const path of asked) expect(paths).toContain(path);
  }
});

test("the page works where there is no internet: it names no other host", () => {
  for (const page of DASHBOARD_FILES) {
    const text = readFileSync(page.file, "utf8").replaceAll("http://www.w3.org/2000/svg", "");
    expect(text.match(/https?:\/\/|\/\/[a-z0-9-]+\.[a-z]/i)?.[0]).toBeUndefined();
  }
});
