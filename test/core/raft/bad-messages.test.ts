/** What a peer may send without harming anyone: nonsense of every kind. */
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftMessage, RaftMessageType } from "../../../shared/raft.ts";
import {
  bytes,
  configuration,
  confOf,
  entriesOf,
  idOf,
  type Member,
  makeCandidate,
  makeLeader,
  memberOf,
  messageOf,
  normal,
} from "./cluster.ts";
import { fuzzMessages } from "./fuzz.ts";
import { fuzzFrames } from "./fuzz-frames.ts";

const leads = (): Member => {
  const member = memberOf(3, [1, 1]);
  makeLeader(member, 3);
  return member;
};
const stands = (): Member => {
  const member = memberOf(3, [1, 1]);
  makeCandidate(member, 3);
  return member;
};
const follows = (): Member => {
  const member = memberOf(3, [1, 1], { term: 2 });
  member.raft.step(messageOf("heartbeat", 2, 1, { term: 2 }));
  member.settle();
  return member;
};
const ROLES: [string, () => Member][] = [
  ["leader", leads],
  ["candidate", stands],
  ["follower", follows],
];
const essence = ({ raft }: Member) => {
  const { term, vote, role, commit, lastIndex, conf } = raft.status();
  return { term, vote, role, commit, lastIndex, conf };
};

const append = (fields: Partial<RaftMessage>) =>
  messageOf("appendRequest", 2, 1, { term: 9, index: 3, logTerm: 1, ...fields });
const snapshot = (fields: object) =>
  messageOf("snapshot", 2, 1, {
    term: 9,
    snapshot: { index: 50, term: 2, conf: confOf({ voters: [1, 2] }), data: bytes(""), ...fields },
  });
const NONSENSE: [string, RaftMessage][] = [
  ["for another node", { ...append({}), to: idOf(3) }],
  ["from itself", { ...append({}), from: idOf(1) }],
  ["from nobody", { ...append({}), from: "" as NodeId }],
  ["with a term that is not a number", append({ term: Number.NaN })],
  ["with a negative term", append({ term: -1 })],
  ["with half a term", append({ term: 2.5 })],
  ["with a term no fleet will reach", append({ term: 2 ** 50 })],
  ["with a term that leaps further than a fleet can have gone", append({ term: 2 ** 40 })],
  ["with an index beyond reason", append({ index: 2 ** 52 })],
  ["with a commit index beyond reason", append({ commit: 2 ** 52 })],
  ["with a hint that is not a number", append({ rejectHint: Number.POSITIVE_INFINITY })],
  ["with a log term after its own term", append({ logTerm: 10 })],
  ["with a gap in its entries", append({ entries: [normal(4, 2), normal(6, 2)] })],
  ["with entries that do not follow its index", append({ entries: [normal(5, 2)] })],
  ["with terms that go back", append({ entries: [normal(4, 3), normal(5, 2)] })],
  ["with an entry of a later term than its own", append({ entries: [normal(4, 10)] })],
  ["with an entry before its log term", append({ logTerm: 2, entries: [normal(4, 1)] })],
  ["with a term for the entry before the first", append({ index: 0, logTerm: 1 })],
  ["with a configuration without voters", append({ entries: [configuration(4, 2, confOf({ voters: [] }))] })],
  [
    "with a node that is voter and learner",
    append({ entries: [configuration(4, 2, confOf({ voters: [1], learners: [1] }))] }),
  ],
  [
    "with a configuration that is noise",
    append({ entries: [{ ...normal(4, 2, "\u0007noise"), kind: "configuration" }] }),
  ],
  ["without its snapshot", messageOf("snapshot", 2, 1, { term: 9 })],
  ["with a snapshot of nothing", snapshot({ index: 0 })],
  ["with a snapshot of a later term", snapshot({ term: 10 })],
  ["with a snapshot whose members cannot be", snapshot({ conf: confOf({ voters: [1, 1] }) })],
  ["that is a heartbeat with entries", messageOf("heartbeat", 2, 1, { term: 9, entries: entriesOf([1], 1) })],
  ["of a type that does not exist", { ...append({}), type: "gossip" as RaftMessageType }],
];

describe.each(ROLES)("a %s takes no notice of a message", (_role, make) => {
  test.each(NONSENSE)("%s", (_what, message) => {
    const member = make();
    const before = essence(member);
    member.raft.step(message);
    member.raft.assertSound();
    expect(essence(member)).toEqual(before);
  });
});

describe("within its own term", () => {
  test("a leader takes no notice of another who says it leads", () => {
    const member = leads();
    const before = essence(member);
    for (const type of ["appendRequest", "heartbeat"] as const)
      member.raft.step(messageOf(type, 3, 1, { term: 2, index: 1, logTerm: 1, commit: 3 }));
    expect(essence(member)).toEqual(before);
  });

  test("a follower takes no notice of a second leader", () => {
    const member = follows();
    const before = essence(member);
    member.raft.step(
      messageOf("appendRequest", 3, 1, { term: 2, index: 3, logTerm: 1, entries: [normal(4, 2)], commit: 4 }),
    );
    expect(essence(member)).toEqual(before);
    expect(member.raft.status().leader).toBe(idOf(2));
  });

  test("a leader does not believe an acknowledgement of entries it does not have", () => {
    const member = leads();
    for (const n of [2, 3]) member.raft.step(messageOf("appendResponse", n, 1, { term: 2, index: 999 }));
    member.raft.assertSound();
    expect(member.raft.status().commit).toBe(1);
  });

  test("a candidate counts no vote twice and none of strangers", () => {
    const member = memberOf(5);
    makeCandidate(member, 5);
    const { term } = member.raft.status();
    for (const n of [2, 2, 2, 8, 9]) member.raft.step(messageOf("voteResponse", n, 1, { term }));
    expect(member.raft.status().role).toBe("candidate");
  });
});

test("mutated messages never make a node throw, break its invariants, or see a term that nobody reached", () => {
  expect(fuzzMessages(Date.now() % 1_000_000, 2_000)).toBe(2_000);
});

test("spoiled frames are refused, ignored, or taken as a sound peer's; no other moves a term or a vote", () => {
  const { refused, ignored, taken } = fuzzFrames(Date.now() % 1_000_000, 40_000);
  expect(Math.min(refused, ignored, taken)).toBeGreaterThan(0);
});
