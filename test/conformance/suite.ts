/** A folder of conformance data: `quorum/`, `confchange/` and `interaction/`, each of scenario files. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runConfChange } from "./confchange.ts";
import { type Directive, parseDirectives } from "./datadriven.ts";
import { runInteraction } from "./interaction.ts";
import { reasonFor } from "./on-purpose.ts";
import { runQuorum } from "./quorum.ts";
import type { Difference } from "./report.ts";
import { Unsupported } from "./scenario.ts";

export interface Score {
  total: number;
  equal: number;
}
export interface FileOutcome {
  file: string;
  differences: Difference[];
  /** Why this file may differ; undefined if it must not. */
  onPurpose?: string;
  /** What it asks for that this core does not have; it was not run. */
  leftOut?: string;
}
export interface SuiteOutcome {
  quorum: Score;
  confchange: Score;
  a: Score;
  b: Score;
  files: FileOutcome[];
}

export function runSuite(folder: string): SuiteOutcome {
  const outcome: SuiteOutcome = { quorum: zero(), confchange: zero(), a: zero(), b: zero(), files: [] };
  for (const [file, directives] of filesIn(folder, "quorum")) {
    const differences = runQuorum(directives);
    add(outcome.quorum, directives.length, differences);
    outcome.files.push({ file, differences });
  }
  for (const [file, directives] of filesIn(folder, "confchange")) {
    const differences = runConfChange(directives);
    add(outcome.confchange, directives.length, differences);
    outcome.files.push({ file, differences });
  }
  for (const [file, directives] of filesIn(folder, "interaction"))
    outcome.files.push(runFile(file, directives, outcome));
  return outcome;
}

function runFile(file: string, directives: Directive[], outcome: SuiteOutcome): FileOutcome {
  try {
    const { a, b } = runInteraction(directives);
    add(outcome.a, a.total, a.differences);
    add(outcome.b, b.total, b.differences);
    const onPurpose = reasonFor(file);
    const differences = [...a.differences, ...b.differences];
    return { file, differences, ...(onPurpose !== undefined && { onPurpose }) };
  } catch (error) {
    if (error instanceof Unsupported) return { file, differences: [], leftOut: error.message };
    throw error;
  }
}

function filesIn(folder: string, part: string): [file: string, directives: Directive[]][] {
  const path = join(folder, part);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => [`${part}/${name}`, parseDirectives(readFileSync(join(path, name), "utf8"))]);
}

const zero = (): Score => ({ total: 0, equal: 0 });
function add(score: Score, total: number, differences: Difference[]): void {
  score.total += total;
  score.equal += total - differences.length;
}
