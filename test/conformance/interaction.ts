/**
 * Runs a scenario and compares it: A, every state it prints outright; B, everything its text lets one know at its end; C,
 * its whole text, log lines apart.
 */
import { numberOf } from "../core/raft/cluster.ts";
import { confText } from "./confchange.ts";
import type { Directive } from "./datadriven.ts";
import { ExpectedFacts, type Facts } from "./expected-facts.ts";
import type { Difference } from "./report.ts";
import { Scenario } from "./scenario.ts";
import type { ScenarioNode } from "./scenario-node.ts";
import { entryText, leadText, roleText } from "./state-text.ts";

export interface Tier {
  total: number;
  differences: Difference[];
}
export interface InteractionOutcome {
  a: Tier;
  b: Tier;
  c: Tier;
}

/** They print state. */
const STATES: ReadonlySet<string> = new Set(["raft-state", "raft-log", "status"]);

/** @throws Unsupported if the scenario asks for what this core does not have. */
export function runInteraction(directives: Directive[]): InteractionOutcome {
  const scenario = new Scenario();
  const expected = new ExpectedFacts();
  const a: Tier = { total: 0, differences: [] };
  const c: Tier = { total: 0, differences: [] };
  for (const directive of directives) {
    const actual = scenario.run(directive);
    expected.see(directive);
    // A quiet block says nothing, and a status of one who does not lead is empty.
    if (expected.isQuiet(directive)) continue;
    compare(c, directive, actual);
    if (STATES.has(directive.command) && directive.expected !== "ok") compare(a, directive, actual);
  }
  const line = directives.at(-1)?.line ?? 0;
  return { a, b: compareFacts(expected, scenario.nodes, line), c };
}

function compare(tier: Tier, { line, command, expected }: Directive, actual: string): void {
  tier.total += 1;
  const plain = withoutLogLines(expected) || "ok";
  if (actual !== plain) tier.differences.push({ line, what: command, expected: plain, actual });
}

const withoutLogLines = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /.test(line))
    .join("\n");

function compareFacts(expected: ExpectedFacts, nodes: ScenarioNode[], line: number): Tier {
  const tier: Tier = { total: 0, differences: [] };
  for (const [n, facts] of [...expected.nodes].sort(([x], [y]) => x - y)) {
    const node = nodes[n - 1];
    if (!node) continue;
    for (const [what, value, actual] of [...plainFacts(facts, node), ...logFacts(facts, node)]) {
      tier.total += 1;
      if (value !== actual)
        tier.differences.push({ line, what: `${what} of node ${n} at the end`, expected: value, actual });
    }
  }
  return tier;
}

type Compared = [what: string, expected: string, actual: string];

function plainFacts(facts: Facts, node: ScenarioNode): Compared[] {
  const { term, vote, commit, lead, role, config } = facts;
  const voted = node.hardState.vote === "" ? "0" : numberOf(node.hardState.vote).toString(16);
  const all: [string, string | undefined, string][] = [
    ["term", term, String(node.inner.term)],
    ["vote", vote, voted],
    ["commit", commit, String(node.hardState.commit)],
    ["leader", lead, leadText(node)],
    ["role", role, roleText(node)],
    ["configuration", config, confText(node.inner.log.conf)],
  ];
  return all.filter((item): item is Compared => item[1] !== undefined);
}

function logFacts({ log }: Facts, node: ScenarioNode): Compared[] {
  const actual = new Map(node.stable.map((entry) => [entry.index, entryText(entry)]));
  return [...log].map(([index, entry]) => [`entry ${index}`, entry, actual.get(index) ?? "nothing"]);
}
