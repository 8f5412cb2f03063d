import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { PATIENCE_MS } from "./fleet/waiting.ts";

/** Suites one after the other, in the order a reader would want them to fail in: the map first, real processes last. */
const project = (groupOrder: number, name: string, include: string[], more: Record<string, unknown> = {}) => ({
  test: { name, include: include.map((glob) => `test/${glob}`), sequence: { groupOrder }, ...more },
});

/**
 * Real processes and namespaces share two cores and a few well-known names, so these run one file after another. Several waits
 * follow one another in a test or a hook, and each has a deadline of its own that says what it waited for in vain: these come later.
 */
const alone = { fileParallelism: false, testTimeout: 4 * PATIENCE_MS, hookTimeout: 4 * PATIENCE_MS };

/** Some seconds of a core are the most that a test of these takes; it shares the cores with others. */
const together = { testTimeout: 60_000 };

/** Whole fleets make garbage faster than anything else here; with V8's usual nursery they spend a sixth of their time on it. */
const simulated = { testTimeout: 120_000, execArgv: ["--max-semi-space-size=64"] };

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    pool: "forks",
    // Left to itself, vitest keeps a core for its own process, which has next to nothing to do: of two cores that is half.
    maxWorkers: availableParallelism(),
    projects: [
      project(0, "map", ["*.test.ts"]),
      project(
        1,
        "unit",
        [
          "shared/**/*.test.ts",
          "core/**/*.test.ts",
          "io/**/*.test.ts",
          "applications/**/*.test.ts",
          "api/**/*.test.ts",
          "cli/**/*.test.ts",
          "linearizability/**/*.test.ts",
        ],
        together,
      ),
      project(2, "contracts", ["contracts/**/*.test.ts"], together),
      project(3, "simulation", ["simulation/**/*.test.ts"], simulated),
      project(4, "fleet", ["fleet/**/*.test.ts"], { ...alone, globalSetup: ["test/fleet/alone.setup.ts"] }),
      project(5, "browser", ["browser/**/*.test.ts"], alone),
    ],
  },
});
