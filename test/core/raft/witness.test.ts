/** A vote without the data: what a witness is sent and when, and what the other two can then survive. */
import { describe, expect, test } from "vitest";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  addVoter,
  bytes,
  Cluster,
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
  text,
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

/** The witness itself, played to by the others. */
const witness = (): Member => new Member(WITNESS, diskWith(CONF, [], { term: 2 }), {});
const digests = (...indexes: number[]) =>
  indexes.map((index) => ({ index, term: 2, kind: "digest" as const, data: digestOf(bytes(`${index}`)) }));
const append = (fields: Partial<RaftMessage>): RaftMessage =>
  messageOf("appendRequest", 1, WITNESS, { term: 2, index: 1, logTerm: 1, ...fields });

describe("a witness", () => {
  test("never asks for votes, however long it hears nobody and whoever tells it to", () => {
    const member = witness();
    hears(member, append({}));
    hears(member, messageOf("timeoutNow", 1, WITNESS, { term: 2 }));
    member.raft.campaign();
    expect(tick(member, 10 * ELECTION_TICKS)).toEqual([]);
    expect(member.raft.status()).toMatchObject({ role: "follower", term: 2 });
  });

  test("votes by its log like anyone", () => {
    const member = witness();
    hears(member, append({ entries: digests(2, 3) }));
    tick(member, 2 * ELECTION_TICKS);
    const ask = (index: number, term: number): RaftMessage[] =>
      hears(member, messageOf("voteRequest", 2, WITNESS, { term, index, logTerm: 2 }));
    expect(ask(2, 3)).toMatchObject([{ type: "voteResponse", reject: true }]);
    expect(ask(3, 4)).toMatchObject([{ type: "voteResponse", reject: false }]);
  });

  test("asks for no reads and is handed no leadership", () => {
    const member = witness();
    hears(member, append({}));
    expect(member.raft.readIndex(bytes("r"))).toBe(false);
    expect(leader().raft.transferLeadership(idOf(WITNESS))).toBe(false);
  });

  test("confirms a read like any voter", () => {
    const member = leader();
    propose(member, "a");
    answers(member, 2, 3);
    member.raft.readIndex(bytes("r"));
    const beat = member.settle().find(({ type, to }) => type === "heartbeat" && numberOf(to) === WITNESS)!;
    hears(member, messageOf("heartbeatResponse", WITNESS, 1, { term: 2, context: beat.context }));
    expect(member.reads.map(({ context, index }) => [text(context), index])).toEqual([["r", 3]]);
  });

  test("is handed nothing it has only a digest of, compacts without data, and starts again from that", () => {
    const member = witness();
    hears(member, append({ entries: [...digests(2, 3), normal(4, 2), ...digests(5)], commit: 5 }));
    expect(member.applied.map(({ index }) => index)).toEqual([4]);
    expect(member.raft.status()).toMatchObject({ commit: 5, applied: 5 });
    const snapshot = member.raft.compact(5, bytes(""))!;
    expect(snapshot).toEqual({ index: 5, term: 2, conf: CONF, data: bytes("") });
    member.disk.snapshot = snapshot;
    member.disk.entries = [];
    member.restart();
    expect(hears(member, append({ index: 5, logTerm: 2, entries: digests(6) }))).toMatchObject([{ index: 6 }]);
  });

  test("knows digests for what they are before it has read that it is a witness", () => {
    const member = new Member(WITNESS, { hardState: { term: 0, vote: "", commit: 0 }, entries: [] }, {});
    const first = configuration(1, 1, confOf({ voters: [1, 2] }));
    hears(member, append({ index: 0, logTerm: 0, entries: [first, ...digests(2)], commit: 2 }));
    expect(member.applied).toEqual([first]);
    expect(member.raft.status().applied).toBe(2);
  });
});

test("a box with the data takes no digest in its place", () => {
  const member = new Member(2, diskWith(CONF, [], { term: 2 }), {});
  const [request] = [{ ...append({ entries: digests(2) }), to: idOf(2) }];
  expect(hears(member, request!)).toEqual([]);
  expect(member.raft.status().lastIndex).toBe(1);
});

test.each([
  ["nothing", ""],
  ["more than a hash", "x".repeat(65)],
])("a digest of %s is refused", (_, data) => {
  const member = witness();
  const entry = { index: 2, term: 2, kind: "digest" as const, data: bytes(data) };
  expect(hears(member, append({ entries: [entry] }))).toEqual([]);
});

describe("two boxes and a witness", () => {
  const fleet = (): Cluster => {
    const cluster = new Cluster();
    for (const n of [1, 2, WITNESS]) cluster.add(n, diskWith(CONF));
    cluster.elect(1);
    return cluster;
  };
  const data = (cluster: Cluster, n: number): string[] =>
    cluster
      .at(n)
      .applied.filter((entry) => entry.data.length > 0)
      .map((entry) => text(entry.data));

  test.each([
    ["the leader", 1, 2],
    ["the follower", 2, 1],
  ])("survive the loss of %s, whatever of its last words were heard", (_, lost, left) => {
    for (let heard = 0; heard < 12; heard += 1) {
      const cluster = fleet();
      cluster.propose(1, "kept");
      // From now on only the first few messages arrive; then the box is gone.
      let messages = 0;
      cluster.filter = () => messages++ < heard;
      cluster.propose(1, "last");
      const committed = cluster.raft(1).status().commit === 4;
      cluster.heal();
      cluster.isolate(lost);
      cluster.tickAll(6 * ELECTION_TICKS);
      expect(cluster.raft(left).status().role).toBe("leader");
      cluster.propose(left, "next");
      expect(data(cluster, left)[0]).toBe("kept");
      if (committed) expect(data(cluster, left)).toContain("last");
      expect(data(cluster, left).at(-1)).toBe("next");
    }
  });

  test("cannot go on when the box that came back is alone before it has caught up, and lose nothing by it", () => {
    const cluster = fleet();
    cluster.isolate(2);
    cluster.raft(1).reportUnreachable(idOf(2));
    cluster.propose(1, "without 2");
    expect(data(cluster, 1)).toEqual(["without 2"]);
    cluster.heal();
    cluster.isolate(1);
    cluster.tickAll(6 * ELECTION_TICKS);
    expect(cluster.leader()).not.toBe(2);
    cluster.heal();
    cluster.tickAll(6 * ELECTION_TICKS);
    expect(data(cluster, 2)).toEqual(["without 2"]);
  });
});
