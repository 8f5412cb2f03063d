import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { operatorsPage, PAGE } from "../../support/operators-page.ts";

test("the page of operators is as the specs have it; if not: npm run operators", () => {
  const page = readFileSync(PAGE, "utf8");
  expect(page).toBe(operatorsPage(page));
});
