/** The Raft paper's sentences on terms and elections (sections 5.1, 5.2, 5.4.1), as tables. Logs start at index 2, after a snapshot. */
import { describe, expect, test } from "vitest";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  acknowledgeAll,
  bytes,
  confOf,
  diskWith,
  ELECTION_TICKS,
  hears,
  idOf,
  type Member,
  makeCandidate,
  makeLeader,
  makeRaft,
  memberOf,
  messageOf,
  numberOf,
  randomFrom,
} from "./cluster.ts";

const of = (messages: RaftMessage[], type: RaftMessage["type"]): RaftMessage[] =>
  messages.filter((message) => message.type === type);

function memberAs(role: "follower" | "candidate" | "leader"): Member {
  const member = memberOf(3);
  if (role === "candidate") makeCandidate(member, 3);
  if (role === "leader") makeLeader(member, 3);
  expect(member.raft.status().role).toBe(role);
  return member;
}

describe("5.1 terms", () => {
  for (const role of ["follower", "candidate", "leader"] as const) {
    test(`a ${role} that sees a larger term takes it and follows`, () => {
      const member = memberAs(role);
      const term = member.raft.status().term + 1;
      hears(member, messageOf("appendRequest", 2, 1, { term, index: 1, logTerm: 1 }));
      expect(member.raft.status()).toMatchObject({ term, role: "follower", leader: idOf(2), vote: "" });
      expect(member.disk.hardState.term).toBe(term);
    });
  }

  test("a message of an older term changes nothing", () => {
    const member = memberOf(3, [2, 2], { term: 5 });
    const before = member.raft.status();
    const late = messageOf("appendRequest", 2, 1, { term: 4, index: 3, logTerm: 2, entries: [] });
    const answers = hears(member, { ...late, commit: 3 });
    expect(member.raft.status()).toEqual(before);
    expect(answers).toMatchObject([{ type: "appendResponse", term: 5 }]);
  });

  for (const role of ["candidate", "leader"] as const) {
    test(`a ${role} takes no notice of a message of an older term`, () => {
      const member = memberAs(role);
      const before = member.raft.status();
      const { term } = before;
      for (const type of ["voteRequest", "voteResponse", "heartbeat", "appendRequest", "appendResponse"] as const)
        hears(member, messageOf(type, 2, 1, { term: term - 1, index: 1, logTerm: 1 }));
      expect(member.raft.status()).toEqual(before);
    });
  }
});

describe("5.2 elections", () => {
  test("a node starts as a follower", () => {
    expect(memberOf(3).raft.status()).toMatchObject({ role: "follower", term: 1 });
  });

  test("a leader sends empty heartbeats to everyone each heartbeat interval", () => {
    const member = memberAs("leader");
    acknowledgeAll(member, 3);
    member.raft.tick();
    const beats = member.settle();
    expect(beats.map(({ type, to, entries }) => [type, numberOf(to), entries.length])).toEqual([
      ["heartbeat", 2, 0],
      ["heartbeat", 3, 0],
    ]);
  });

  for (const role of ["follower", "candidate"] as const) {
    test(`a ${role} that hears nothing for its timeout asks for pre-votes, then raises the term, votes for itself and asks everyone`, () => {
      const member = memberAs(role);
      const { term } = member.raft.status();
      let sent: RaftMessage[] = [];
      for (let tick = 0; tick < 2 * ELECTION_TICKS && sent.length === 0; tick += 1) {
        member.raft.tick();
        sent = member.settle();
      }
      expect(sent.map(({ type, to }) => [type, numberOf(to)])).toEqual([
        ["preVoteRequest", 2],
        ["preVoteRequest", 3],
      ]);
      expect(member.raft.status()).toMatchObject({ term, role: "preCandidate" });
      const votes = hears(member, messageOf("preVoteResponse", 3, 1, { term: term + 1 }));
      expect(votes.map(({ type, to }) => [type, numberOf(to)])).toEqual([
        ["voteRequest", 2],
        ["voteRequest", 3],
      ]);
      expect(member.raft.status()).toMatchObject({ term: term + 1, role: "candidate", vote: idOf(1) });
      expect(member.disk.hardState).toMatchObject({ term: term + 1, vote: idOf(1) });
    });
  }

  const rounds: [size: number, votes: Record<number, boolean>, role: string][] = [
    [1, {}, "leader"],
    [3, { 2: true, 3: true }, "leader"],
    [3, { 2: true }, "leader"],
    [5, { 2: true, 3: true, 4: true, 5: true }, "leader"],
    [5, { 2: true, 3: true, 4: true }, "leader"],
    [5, { 2: true, 3: true }, "leader"],
    [3, { 2: false, 3: false }, "follower"],
    [5, { 2: false, 3: false, 4: false, 5: false }, "follower"],
    [5, { 2: true, 3: false, 4: false, 5: false }, "follower"],
    [3, {}, "candidate"],
    [5, { 2: true }, "candidate"],
    [5, { 2: false, 3: false }, "candidate"],
    [5, {}, "candidate"],
  ];
  test.each(rounds)("in one round among %i, votes %j make it %s", (size, votes, role) => {
    const member = memberOf(size);
    makeCandidate(member, size);
    const { term } = member.raft.status();
    for (const [n, granted] of Object.entries(votes))
      hears(member, messageOf("voteResponse", Number(n), 1, { term, reject: !granted }));
    expect(member.raft.status()).toMatchObject({ role, term });
  });

  const askers: [vote: number, asker: number, granted: boolean][] = [
    [0, 2, true],
    [0, 3, true],
    [2, 2, true],
    [3, 3, true],
    [2, 3, false],
    [3, 2, false],
  ];
  test.each(askers)(
    "a follower that voted for %i answers node %i: %s, first come, first served",
    (vote, asker, granted) => {
      const member = memberOf(3, [], { term: 2, vote: vote === 0 ? "" : idOf(vote) });
      const [answer] = hears(member, messageOf("voteRequest", asker, 1, { term: 2, index: 1, logTerm: 1 }));
      expect(answer).toMatchObject({ type: "voteResponse", term: 2, reject: !granted });
      expect(member.disk.hardState.vote).toBe(granted ? idOf(asker) : idOf(vote));
    },
  );

  test.each([0, 1])("a candidate that hears a leader of its term or of %i later gives way", (later) => {
    const member = memberAs("candidate");
    const term = member.raft.status().term + later;
    hears(member, messageOf("appendRequest", 2, 1, { term, index: 1, logTerm: 1 }));
    expect(member.raft.status()).toMatchObject({ role: "follower", term, leader: idOf(2) });
  });

  for (const role of ["follower", "candidate"] as const) {
    test(`a ${role} draws its timeout from [T, 2T), every value of it`, () => {
      const random = randomFrom(7);
      const seen = new Set<number>();
      for (let round = 0; round < 50 * ELECTION_TICKS; round += 1) {
        const member = memberOf(3, [], {}, { random });
        if (role === "candidate") makeCandidate(member, 3);
        seen.add(ticksToCampaign(member));
      }
      expect([...seen].sort((a, b) => a - b)).toEqual(
        Array.from({ length: ELECTION_TICKS }, (_, at) => ELECTION_TICKS + at),
      );
    });
  }

  for (const role of ["followers", "candidates"] as const) {
    test(`${role} seldom time out together`, () => {
      const size = 5;
      const rounds = 1_000;
      const random = randomFrom(11);
      let conflicts = 0;
      for (let round = 0; round < rounds; round += 1) {
        const timeouts = Array.from({ length: size }, () => {
          const member = memberOf(size, [], {}, { random });
          if (role === "candidates") makeCandidate(member, size);
          return ticksToCampaign(member);
        });
        const first = Math.min(...timeouts);
        if (timeouts.filter((ticks) => ticks === first).length > 1) conflicts += 1;
      }
      expect(conflicts / rounds).toBeLessThan(0.3);
    });
  }
});

function ticksToCampaign(member: Member): number {
  for (let ticks = 1; ; ticks += 1) {
    member.raft.tick();
    if (of(member.settle(), "preVoteRequest").length > 0) return ticks;
  }
}

describe("5.4.1 the election restriction", () => {
  test.each([[[1]], [[1, 2]], [[1, 2, 2]]])("a request for a vote names the last entry of log %j", (terms) => {
    const member = memberOf(3, terms, { term: 2 });
    const requests = of(makeCandidate(member, 3), "voteRequest");
    expect(requests).toHaveLength(2);
    for (const request of requests)
      expect(request).toMatchObject({ index: terms.length + 1, logTerm: terms.at(-1), term: 3 });
  });

  const voters: [terms: number[], logTerm: number, index: number, granted: boolean][] = [
    [[1], 1, 2, true],
    [[1], 1, 3, true],
    [[1, 1], 1, 2, false],
    [[1], 2, 2, true],
    [[1], 2, 3, true],
    [[1, 1], 2, 2, true],
    [[2], 1, 2, false],
    [[2], 1, 3, false],
    [[2, 2], 1, 4, false],
    // A longer log of an older term never beats a shorter one of a newer term, nor the other way round.
    [[1, 1, 1], 2, 2, true],
    [[2], 1, 9, false],
  ];
  for (const type of ["voteRequest", "preVoteRequest"] as const) {
    test.each(voters)(
      `a voter with log %j answers a ${type} from (term %i, index %i): %s`,
      (terms, logTerm, index, granted) => {
        const member = memberOf(2, terms, { term: 2 });
        const [answer] = hears(member, messageOf(type, 2, 1, { term: 3, logTerm, index }));
        expect(answer).toMatchObject({ reject: !granted });
      },
    );
  }
});

test("the own vote counts only when it is on disk, and the requests leave only then", () => {
  const member = memberOf(3);
  const { raft } = member;
  raft.campaign();
  raft.takeMessages();
  raft.step(messageOf("preVoteResponse", 2, 1, { term: 2 }));
  expect(raft.takeMessages()).toEqual([]);
  const ready = raft.ready();
  expect(ready).toMatchObject({ hardState: { term: 2, vote: idOf(1) }, mustSync: true });
  expect(ready.messagesAfterPersist.map(({ type }) => type)).toEqual(["voteRequest", "voteRequest"]);
  // The answers may be here before the own work is done: still no leader.
  for (const n of [2, 3]) raft.step(messageOf("voteResponse", n, 1, { term: 2 }));
  expect(raft.status().role).toBe("candidate");
  raft.advance();
  expect(raft.status().role).toBe("leader");
});

test("a vote cast for another is told only after it is on disk", () => {
  const raft = makeRaft(1, diskWith(confOf({ voters: [1, 2, 3] })));
  raft.step(messageOf("voteRequest", 2, 1, { term: 2, index: 1, logTerm: 1 }));
  expect(raft.takeMessages()).toEqual([]);
  const ready = raft.ready();
  expect(ready.hardState).toEqual({ term: 2, vote: idOf(2), commit: 1 });
  expect(ready.messagesAfterPersist).toMatchObject([{ type: "voteResponse", reject: false }]);
});

test("an entry is acknowledged only after it is on disk", () => {
  const raft = makeRaft(1, diskWith(confOf({ voters: [1, 2, 3] })));
  const entries = [{ index: 2, term: 2, kind: "normal" as const, data: bytes("x") }];
  raft.step(messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries }));
  expect(raft.takeMessages()).toEqual([]);
  const ready = raft.ready();
  expect(ready).toMatchObject({ entries, mustSync: true });
  expect(ready.messagesAfterPersist).toMatchObject([{ type: "appendResponse", index: 2 }]);
});
