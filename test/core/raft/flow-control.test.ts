/** How fast a leader sends to whom, and how a peer that fell behind or fell silent gets going again. */
import { describe, expect, test } from "vitest";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  acknowledgeAll,
  addLearner,
  bytes,
  Cluster,
  hears,
  idOf,
  type Member,
  makeLeader,
  memberOf,
  messageOf,
  numberOf,
  type Options,
} from "./cluster.ts";

const appendsTo = (messages: RaftMessage[], n: number): RaftMessage[] =>
  messages.filter(({ type, to }) => type === "appendRequest" && numberOf(to) === n);
const indexes = ({ entries }: RaftMessage): number[] => entries.map(({ index }) => index);

/** Leader of three in term 2; everyone has its empty entry at index 2. */
function leader(options: Options = {}): Member {
  const member = memberOf(3, [], {}, options);
  makeLeader(member, 3);
  acknowledgeAll(member, 3);
  return member;
}
const propose = (member: Member, count: number, size = 1): RaftMessage[] => {
  const sent: RaftMessage[] = [];
  for (let at = 0; at < count; at += 1) {
    member.raft.propose(new Uint8Array(size));
    sent.push(...member.settle());
  }
  return sent;
};
const state = (member: Member, n = 2) => member.raft.status().progress.get(idOf(n))!;

describe("a peer in replication", () => {
  test("is sent more without waiting, up to the window, and more as it answers", () => {
    const member = leader({ inflightMessagesMax: 3 });
    expect(appendsTo(propose(member, 5), 2).map(indexes)).toEqual([[3], [4], [5]]);
    expect(state(member)).toMatchObject({ paused: true, inflightMessages: 3 });
    // What waited meanwhile goes together.
    const sent = hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 4 }));
    expect(appendsTo(sent, 2).map(indexes)).toEqual([[6, 7]]);
    expect(state(member)).toMatchObject({ inflightMessages: 2 });
  });

  test("is held back by the bytes in flight too", () => {
    const member = leader({ inflightBytesMax: 2_000 });
    const sent = appendsTo(propose(member, 5, 1_000), 2);
    expect(sent.map(indexes)).toEqual([[3], [4]]);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 4 }));
    expect(state(member)).toMatchObject({ inflightMessages: 1, next: 8 });
  });

  test("that answers nothing, because everything in flight was lost, is asked again by a heartbeat's answer", () => {
    const member = leader({ inflightMessagesMax: 2 });
    propose(member, 5);
    expect(appendsTo(hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 2 })), 2)).toEqual([]);
    const [empty] = appendsTo(hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2 })), 2);
    expect(empty).toMatchObject({ index: 4, entries: [] });
    const refusal = messageOf("appendResponse", 2, 1, { term: 2, index: 4, reject: true, rejectHint: 2, logTerm: 2 });
    expect(appendsTo(hears(member, refusal), 2)[0]).toMatchObject({ index: 2 });
    expect(state(member).state).toBe("probe");
  });

  test("that a message did not reach is probed", () => {
    const member = leader();
    propose(member, 3);
    member.raft.reportUnreachable(idOf(2));
    expect(state(member)).toMatchObject({ state: "probe", next: 3 });
  });

  test("is not sent entries beyond the size of a message, save a single one", () => {
    const member = leader({ entriesPerMessageBytesMax: 250 });
    member.raft.reportUnreachable(idOf(2));
    for (const size of [60, 60, 60, 900, 60]) member.raft.propose(new Uint8Array(size));
    member.settle();
    const sent = hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    expect(appendsTo(sent, 2).map(indexes)).toEqual([[3, 4], [5], [6], [7]]);
  });
});

describe("a peer in probing", () => {
  test("is sent one message until it answers", () => {
    const member = memberOf(3);
    const first = makeLeader(member, 3);
    expect(appendsTo(first, 2)).toHaveLength(1);
    expect(appendsTo(propose(member, 3), 2)).toEqual([]);
    expect(appendsTo(hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2 })), 2)).toHaveLength(1);
  });

  test("is not moved by an echo of an older refusal", () => {
    const member = memberOf(3, [1, 1, 1, 1]);
    makeLeader(member, 3);
    const before = state(member);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 3, reject: true, rejectHint: 1, logTerm: 1 }));
    expect(state(member)).toEqual({ ...before, recentActive: true });
  });

  test("that refuses what it had acknowledged, its disk having forgotten, is not asked in an endless round", () => {
    const member = leader();
    member.raft.reportUnreachable(idOf(2));
    hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2 }));
    const refusal = messageOf("appendResponse", 2, 1, { term: 2, index: 2, reject: true, rejectHint: 1, logTerm: 1 });
    expect(appendsTo(hears(member, refusal), 2)).toEqual([]);
  });

  test("skips a whole term of disagreement per round trip, by the hints of both sides", () => {
    const conf = Cluster.of(3);
    const tail = 200;
    const old = { ...conf.at(2).disk, hardState: { term: 3, vote: "" as const, commit: 1 } };
    const cluster = new Cluster();
    const mine = [...Array(tail).fill(1), ...Array(tail).fill(4)];
    const theirs = [...Array(tail).fill(1), ...Array(tail).fill(2), ...Array(tail / 2).fill(3)];
    const terms = (list: number[]) =>
      list.map((term, at) => ({ index: at + 2, term, kind: "normal" as const, data: new Uint8Array(0) }));
    cluster.add(1, { ...old, hardState: { term: 4, vote: "", commit: 1 }, entries: terms(mine) });
    cluster.add(2, { ...old, entries: terms(theirs) });
    cluster.add(3, { ...old, hardState: { term: 4, vote: "", commit: 1 }, entries: terms(mine) });
    cluster.elect(1);
    const refusals = cluster.delivered.filter(({ type, reject }) => type === "appendResponse" && reject);
    expect(refusals.length).toBeLessThanOrEqual(3);
    expect(cluster.at(2).disk.entries).toEqual(cluster.at(1).disk.entries);
  });

  test("that has everything goes back to replication on an answer that is no news", () => {
    const member = leader();
    member.raft.reportUnreachable(idOf(2));
    const sent = hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2 }));
    expect(appendsTo(sent, 2)).toMatchObject([{ entries: [] }]);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    expect(state(member).state).toBe("replicate");
  });
});

describe("a peer that needs what was compacted away", () => {
  /** Node 3 lacks everything after index 1; the leader has compacted to its commit index. */
  function behind(): Member {
    const member = leader();
    propose(member, 5);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 7 }));
    member.raft.compact(7, bytes("state"));
    return member;
  }
  const refuse = messageOf("appendResponse", 3, 1, { term: 2, index: 7, reject: true, rejectHint: 1, logTerm: 1 });

  test("gets the snapshot, and nothing else until that is settled", () => {
    const member = behind();
    member.raft.reportUnreachable(idOf(3));
    const beat = hears(member, messageOf("heartbeatResponse", 3, 1, { term: 2 }));
    expect(beat.filter(({ type }) => type === "snapshot")).toMatchObject([
      { snapshot: { index: 7, data: bytes("state") } },
    ]);
    expect(state(member, 3)).toMatchObject({ state: "snapshot", pendingSnapshot: 7, paused: true });
    expect(propose(member, 2).filter(({ to }) => numberOf(to) === 3)).toEqual([]);
    expect(hears(member, refuse).filter(({ to }) => numberOf(to) === 3)).toEqual([]);
  });

  test("is not sent one while it is silent", () => {
    const member = behind();
    for (let tick = 0; tick < 15; tick += 1) {
      member.raft.tick();
      member.settle();
      hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2 }));
    }
    member.raft.reportUnreachable(idOf(3));
    expect(propose(member, 1).filter(({ type }) => type === "snapshot")).toEqual([]);
  });

  test.each([
    [true, 8],
    [false, 3],
  ])("goes on by probing when the snapshot is reported (arrived: %s) from %i", (ok, next) => {
    const member = behind();
    member.raft.reportUnreachable(idOf(3));
    hears(member, messageOf("heartbeatResponse", 3, 1, { term: 2 }));
    member.raft.reportSnapshot(idOf(3), ok);
    expect(state(member, 3)).toMatchObject({ state: "probe", next, paused: true });
  });

  test("goes straight to replication when it answers from the snapshot, even from an older one", () => {
    const member = leader();
    propose(member, 5);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 7 }));
    member.raft.compact(7, bytes("state"), 2);
    member.raft.reportUnreachable(idOf(3));
    hears(member, messageOf("heartbeatResponse", 3, 1, { term: 2 }));
    expect(state(member, 3)).toMatchObject({ state: "snapshot", pendingSnapshot: 7 });
    const sent = hears(member, messageOf("appendResponse", 3, 1, { term: 2, index: 5 }));
    expect(state(member, 3)).toMatchObject({ state: "replicate", match: 5 });
    expect(appendsTo(sent, 3).map(indexes)).toEqual([[6, 7]]);
  });
});

test("a heartbeat names no commit index beyond what its receiver is known to hold", () => {
  const member = leader();
  propose(member, 2);
  hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 4 }));
  member.raft.tick();
  const beats = member.settle().filter(({ type }) => type === "heartbeat");
  expect(beats.map(({ to, commit }) => [numberOf(to), commit])).toEqual([
    [2, 4],
    [3, 2],
  ]);
});

describe("a leader cut off from its quorum", () => {
  test("takes proposals up to its limit, and again when they are committed", () => {
    const member = leader({ uncommittedBytesMax: 1_000 });
    const answers = Array.from({ length: 4 }, () => member.raft.propose(new Uint8Array(400)));
    expect(answers.map(({ accepted }) => accepted)).toEqual([true, true, false, false]);
    expect(answers[2]).toEqual({ accepted: false, reason: "uncommittedFull" });
    member.settle();
    acknowledgeAll(member, 3);
    expect(member.raft.propose(new Uint8Array(400))).toMatchObject({ accepted: true });
  });

  test("takes one proposal larger than the limit when nothing else waits", () => {
    const member = leader({ uncommittedBytesMax: 10 });
    expect(member.raft.propose(new Uint8Array(400))).toMatchObject({ accepted: true });
  });
});

test("proposals made in one go share a message", () => {
  const member = leader();
  for (let at = 0; at < 10; at += 1) member.raft.propose(bytes("x"));
  expect(appendsTo(member.settle(), 2).map(indexes)).toEqual([[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]);
});

test("a newcomer is probed with the entry that brought it in", () => {
  const cluster = Cluster.of(1);
  cluster.elect(1);
  cluster.raft(1).proposeConfChange({ steps: [addLearner(2)], transition: "auto" });
  const sent = cluster.at(1).settle();
  expect(appendsTo(sent, 2)).toMatchObject([{ index: 2, entries: [{ index: 3, kind: "configuration" }] }]);
});
