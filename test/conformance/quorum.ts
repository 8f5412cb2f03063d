/** quorum/: the committed index and the vote result of one or two majorities. The last line of each answer counts. */
import { committedIndex, voteResult } from "../../agent/core/raft/index.ts";
import { argOf, type Directive, listOf } from "./datadriven.ts";
import { type Difference, Unsupported } from "./report.ts";

const WORDS = { won: "VoteWon", lost: "VoteLost", pending: "VotePending" } as const;

export function runQuorum(directives: Directive[]): Difference[] {
  return directives.flatMap((directive) => {
    if (!["vote", "committed"].includes(directive.command)) throw new Unsupported(`the command ${directive.command}`);
    const actual = answer(directive);
    const expected = directive.expected.split("\n").at(-1)!.replace("<empty majority quorum>", "").trim();
    const odd = propertiesOf(directive);
    if (actual === expected && !odd) return [];
    return [{ line: directive.line, what: directive.command, expected, actual: odd ?? actual }];
  });
}

interface Case {
  voters: string[];
  votersOutgoing: string[];
  values: Map<string, string>;
}

/** Values belong to the ids in order of their first appearance; `_` is one not heard of. */
function caseOf(directive: Directive): Case {
  const voters = listOf(directive, "cfg");
  const outgoing = listOf(directive, "cfgj").filter((id) => id !== "zero");
  const ids = [...new Set([...voters, ...outgoing])];
  const values = listOf(directive, directive.command === "vote" ? "votes" : "idx");
  return { voters, votersOutgoing: outgoing, values: new Map(ids.map((id, at) => [id, values[at] ?? "_"])) };
}

function answer(directive: Directive, conf: Case = caseOf(directive)): string {
  if (directive.command === "vote") {
    const voteOf = (id: string): boolean | undefined => ({ y: true, n: false })[conf.values.get(id)!];
    return WORDS[voteResult(conf, voteOf)];
  }
  const index = committedIndex(conf, (id) => ackedBy(conf, id));
  return index === Number.POSITIVE_INFINITY ? "∞" : String(index);
}

const ackedBy = ({ values }: Case, id: string): number => (values.get(id) === "_" ? 0 : Number(values.get(id)));

/** What must hold of every case besides its answer. */
function propertiesOf(directive: Directive): string | undefined {
  const conf = caseOf(directive);
  const plain = answer(directive);
  const swapped = answer(directive, { ...conf, voters: conf.votersOutgoing, votersOutgoing: conf.voters });
  if (swapped !== plain) return `with its halves swapped: ${swapped}`;
  if (argOf(directive, "cfgj") !== undefined) return undefined;
  const doubled = answer(directive, { ...conf, votersOutgoing: conf.voters });
  if (doubled !== plain) return `joint with itself: ${doubled}`;
  if (directive.command === "vote" || plain === "∞") return undefined;
  return loweredChanges(directive, conf, plain);
}

/** Who has acknowledged more than is committed may as well have acknowledged exactly that, and who less, nothing. */
function loweredChanges(directive: Directive, conf: Case, plain: string): string | undefined {
  for (const id of conf.voters) {
    const acked = ackedBy(conf, id);
    if (acked === Number(plain)) continue;
    const values = new Map(conf.values).set(id, acked > Number(plain) ? plain : "0");
    const lowered = answer(directive, { ...conf, values });
    if (lowered !== plain) return `with the acknowledgement of ${id} lowered: ${lowered}`;
  }
  return undefined;
}
