/** confchange/: which changes are legal and what they lead to. The configuration's line and the errors count; progress does not. */
import {
  type ConfChangeStep,
  type ConfOutcome,
  EMPTY_CONF,
  enterJoint,
  leaveJoint,
  simpleChange,
} from "../../agent/core/raft/confchange.ts";
import type { ConfState } from "../../shared/raft.ts";
import { idOf, numberOf } from "../core/raft/cluster.ts";
import { type Directive, flagOf } from "./datadriven.ts";
import { type Difference, Unsupported } from "./report.ts";

const KINDS = { v: "addVoter", l: "addLearner", r: "remove" } as const;

/** `v1 l2 r3`. Node 0 is nobody, and `u` updates something that a configuration does not hold. */
export function parseSteps(input: string): ConfChangeStep[] {
  return input
    .split(/\s+/)
    .filter((word) => /^[vlr]\d+$/.test(word) && Number(word.slice(1)) > 0)
    .map((word) => ({ kind: KINDS[word[0] as keyof typeof KINDS], node: idOf(Number(word.slice(1))) }));
}

/** As etcd-io/raft prints a configuration: `voters=(2 3)&&(1) learners=(4) learners_next=(1) autoleave`. */
export function confText({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  const ids = (list: ConfState["voters"]): string => `(${list.map((id) => numberOf(id).toString(16)).join(" ")})`;
  const parts = [`voters=${ids(voters)}${votersOutgoing.length > 0 ? `&&${ids(votersOutgoing)}` : ""}`];
  if (learners.length > 0) parts.push(`learners=${ids(learners)}`);
  if (learnersNext.length > 0) parts.push(`learners_next=${ids(learnersNext)}`);
  if (autoLeave) parts.push("autoleave");
  return parts.join(" ");
}

export function runConfChange(directives: Directive[]): Difference[] {
  let conf = EMPTY_CONF;
  const differences: Difference[] = [];
  for (const directive of directives) {
    const outcome = change(conf, directive);
    if ("conf" in outcome) conf = outcome.conf;
    const actual = "conf" in outcome ? confText(outcome.conf) : outcome.invalid;
    const expected = directive.expected.split("\n")[0]!;
    if (actual !== expected) differences.push({ line: directive.line, what: directive.command, expected, actual });
  }
  return differences;
}

function change(conf: ConfState, directive: Directive): ConfOutcome {
  const steps = parseSteps(directive.input);
  if (directive.command === "enter-joint") return enterJoint(conf, steps, flagOf(directive, "autoleave"));
  if (directive.command === "leave-joint") return leaveJoint(conf);
  if (directive.command === "simple") return simpleChange(conf, steps);
  throw new Unsupported(`the command ${directive.command}`);
}
