/** The Raft paper's sentences on replication and commitment (sections 5.3, 5.4.2), as tables. Logs start at index 2, after a snapshot. */
import { describe, expect, test } from "vitest";
import type { RaftMessage, Term } from "../../../shared/raft.ts";
import {
  acknowledgeAll,
  bytes,
  Cluster,
  confOf,
  diskWith,
  entriesOf,
  hears,
  type Member,
  makeLeader,
  memberOf,
  messageOf,
  normal,
  numberOf,
} from "./cluster.ts";

const of = (messages: RaftMessage[], type: RaftMessage["type"]): RaftMessage[] =>
  messages.filter((message) => message.type === type);

/** A leader of `size` in term 2 whose empty entry (index 2) everyone has. */
function settledLeader(size: number): Member {
  const member = memberOf(size);
  makeLeader(member, size);
  acknowledgeAll(member, size);
  return member;
}
const termsOf = (member: Member): Term[] => member.disk.entries.map(({ term }) => term);

describe("5.3 replication", () => {
  test("a leader appends a proposal and sends it to everyone with the place before it", () => {
    const member = settledLeader(3);
    member.raft.propose(bytes("x"));
    const sent = member.settle();
    expect(sent.map(({ type, to, index, logTerm, commit }) => [type, numberOf(to), index, logTerm, commit])).toEqual([
      ["appendRequest", 2, 2, 2, 2],
      ["appendRequest", 3, 2, 2, 2],
    ]);
    for (const { entries } of sent) expect(entries).toEqual([normal(3, 2, "x")]);
    expect(member.disk.entries.at(-1)).toEqual(normal(3, 2, "x"));
  });

  test("a leader applies an entry that a majority has, and later messages say so", () => {
    const member = settledLeader(3);
    member.raft.propose(bytes("x"));
    member.settle();
    const sent = hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 3 }));
    expect(member.applied.at(-1)).toEqual(normal(3, 2, "x"));
    expect(of(sent, "appendRequest").map(({ to, commit }) => [numberOf(to), commit])).toEqual([
      [2, 3],
      [3, 3],
    ]);
  });

  const acknowledgements: [size: number, by: number[], committed: boolean][] = [
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [3, [2, 3], true],
    [5, [], false],
    [5, [2], false],
    [5, [2, 3], true],
    [5, [2, 3, 4], true],
    [5, [2, 3, 4, 5], true],
  ];
  test.each(acknowledgements)("among %i, an entry acknowledged by %j is committed: %s", (size, by, committed) => {
    const member = settledLeader(size);
    member.raft.propose(bytes("x"));
    member.settle();
    for (const n of by) hears(member, messageOf("appendResponse", n, 1, { term: 2, index: 3 }));
    expect(member.raft.status().commit).toBe(committed ? 3 : 2);
  });

  test.each([[[]], [[2]], [[1, 2]], [[1]]])(
    "committing an entry commits the earlier leaders' entries %j before it",
    (terms) => {
      const member = memberOf(3, terms, { term: 2 });
      makeLeader(member, 3);
      member.raft.propose(bytes("x"));
      member.settle();
      acknowledgeAll(member, 3);
      expect(member.applied.map(({ index, term }) => [index, term])).toEqual(
        [...terms, 3, 3].map((term, at) => [at + 2, term]),
      );
    },
  );

  test.each([0, 1, 2, 3])("a follower told that %i entries are committed applies them in order", (count) => {
    const member = memberOf(3);
    const entries = entriesOf([2, 2, 2], 2);
    hears(member, messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries, commit: 1 + count }));
    expect(member.applied).toEqual(entries.slice(0, count));
    expect(member.raft.status()).toMatchObject({ commit: 1 + count, applied: 1 + count });
  });

  // The follower's log is (2, term 1) (3, term 2), of which index 2 is committed.
  const checks: [logTerm: Term, index: number, answer: Partial<RaftMessage>][] = [
    [1, 1, { index: 2, reject: false }],
    [1, 2, { index: 2, reject: false }],
    [2, 3, { index: 3, reject: false }],
    [1, 3, { index: 3, reject: true, rejectHint: 2, logTerm: 1 }],
    [3, 4, { index: 4, reject: true, rejectHint: 3, logTerm: 2 }],
    [2, 9, { index: 9, reject: true, rejectHint: 3, logTerm: 2 }],
    [1, 9, { index: 9, reject: true, rejectHint: 2, logTerm: 1 }],
  ];
  test.each(checks)("a follower asked to append after (term %i, index %i) answers %j", (logTerm, index, answer) => {
    const member = memberOf(3, [1, 2], { term: 3, commit: 2 });
    const sent = hears(member, messageOf("appendRequest", 2, 1, { term: 3, logTerm, index }));
    expect(of(sent, "appendResponse")).toMatchObject([answer]);
  });

  const appends: [had: Term[], after: [index: number, term: Term], sent: Term[], becomes: Term[]][] = [
    [[1, 2], [3, 2], [3], [1, 2, 3]],
    [
      [1, 2],
      [2, 1],
      [3, 4],
      [1, 3, 4],
    ],
    [[1, 2], [1, 1], [1], [1, 2]],
    [[1, 2], [1, 1], [3], [3]],
    [[], [1, 1], [1, 3], [1, 3]],
    [[1, 2, 2, 2], [2, 1], [2], [1, 2, 2, 2]],
    [[1, 2, 2, 2], [2, 1], [], [1, 2, 2, 2]],
  ];
  test.each(appends)(
    "a follower with %j that gets, after %j, entries %j has %j",
    (had, [index, logTerm], sent, becomes) => {
      const member = memberOf(3, had, { term: 4 });
      const entries = entriesOf(sent, index + 1);
      hears(member, messageOf("appendRequest", 2, 1, { term: 4, index, logTerm, entries }));
      expect(member.raft.entries(2, 99).map(({ term }) => term)).toEqual(becomes);
      expect(termsOf(member)).toEqual(becomes);
    },
  );

  const figure7: [name: string, terms: Term[]][] = [
    ["a", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ["b", [1, 1, 1, 4]],
    ["c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ["d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ["e", [1, 1, 1, 4, 4, 4, 4]],
    ["f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ];
  test.each(figure7)("a leader brings follower %s of Figure 7 to its own log", (_name, terms) => {
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const conf = confOf({ voters: [1, 2, 3] });
    const cluster = new Cluster();
    cluster.add(1, diskWith(conf, leaderTerms, { term: 7, commit: leaderTerms.length + 1 }));
    cluster.add(2, diskWith(conf, terms, { term: 7 }));
    cluster.add(3, diskWith(conf, [], { term: 7 }));
    cluster.elect(1);
    cluster.propose(1, "x");
    expect(termsOf(cluster.at(2))).toEqual([...leaderTerms, 8, 8]);
    expect(cluster.at(2).disk.entries).toEqual(cluster.at(1).disk.entries);
    expect(cluster.raft(2).status().commit).toBe(cluster.raft(1).status().commit);
  });
});

describe("5.4.2 commitment", () => {
  // The leader is in term 3; its log is (2, term 1) (3, term 2) and its own empty entry at index 4.
  test.each([
    [2, 1],
    [3, 1],
    [4, 4],
  ])(
    "a leader whose follower acknowledges up to %i has committed %i: only an entry of its own term counts",
    (index, commit) => {
      const member = memberOf(3, [1, 2], { term: 2 });
      makeLeader(member, 3);
      member.settle();
      hears(member, messageOf("appendResponse", 2, 1, { term: 3, index }));
      expect(member.raft.status().commit).toBe(commit);
    },
  );
});
