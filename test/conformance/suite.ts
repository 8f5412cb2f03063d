/** A folder of conformance data: `quorum/`, `confchange/` and `interaction/`, each of scenario files. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runConfChange } from "./confchange.ts";
import { type Directive, parseDirectives } from "./datadriven.ts";
import { runInteraction, type Tier } from "./interaction.ts";
import { reasonFor, textReasonFor } from "./on-purpose.ts";
import { runQuorum } from "./quorum.ts";
import { type Difference, Unsupported } from "./report.ts";

export interface Score {
  total: number;
  equal: number;
}
export interface FileOutcome {
  file: string;
  differences: Difference[];
  /** Why its states may differ; absent if they must not. */
  onPurpose?: string;
  /** Present if it cannot be equal letter by letter: how far it is, and why. */
  otherText?: Tier & { reason: string };
  /** What it asks for that is not there. */
  notRun?: string;
}
export interface SuiteOutcome {
  quorum: Score;
  confchange: Score;
  a: Score;
  b: Score;
  /** Of the files whose whole text must be equal. */
  c: Score;
  files: FileOutcome[];
}

export function runSuite(folder: string): SuiteOutcome {
  const outcome: SuiteOutcome = { quorum: zero(), confchange: zero(), a: zero(), b: zero(), c: zero(), files: [] };
  const count = (score: Score, run: (directives: Directive[]) => Difference[]) => (directives: Directive[]) => {
    const differences = run(directives);
    add(score, directives.length, differences);
    return { differences };
  };
  const parts: [string, (directives: Directive[], file: string) => Omit<FileOutcome, "file">][] = [
    ["quorum", count(outcome.quorum, runQuorum)],
    ["confchange", count(outcome.confchange, runConfChange)],
    ["interaction", (directives, file) => runScenario(directives, file, outcome)],
  ];
  for (const [part, run] of parts)
    for (const [file, text] of filesIn(folder, part)) outcome.files.push({ file, ...outcomeOf(file, text, run) });
  return outcome;
}

/** Whatever a file holds, the others are run. */
function outcomeOf(
  file: string,
  text: string,
  run: (directives: Directive[], file: string) => Omit<FileOutcome, "file">,
): Omit<FileOutcome, "file"> {
  try {
    return run(parseDirectives(text), file);
  } catch (error) {
    if (error instanceof Unsupported) return { differences: [], notRun: error.message };
    const actual = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { differences: [{ line: 0, what: "run", expected: "no exception", actual }] };
  }
}

function runScenario(directives: Directive[], file: string, outcome: SuiteOutcome): Omit<FileOutcome, "file"> {
  const { a, b, c } = runInteraction(directives);
  add(outcome.a, a.total, a.differences);
  add(outcome.b, b.total, b.differences);
  const differences = [...a.differences, ...b.differences];
  const onPurpose = reasonFor(file);
  const reason = onPurpose ?? textReasonFor(file);
  if (reason !== undefined)
    return { differences, ...(onPurpose !== undefined && { onPurpose }), otherText: { ...c, reason } };
  add(outcome.c, c.total, c.differences);
  return { differences: [...differences, ...c.differences] };
}

function filesIn(folder: string, part: string): [file: string, text: string][] {
  const path = join(folder, part);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => [`${part}/${name}`, readFileSync(join(path, name), "utf8")]);
}

const zero = (): Score => ({ total: 0, equal: 0 });
function add(score: Score, total: number, differences: Difference[]): void {
  score.total += total;
  score.equal += total - differences.length;
}
