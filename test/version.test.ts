import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AGENT_VERSION } from "../shared/version.ts";

test("the agent says the version that package.json says", () => {
  expect(JSON.parse(readFileSync("package.json", "utf8")).version).toBe(AGENT_VERSION);
});
