/** A follower and its leader's messages, one rule a row. Logs start at index 2, after a snapshot. */
import { describe, expect, test } from "vitest";
import type { RaftMessage, Term } from "../../../shared/raft.ts";
import { bytes, configuration, confOf, entriesOf, hears, idOf, memberOf, messageOf, normal } from "./cluster.ts";

const answerTo = (sent: RaftMessage[]): RaftMessage | undefined => sent.find(({ type }) => type === "appendResponse");

describe("an append", () => {
  // The follower's log: (2, term 1) (3, term 2), nothing of it committed.
  interface Row {
    says: string;
    at: [index: number, term: Term];
    entries: Term[];
    commit: number;
    rejected?: true;
    last: number;
    committed: number;
  }
  const rows: Row[] = [
    {
      says: "is refused where the term before differs",
      at: [3, 3],
      entries: [],
      commit: 4,
      rejected: true,
      last: 3,
      committed: 1,
    },
    {
      says: "is refused where the entry before is missing",
      at: [4, 3],
      entries: [],
      commit: 4,
      rejected: true,
      last: 3,
      committed: 1,
    },
    {
      says: "without entries commits up to where the logs are known to agree",
      at: [2, 1],
      entries: [],
      commit: 2,
      last: 3,
      committed: 2,
    },
    { says: "replaces everything that differs", at: [1, 1], entries: [3], commit: 2, last: 2, committed: 2 },
    { says: "goes on after what is there", at: [3, 2], entries: [3, 3], commit: 4, last: 5, committed: 4 },
    { says: "commits no further than its last new entry", at: [3, 2], entries: [3], commit: 5, last: 4, committed: 4 },
    { says: "that brings nothing new keeps what follows", at: [2, 1], entries: [2], commit: 5, last: 3, committed: 3 },
    {
      says: "commits up to its last new entry, not up to the last there is",
      at: [2, 1],
      entries: [],
      commit: 3,
      last: 3,
      committed: 2,
    },
    {
      says: "of one known entry commits that one, not what the log holds after it",
      at: [1, 1],
      entries: [1],
      commit: 4,
      last: 3,
      committed: 2,
    },
    {
      says: "commits what the leader has committed and no more",
      at: [3, 2],
      entries: [3],
      commit: 3,
      last: 4,
      committed: 3,
    },
    { says: "with no new commit commits nothing", at: [3, 2], entries: [3], commit: 1, last: 4, committed: 1 },
  ];
  test.each(rows)("$says", ({ at: [index, logTerm], entries, commit, rejected, last, committed }) => {
    const member = memberOf(3, [1, 2], { term: 3 });
    const sent = hears(
      member,
      messageOf("appendRequest", 2, 1, { term: 3, index, logTerm, entries: entriesOf(entries, index + 1), commit }),
    );
    expect(answerTo(sent)).toMatchObject({ reject: rejected ?? false });
    expect(member.raft.status()).toMatchObject({ lastIndex: last, commit: committed });
  });

  test("that would undo what is committed is answered with the commit index and undoes nothing", () => {
    const member = memberOf(3, [1, 1, 1], { term: 2, commit: 4 });
    const sent = hears(
      member,
      messageOf("appendRequest", 2, 1, { term: 2, index: 2, logTerm: 1, entries: [normal(3, 2)] }),
    );
    expect(answerTo(sent)).toMatchObject({ index: 4, reject: false });
    expect(member.raft.entries(2, 5).map(({ term }) => term)).toEqual([1, 1, 1]);
  });

  test("that is late and already held does not cut off what came after it", () => {
    const member = memberOf(3, [], { term: 2 });
    const first = messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries: entriesOf([2, 2], 2) });
    const second = messageOf("appendRequest", 2, 1, { term: 2, index: 3, logTerm: 2, entries: entriesOf([2], 4) });
    hears(member, first, second, first);
    expect(member.raft.status().lastIndex).toBe(4);
    expect(member.disk.entries).toHaveLength(3);
  });
});

describe("a heartbeat", () => {
  test.each([
    [3, 3],
    [2, 2],
    [1, 1],
  ])("that names commit %i commits up to %i", (commit, committed) => {
    const member = memberOf(3, [1, 1], { term: 2 });
    const sent = hears(member, messageOf("heartbeat", 2, 1, { term: 2, commit, context: bytes("round 7") }));
    expect(member.raft.status()).toMatchObject({ commit: committed, leader: idOf(2) });
    expect(sent).toMatchObject([{ type: "heartbeatResponse", context: bytes("round 7") }]);
  });

  test("that names a commit index beyond the log is not believed", () => {
    const member = memberOf(3, [1], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2, commit: 9 }));
    expect(member.raft.status().commit).toBe(1);
  });
});

describe("a snapshot", () => {
  const snapshot = { index: 11, term: 2, conf: confOf({ voters: [1, 2, 3, 4] }), data: bytes("state") };

  test("that is ahead replaces the log, an uncommitted change of membership included", () => {
    const member = memberOf(3, [], { term: 2 });
    hears(
      member,
      messageOf("appendRequest", 2, 1, {
        term: 2,
        index: 1,
        logTerm: 1,
        entries: [configuration(2, 2, confOf({ voters: [1, 2] }))],
      }),
    );
    expect(member.raft.status().conf).toEqual(confOf({ voters: [1, 2] }));
    const sent = hears(member, messageOf("snapshot", 2, 1, { term: 2, snapshot }));
    expect(answerTo(sent)).toMatchObject({ index: 11, reject: false });
    expect(member.raft.status()).toMatchObject({
      commit: 11,
      applied: 11,
      lastIndex: 11,
      conf: snapshot.conf,
      confPending: false,
    });
    expect(member.disk).toMatchObject({ snapshot, entries: [] });
  });

  test("whose last entry the log holds commits up to it and throws nothing away", () => {
    const member = memberOf(3, [1, 2, 2], { term: 2 });
    const held = { ...snapshot, index: 3 };
    const sent = hears(member, messageOf("snapshot", 2, 1, { term: 2, snapshot: held }));
    expect(answerTo(sent)).toMatchObject({ index: 3 });
    expect(member.raft.status()).toMatchObject({ commit: 3, lastIndex: 4 });
    expect(member.disk.snapshot?.index).toBe(1);
  });

  test("that is behind is answered with the commit index", () => {
    const member = memberOf(3, [1, 1], { term: 2, commit: 3 });
    const sent = hears(member, messageOf("snapshot", 2, 1, { term: 2, snapshot: { ...snapshot, index: 2, term: 1 } }));
    expect(answerTo(sent)).toMatchObject({ index: 3 });
    expect(member.raft.status()).toMatchObject({ commit: 3, lastIndex: 3 });
  });

  test("reaches one who knows nothing of the fleet, not even that it belongs to it", () => {
    const member = memberOf(3);
    hears(
      member,
      messageOf("snapshot", 2, 1, {
        term: 2,
        snapshot: { ...snapshot, conf: confOf({ voters: [2], outgoing: [1, 2] }) },
      }),
    );
    expect(member.raft.status().conf).toEqual(confOf({ voters: [2], outgoing: [1, 2] }));
  });

  test("that is not on disk yet keeps its node from campaigning and from applying", () => {
    const member = memberOf(3);
    const { raft } = member;
    raft.step(messageOf("snapshot", 2, 1, { term: 2, snapshot }));
    raft.step(
      messageOf("appendRequest", 2, 1, { term: 2, index: 11, logTerm: 2, entries: entriesOf([2], 12), commit: 12 }),
    );
    raft.campaign();
    expect(raft.status().role).toBe("follower");
    expect(raft.ready()).toMatchObject({ snapshot, entries: [{ index: 12 }], committedEntries: [] });
    raft.advance();
    expect(raft.ready().committedEntries).toMatchObject([{ index: 12 }]);
    raft.advance();
    raft.campaign();
    expect(raft.status().role).toBe("preCandidate");
  });
});
