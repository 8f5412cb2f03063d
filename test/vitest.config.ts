import { defineConfig } from "vitest/config";

/** Suites in the order a reader would want them to fail in: the map first, real processes last, one at a time. */
const project = (name: string, include: string[], more: Record<string, unknown> = {}) => ({
  test: { name, include: include.map((glob) => `test/${glob}`), ...more },
});

/** Real processes and namespaces share two cores and a few well-known names, so these run one file after another. */
const alone = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    pool: "forks",
    projects: [
      project("map", ["*.test.ts"]),
      project(
        "unit",
        ["shared/**/*.test.ts", "core/**/*.test.ts", "io/**/*.test.ts", "api/**/*.test.ts", "cli/**/*.test.ts"],
        {
          testTimeout: 30_000,
        },
      ),
      project("contracts", ["contracts/**/*.test.ts"], { testTimeout: 30_000 }),
      project("simulation", ["simulation/**/*.test.ts"], { testTimeout: 120_000 }),
      project("fleet", ["fleet/**/*.test.ts"], alone),
      project("browser", ["browser/**/*.test.ts"], alone),
    ],
  },
});
