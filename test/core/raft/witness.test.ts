/** A vote without the data: what a witness is sent and when, and what the other two can then survive. */
import { describe, expect, test } from "vitest";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  addVoter,
  bytes,
  configuration,
  confOf,
  digestOf,
  diskWith,
  ELECTION_TICKS,
  hears,
  idOf,
  Member,
  makeLeader,
  messageOf,
  normal,
  numberOf,
  type Options,
  remove,
} from "./cluster.ts";

/** Two boxes with the data, and a witness. */
const CONF = confOf({ voters: [1, 2, 3], witnesses: [3] });
const WITNESS = 3;

/** Leader of term 2 whose empty entry, at index 2, everyone has. */
function leader(options: Options = {}): Member {
  const member = new Member(1, diskWith(CONF), options);
  makeLeader(member, 3);
  answers(member, 2, 2);
  answers(member, WITNESS, 2);
  return member;
}
const answers = (member: Member, from: number, index: number): RaftMessage[] =>
  hears(member, messageOf("appendResponse", from, 1, { term: 2, index }));
const beats = (member: Member, from: number): RaftMessage[] =>
  hears(member, messageOf("heartbeatResponse", from, 1, { term: 2 }));
function propose(member: Member, data: string): RaftMessage[] {
  member.raft.propose(bytes(data));
  return member.settle();
}
function tick(member: Member, ticks: number): RaftMessage[] {
  const sent: RaftMessage[] = [];
  for (let at = 0; at < ticks; at += 1) {
    member.raft.tick();
    sent.push(...member.settle());
  }
  return sent;
}
const entriesTo = (messages: RaftMessage[], n: number) =>
  messages.filter(({ to }) => numberOf(to) === n).flatMap(({ entries }) => entries);
const indexesTo = (messages: RaftMessage[], n: number): number[] => entriesTo(messages, n).map(({ index }) => index);

describe("a witness is sent", () => {
  test("a digest for the data of an entry", () => {
    const member = leader();
    propose(member, "hello");
    const [entry] = entriesTo(answers(member, 2, 3), WITNESS);
    expect(entry).toEqual({ index: 3, term: 2, kind: "digest", data: digestOf(bytes("hello")) });
  });

  test("configurations whole, and empty entries as they are", () => {
    const member = leader();
    member.raft.proposeConfChange({ steps: [addVoter(4)], transition: "auto" });
    member.raft.propose(bytes(""));
    member.settle();
    member.raft.reportUnreachable(idOf(4));
    expect(entriesTo(answers(member, 2, 4), WITNESS)).toEqual([
      configuration(3, 2, confOf({ voters: [1, 2, 3, 4], witnesses: [3] })),
      normal(4, 2),
    ]);
  });

  test("nothing that a voter which keeps up has not acknowledged, and all of it as soon as it has", () => {
    const member = leader();
    const sent = [...propose(member, "a"), ...propose(member, "b")];
    expect([indexesTo(sent, 2), indexesTo(sent, WITNESS)]).toEqual([[3, 4], []]);
    expect(indexesTo(answers(member, 2, 3), WITNESS)).toEqual([3]);
    expect(indexesTo(answers(member, 2, 4), WITNESS)).toEqual([4]);
  });

  test("nothing that is not on the leader's own disk", () => {
    const { raft } = leader();
    raft.propose(bytes("a"));
    raft.takeMessages();
    const ready = raft.ready();
    raft.step(messageOf("appendResponse", 2, 1, { term: 2, index: 3 }));
    expect(indexesTo(raft.takeMessages(), WITNESS)).toEqual([]);
    expect(ready.entries).toHaveLength(1);
    raft.advance();
    expect(indexesTo(raft.takeMessages(), WITNESS)).toEqual([3]);
  });

  test("everything at once when the other voter's link is broken, and waits again once that one has caught up", () => {
    const member = leader();
    member.raft.reportUnreachable(idOf(2));
    expect(indexesTo(propose(member, "a"), WITNESS)).toEqual([3]);
    answers(member, WITNESS, 3);
    expect(member.raft.status().commit).toBe(3);
    answers(member, 2, 3);
    expect(indexesTo(propose(member, "b"), WITNESS)).toEqual([]);
  });

  test("everything when the other voter has been silent for an election timeout", () => {
    const member = leader();
    const held = [...propose(member, "a"), ...tick(member, ELECTION_TICKS - 1)];
    expect(indexesTo(held, WITNESS)).toEqual([]);
    expect(indexesTo(tick(member, 1), WITNESS)).toEqual([3]);
  });

  test("everything when the other voter answers heartbeats for so long and acknowledges nothing: its disk is stuck", () => {
    const member = leader();
    propose(member, "a");
    const sent = Array.from({ length: ELECTION_TICKS }, () => [...tick(member, 1), ...beats(member, 2)]);
    expect(indexesTo(sent.slice(0, -1).flat(), WITNESS)).toEqual([]);
    expect(indexesTo(sent.at(-1)!, WITNESS)).toEqual([3]);
  });

  test("everything while the other voter is more than its window behind, until all that is committed is on its way", () => {
    const member = leader({ inflightMessagesMax: 1, entriesPerMessageBytesMax: 1 });
    member.raft.reportUnreachable(idOf(2));
    for (const index of [3, 4, 5, 6]) {
      propose(member, `${index}`);
      answers(member, WITNESS, index);
    }
    // It is back, and makes progress.
    for (const index of [2, 3]) answers(member, 2, index);
    expect(indexesTo(propose(member, "more"), WITNESS)).toEqual([7]);
    answers(member, WITNESS, 7);
    for (const index of [4, 5, 6]) answers(member, 2, index);
    expect(indexesTo(propose(member, "now it waits"), WITNESS)).toEqual([]);
  });

  test("nothing by a leader that is being removed and that no voter has: who is left could not lead with it", () => {
    const member = leader();
    member.raft.reportUnreachable(idOf(2));
    propose(member, "a");
    member.raft.proposeConfChange({ steps: [remove(1)], transition: "auto" });
    expect(indexesTo([...member.settle(), ...propose(member, "b")], WITNESS)).toEqual([]);
    expect(indexesTo(answers(member, 2, 4), WITNESS)).toEqual([4]);
  });

  test("a snapshot without data where the log no longer reaches back, at what was applied", () => {
    const member = leader();
    for (const data of ["a", "b"]) propose(member, data);
    answers(member, 2, 4);
    member.raft.compact(4, bytes("state"));
    propose(member, "c");
    answers(member, 2, 5);
    const refused = { term: 2, index: 4, reject: true, rejectHint: 1 };
    const sent = hears(member, messageOf("appendResponse", WITNESS, 1, refused));
    expect(sent.find(({ type }) => type === "snapshot")?.snapshot).toEqual({
      index: 5,
      term: 2,
      conf: CONF,
      data: bytes(""),
    });
  });

  test("no snapshot of more than a voter that keeps up has acknowledged", () => {
    const conf = confOf({ voters: [1, 2, 3, 4, 5], witnesses: [5] });
    const member = new Member(1, diskWith(conf), {});
    makeLeader(member, 5);
    for (const n of [2, 3, 4, 5]) answers(member, n, 2);
    for (const data of ["a", "b"]) propose(member, data);
    answers(member, 4, 3);
    for (const n of [2, 3]) answers(member, n, 4);
    member.raft.compact(4, bytes("state"), 1);
    const refused = { term: 2, index: 3, reject: true, rejectHint: 2 };
    const sent = hears(member, messageOf("appendResponse", 5, 1, refused));
    expect(sent.map(({ type, snapshot }) => [type, snapshot?.index])).toEqual([["snapshot", 3]]);
  });
});

describe("a new leader", () => {
  const elected = (supporter: number): Member => {
    const member = new Member(1, diskWith(CONF), {});
    member.raft.campaign();
    member.settle();
    hears(member, messageOf("preVoteResponse", supporter, 1, { term: 2 }));
    return member;
  };
  const vote = (member: Member, from: number): RaftMessage[] =>
    hears(member, messageOf("voteResponse", from, 1, { term: 2 }));

  test("lets the witness wait for the voter that elected it", () => {
    const member = elected(2);
    expect(indexesTo(vote(member, 2), WITNESS)).toEqual([]);
    expect(indexesTo(answers(member, 2, 2), WITNESS)).toEqual([2]);
  });

  test("gives a voter it has not heard one heartbeat's time, or none if its link is broken", () => {
    const member = elected(WITNESS);
    expect(indexesTo(vote(member, WITNESS), WITNESS)).toEqual([]);
    expect(indexesTo(tick(member, 1), WITNESS)).toEqual([2]);
    const told = elected(WITNESS);
    told.raft.reportUnreachable(idOf(2));
    vote(told, WITNESS);
    told.raft.reportUnreachable(idOf(2));
    expect(indexesTo(told.settle(), WITNESS)).toEqual([2]);
  });
});
