/** A witness runs where no model and no onnxruntime is: starting an agent must load none of the inference room's packages. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const STATIC = /(?:^|\n)\s*(?:import|export)\b(?!\s+type\b)[^"';]*?from\s*"([^"]+)"|(?:^|\n)import\s*"([^"]+)"/g;

/** Every package that is loaded when these files are, by imports that do not wait to be called. */
function packagesOf(entries: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file) || !existsSync(file)) return;
    seen.add(file);
    for (const [, from, bare] of readFileSync(file, "utf8").matchAll(STATIC)) {
      const target = from ?? bare!;
      if (target.startsWith(".")) visit(normalize(join(dirname(file), target)));
      else packages.add(target);
    }
  };
  for (const entry of entries) visit(entry);
  return packages;
}

test("starting an agent loads no package of the inference room", () => {
  const loaded = packagesOf(["agent/cli/index.ts", "agent/cli/start.ts", "agent/cli/found.ts"]);
  expect(loaded).toContain("libp2p");
  expect([...loaded].filter((name) => /onnxruntime|sharp|ocr-models/.test(name))).toEqual([]);
});
