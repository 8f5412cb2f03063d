/** The contract of Ready: what is handed out, in which order it counts, and what may happen while it is being worked off. */
import { describe, expect, test } from "vitest";
import {
  bytes,
  confOf,
  diskWith,
  ELECTION_TICKS,
  entriesOf,
  hears,
  idOf,
  Member,
  makeLeader,
  makeRaft,
  memberOf,
  messageOf,
  normal,
  writeTo,
} from "./cluster.ts";

const append = (from: number, term: number, index: number, logTerm: number, terms: number[], commit = 0) =>
  messageOf("appendRequest", from, 1, { term, index, logTerm, entries: entriesOf(terms, index + 1), commit });

describe("a Ready", () => {
  test("comes one at a time", () => {
    const raft = makeRaft(1, diskWith(confOf({ voters: [1] })));
    raft.campaign();
    raft.ready();
    expect(raft.hasReady()).toBe(false);
    expect(() => raft.ready()).toThrow("one Ready at a time");
  });

  test("is nothing when there is nothing to do", () => {
    const member = memberOf(3);
    member.settle();
    expect(member.raft.hasReady()).toBe(false);
    expect(() => member.raft.advance()).toThrow("advance() follows ready()");
  });

  test("owes no fsync for a commit index alone", () => {
    const member = memberOf(3, [1], { term: 2 });
    hears(member, append(2, 2, 2, 1, []));
    member.raft.step(messageOf("heartbeat", 2, 1, { term: 2, commit: 2 }));
    expect(member.raft.ready()).toMatchObject({ hardState: { commit: 2 }, entries: [], mustSync: false });
  });

  test("owes one for an entry, a term or a vote", () => {
    const entry = memberOf(3, [], { term: 2 }).raft;
    entry.step(append(2, 2, 1, 1, [2]));
    const term = memberOf(3).raft;
    term.step(messageOf("heartbeat", 2, 1, { term: 2 }));
    const vote = memberOf(3, [], { term: 2 }).raft;
    vote.step(messageOf("voteRequest", 2, 1, { term: 2, index: 1, logTerm: 1 }));
    for (const raft of [entry, term, vote]) expect(raft.ready().mustSync).toBe(true);
  });

  test("hands out committed entries in portions, and the commit index whole", () => {
    const member = memberOf(3, [], { term: 2 }, { committedPerReadyBytesMax: 1 });
    member.raft.step(append(2, 2, 1, 1, [2, 2, 2], 4));
    const portions: number[][] = [];
    const commits: (number | undefined)[] = [];
    while (member.raft.hasReady()) {
      const ready = member.raft.ready();
      portions.push(ready.committedEntries.map(({ index }) => index));
      commits.push(ready.hardState?.commit);
      member.raft.advance();
    }
    expect(portions).toEqual([[2], [3], [4]]);
    expect(commits).toEqual([4, undefined, undefined]);
  });

  test("says when the leader or the role changed, once", () => {
    const member = memberOf(3);
    member.raft.step(messageOf("heartbeat", 2, 1, { term: 2 }));
    expect(member.raft.ready().softState).toEqual({ role: "follower", leader: idOf(2) });
    member.raft.advance();
    member.raft.step(messageOf("heartbeat", 2, 1, { term: 2, commit: 1 }));
    expect(member.raft.hasReady()).toBe(false);
  });

  test("replays what was committed after the snapshot when a node starts again", () => {
    const member = memberOf(3, [1, 1, 1], { commit: 3 });
    member.settle();
    expect(member.applied.map(({ index }) => index)).toEqual([2, 3]);
  });
});

describe("while a Ready is being written", () => {
  test("an own entry does not count for its leader", () => {
    const member = memberOf(3);
    makeLeader(member, 3);
    const { raft } = member;
    raft.propose(bytes("x"));
    raft.ready();
    raft.step(messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    expect(raft.status().commit).toBe(2);
    // Both others have it: a quorum without the leader's own disk.
    raft.step(messageOf("appendResponse", 2, 1, { term: 2, index: 3 }));
    expect(raft.status().commit).toBe(2);
    raft.step(messageOf("appendResponse", 3, 1, { term: 2, index: 3 }));
    expect(raft.status().commit).toBe(3);
  });

  test("what its leader appends meanwhile does not count with it", () => {
    const member = memberOf(3);
    makeLeader(member, 3);
    const { raft } = member;
    raft.propose(bytes("in this write"));
    raft.ready();
    raft.propose(bytes("in the next"));
    raft.advance();
    raft.step(messageOf("appendResponse", 2, 1, { term: 2, index: 4 }));
    expect(raft.status()).toMatchObject({ commit: 3, lastIndex: 4 });
  });

  test("entries may be replaced: only what is the same afterwards is on disk, and the rest is written again", () => {
    const member = memberOf(3, [], { term: 2 });
    const { raft } = member;
    raft.step(append(2, 2, 1, 1, [2, 2, 2]));
    const first = raft.ready();
    raft.step(append(3, 3, 2, 2, [3]));
    writeTo(member.disk, first);
    raft.advance();
    const second = raft.ready();
    expect(second.entries).toEqual([normal(3, 3)]);
    writeTo(member.disk, second);
    raft.advance();
    expect(member.disk.entries.map(({ term }) => term)).toEqual([2, 3]);
    expect(raft.hasReady()).toBe(false);
  });

  test("entries may be replaced and come back: they count as written only because they were", () => {
    const member = memberOf(3, [], { term: 2 });
    const { raft } = member;
    raft.step(append(2, 2, 1, 1, [2, 2]));
    const first = raft.ready();
    raft.step(append(3, 3, 1, 1, [3]));
    raft.step(append(2, 4, 1, 1, [2, 2]));
    writeTo(member.disk, first);
    raft.advance();
    const second = raft.ready();
    expect(second.entries).toEqual([]);
    expect(second.messagesAfterPersist.filter(({ type }) => type === "appendResponse")).toMatchObject([
      { term: 4, index: 3 },
    ]);
    expect(member.disk.entries.map(({ term }) => term)).toEqual([2, 2]);
  });

  test("what was promised in a term that is over is not told any more", () => {
    const { raft } = memberOf(3, [], { term: 2 });
    raft.step(messageOf("voteRequest", 2, 1, { term: 3, index: 1, logTerm: 1 }));
    raft.step(messageOf("voteRequest", 3, 1, { term: 4, index: 1, logTerm: 1 }));
    expect(raft.ready()).toMatchObject({
      hardState: { term: 4, vote: idOf(3) },
      messagesAfterPersist: [{ type: "voteResponse", term: 4, to: idOf(3) }],
    });
  });

  test("a node whose disk answers no more stands for no election, and does again once it answers", () => {
    const { raft } = memberOf(3, [1], { term: 2 });
    raft.step(append(2, 2, 2, 1, [2]));
    raft.ready();
    const asked = (ticks: number): number => {
      let count = 0;
      for (let tick = 0; tick < ticks; tick++) {
        raft.tick();
        count += raft.takeMessages().filter(({ type }) => type === "preVoteRequest").length;
      }
      return count;
    };
    expect(asked(5 * ELECTION_TICKS)).toBe(0);
    raft.advance();
    expect(asked(1)).toBe(2);
  });

  test("a leader's appends leave without waiting for its own disk", () => {
    const member = memberOf(3);
    makeLeader(member, 3);
    member.raft.propose(bytes("x"));
    member.raft.step(messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    const ready = member.raft.ready();
    expect(ready.entries).toHaveLength(1);
    expect(ready.messagesAfterPersist).toEqual([]);
    expect(
      member.raft.takeMessages().some(({ type, entries }) => type === "appendRequest" && entries.length === 1),
    ).toBe(true);
  });
});

describe("a journal that contradicts itself stops the agent at its start", () => {
  test.each([
    ["a commit index beyond the log", { hardState: { term: 1, vote: "" as const, commit: 9 }, entries: [] }],
    [
      "a gap in the log",
      { hardState: { term: 1, vote: "" as const, commit: 0 }, entries: [normal(1, 1), normal(3, 1)] },
    ],
    [
      "a log that does not begin at its snapshot",
      { hardState: { term: 1, vote: "" as const, commit: 0 }, entries: [normal(2, 1)] },
    ],
  ])("%s", (_what, disk) => {
    expect(() => makeRaft(1, disk)).toThrow("broken invariant");
  });
});

describe("compaction", () => {
  test("keeps what it is told to keep, and the term before it", () => {
    const member = memberOf(1);
    makeLeader(member, 1);
    for (let at = 0; at < 5; at += 1) {
      member.raft.propose(bytes(String(at)));
      member.settle();
    }
    const snapshot = member.raft.compact(6, bytes("state"), 2);
    expect(snapshot).toEqual({ index: 6, term: 2, conf: confOf({ voters: [1] }), data: bytes("state") });
    expect(member.raft.entries(1, 99).map(({ index }) => index)).toEqual([5, 6, 7]);
    member.raft.assertSound();
  });

  test("never goes back, nor beyond what is applied", () => {
    const member = new Member(1, diskWith(confOf({ voters: [1, 2] }), [1, 1, 1], { commit: 3 }), {});
    member.settle();
    expect(() => member.raft.compact(4, bytes(""))).toThrow("stays within what is applied");
    expect(member.raft.compact(3, bytes(""))).toMatchObject({ index: 3 });
    expect(member.raft.compact(2, bytes(""))).toBeUndefined();
  });

  test("keeps the configuration that counts", () => {
    const conf = confOf({ voters: [1], learners: [2] });
    const member = memberOf(1);
    makeLeader(member, 1);
    member.raft.proposeConfChange({ steps: [{ kind: "addLearner", node: idOf(2) }], transition: "auto" });
    member.settle();
    member.raft.compact(member.raft.status().applied, bytes(""));
    expect(member.raft.status().conf).toEqual(conf);
  });
});
