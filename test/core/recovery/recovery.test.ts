import { expect, test } from "vitest";
import { type RecoveryFacts, refusalOf, survivorsInOrder } from "../../../agent/core/recovery/index.ts";
import type { ConfState } from "../../../shared/raft.ts";
import type { Standing, Survivor } from "../../../shared/recovery.ts";
import { A, B, C, node } from "../../support/nouns.ts";

const [D, E] = [node("d"), node("e")];
const conf = (voters: ConfState["voters"], more: Partial<ConfState> = {}): ConfState => ({
  voters,
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  witnesses: [],
  ...more,
});
const log = (lastTerm: number, lastIndex: number, more: Partial<Standing> = {}): Standing => ({
  term: lastTerm,
  lastTerm,
  lastIndex,
  commit: lastIndex,
  applied: lastIndex,
  leads: false,
  keepsLog: true,
  ...more,
});
const alive = (nodeId: typeof A, standing?: Standing): Survivor => ({
  nodeId,
  name: `box-${nodeId.at(-1)}`,
  role: "voter",
  ...(standing && { standing }),
});
const gone = (nodeId: typeof A) => ({ nodeId, name: `box-${nodeId.at(-1)}`, role: "voter" as const });
const facts = (more: Partial<RecoveryFacts> = {}): RecoveryFacts => ({
  self: A,
  conf: conf([A, B, C]),
  survivors: [alive(A, log(3, 20))],
  missing: [gone(B), gone(C)],
  ...more,
});

test("one of three may go on alone", () => {
  expect(refusalOf(facts())).toBeUndefined();
});

test.each<[string, Partial<RecoveryFacts>, RegExp]>([
  ["a quorum is reachable", { survivors: [alive(A, log(3, 20)), alive(B, log(3, 1))], missing: [gone(C)] }, /quorum/],
  ["someone leads", { survivors: [alive(A, log(3, 20)), alive(D, log(3, 1, { leads: true }))] }, /box-d leads/],
  ["nobody is missing", { conf: conf([B, C]), missing: [] }, /nobody/],
  [
    "someone is connected and silent, since its log may go further",
    { conf: conf([A, B, C, D, E]), survivors: [alive(A, log(3, 20)), alive(B)], missing: [gone(C), gone(D), gone(E)] },
    /box-b is connected but did not say/,
  ],
  ["the log of another has a later term", { survivors: [alive(A, log(3, 20)), alive(D, log(4, 2))] }, /box-d goes/],
  ["the log of another is longer", { survivors: [alive(A, log(3, 20)), alive(D, log(3, 21))] }, /box-d goes/],
  ["nobody has a log", { survivors: [alive(A, log(0, 0, { keepsLog: false }))] }, /no box/],
  [
    "the one without a log is this one",
    { survivors: [alive(A, log(9, 99, { keepsLog: false })), alive(D, log(1, 2))] },
    /box-d goes/,
  ],
])("it is refused when %s", (_, more, reason) => {
  const refusal = refusalOf(facts(more));
  expect(refusal).toMatchObject({ code: "RECOVERY_REFUSED" });
  expect(refusal?.message).toMatch(reason);
});

test("in a joint configuration either half may be the one that is lost", () => {
  const joint = conf([A, B, C], { votersOutgoing: [C, D, E] });
  const survivors = [alive(A, log(3, 20)), alive(B, log(3, 20))];
  expect(refusalOf(facts({ conf: joint, survivors, missing: [gone(C), gone(D), gone(E)] }))).toBeUndefined();
  expect(
    refusalOf(facts({ conf: joint, survivors: [...survivors, alive(C), alive(D)], missing: [gone(E)] })),
  ).toBeDefined();
});

test("of equal logs any may be chosen, and they are listed in one order everywhere", () => {
  const survivors = [alive(D, log(3, 20)), alive(A, log(3, 20)), alive(E, log(4, 1))];
  expect(survivorsInOrder(survivors).map(({ nodeId }) => nodeId)).toEqual([E, A, D]);
  const equal = survivors.slice(0, 2);
  for (const self of [A, D])
    expect(refusalOf(facts({ self, survivors: equal, missing: [gone(B), gone(C)] }))).toBeUndefined();
});
