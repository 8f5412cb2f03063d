/** PreVote, CheckQuorum and the stickiness between them: who may disturb whom, and who must not stay stuck. */
import { describe, expect, test } from "vitest";
import {
  Cluster,
  confOf,
  diskWith,
  ELECTION_TICKS,
  hears,
  idOf,
  Member,
  makeCandidate,
  makeLeader,
  memberOf,
  messageOf,
} from "./cluster.ts";

const ask = (type: "voteRequest" | "preVoteRequest", from: number, fields = {}) =>
  messageOf(type, from, 1, { term: 5, index: 9, logTerm: 4, ...fields });

describe("a node that hears its leader", () => {
  for (const type of ["voteRequest", "preVoteRequest"] as const) {
    test(`does not answer a ${type}, however good its log, and keeps its term`, () => {
      const member = memberOf(3, [], { term: 2 });
      hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
      expect(hears(member, ask(type, 3))).toEqual([]);
      expect(member.raft.status()).toMatchObject({ term: 2, leader: idOf(2), vote: "" });
    });

    test(`answers a ${type} once the leader has been silent for an election timeout`, () => {
      const member = memberOf(3, [], { term: 2 });
      hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
      for (let tick = 0; tick < ELECTION_TICKS; tick += 1) member.raft.tick();
      member.settle();
      expect(hears(member, ask(type, 3))).toMatchObject([{ reject: false, term: 5 }]);
    });

    test(`answers a ${type} at once after it was told to forget the leader`, () => {
      const member = memberOf(3, [], { term: 2 });
      hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
      member.raft.forgetLeader();
      expect(hears(member, ask(type, 3))).toMatchObject([{ reject: false, term: 5 }]);
    });
  }

  test("answers once its leader is silent even if it may not campaign itself, for it may have become a voter unawares", () => {
    const member = new Member(1, diskWith(confOf({ voters: [2, 3], learners: [1] })), {});
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    for (let tick = 0; tick < 10 * ELECTION_TICKS; tick += 1) {
      member.raft.tick();
      if (tick >= ELECTION_TICKS) expect(hears(member, ask("preVoteRequest", 3))).toMatchObject([{ reject: false }]);
    }
  });

  test("still refuses a stale log after it forgot the leader", () => {
    const member = memberOf(3, [2], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    member.raft.forgetLeader();
    expect(hears(member, ask("preVoteRequest", 3, { index: 1, logTerm: 1 }))).toMatchObject([{ reject: true }]);
  });

  test("does not vote for another in the term of that leader", () => {
    const member = memberOf(3, [], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    for (let tick = 0; tick < ELECTION_TICKS; tick += 1) member.raft.tick();
    expect(hears(member, ask("voteRequest", 3, { term: 2, logTerm: 2 }))).toMatchObject([{ reject: true }]);
  });

  test("votes when the leader itself asked for the election", () => {
    const member = memberOf(3, [], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    const context = new TextEncoder().encode("transfer");
    expect(hears(member, ask("voteRequest", 3, { context }))).toMatchObject([{ type: "voteResponse", reject: false }]);
  });
});

describe("a leader", () => {
  test("does not give way to a node that campaigns while it hears a quorum", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.raft(3).campaign();
    cluster.settle();
    expect(cluster.raft(1).status()).toMatchObject({ role: "leader", term: 2 });
    expect(cluster.raft(3).status().term).toBe(2);
  });

  test.each([
    [3, [2], "leader"],
    [3, [], "follower"],
    [5, [2], "follower"],
    [5, [2, 3], "leader"],
  ])("of %i that hears only %j for an election timeout is %s", (size, heard, role) => {
    const member = memberOf(size);
    makeLeader(member, size);
    for (let tick = 0; tick < 2 * ELECTION_TICKS; tick += 1) {
      member.raft.tick();
      member.settle();
      const { term } = member.raft.status();
      for (const n of heard) hears(member, messageOf("heartbeatResponse", n, 1, { term }));
    }
    expect(member.raft.status().role).toBe(role);
    expect(member.raft.status().quorumActive).toBe(role === "leader");
  });

  test("steps down when told that its disk stalls, and answers as a follower", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.raft(1).stepDown();
    expect(cluster.raft(1).status()).toMatchObject({ role: "follower", term: 2 });
    expect(cluster.raft(1).propose(new Uint8Array(1))).toEqual({ accepted: false, reason: "notLeader" });
  });
});

describe("pre-votes", () => {
  test("change neither term nor vote, of who asks or of who answers", () => {
    const member = memberOf(3, [], { term: 2 });
    hears(member, ask("preVoteRequest", 2));
    member.raft.campaign();
    member.settle();
    expect(member.raft.status()).toMatchObject({ term: 2, vote: "", role: "preCandidate" });
    expect(member.disk.hardState).toMatchObject({ term: 2, vote: "" });
  });

  test("may be granted to several", () => {
    const member = memberOf(3);
    for (const n of [2, 3]) expect(hears(member, ask("preVoteRequest", n))).toMatchObject([{ reject: false, term: 5 }]);
  });

  test("asked for by two in the same instant lead to one election, not to a split vote", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    for (const n of [2, 3]) cluster.raft(n).forgetLeader();
    for (const n of [2, 3]) cluster.raft(n).campaign();
    cluster.settle();
    expect(cluster.raft(3).status()).toMatchObject({ role: "leader", term: 3 });
    expect(cluster.raft(2).status()).toMatchObject({ role: "follower", leader: idOf(3) });
  });

  test("of an old term are answered with the term they should know", () => {
    const member = memberOf(3, [], { term: 7 });
    expect(hears(member, ask("preVoteRequest", 2))).toMatchObject([{ type: "preVoteResponse", reject: true, term: 7 }]);
    const behind = memberOf(3, [], { term: 4 });
    behind.raft.campaign();
    hears(behind, messageOf("preVoteResponse", 2, 1, { term: 7, reject: true }));
    expect(behind.raft.status()).toMatchObject({ term: 7, role: "follower" });
  });

  test("that were granted for an earlier round do not count", () => {
    const member = memberOf(3);
    member.raft.campaign();
    hears(member, messageOf("preVoteResponse", 2, 1, { term: 1 }));
    expect(member.raft.status().role).toBe("preCandidate");
  });

  test("refused by a majority end the attempt", () => {
    const member = memberOf(3);
    member.raft.campaign();
    for (const n of [2, 3]) hears(member, messageOf("preVoteResponse", n, 1, { term: 1, reject: true }));
    expect(member.raft.status()).toMatchObject({ role: "follower", term: 1 });
  });

  test("do not let a node with a longer log on an older term and one with a shorter log on a newer term block each other", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, "only on 1 and 2");
    cluster.isolate(1);
    // Node 3 has been through terms alone before it took up pre-votes; node 2 holds the longer log.
    hears(
      cluster.at(3),
      messageOf("voteRequest", 1, 3, { term: 9, index: 0, logTerm: 0, context: new TextEncoder().encode("transfer") }),
    );
    expect(cluster.raft(3).status().term).toBe(9);
    cluster.cut.clear();
    cluster.isolate(1);
    cluster.tickAll(5 * ELECTION_TICKS);
    expect(cluster.leader()).toBe(2);
    expect(cluster.raft(2).status().term).toBeGreaterThan(9);
  });
});

describe("a deposed leader", () => {
  test("is told by whoever it still writes to, and follows", () => {
    const member = memberOf(3, [], { term: 5 });
    for (const type of ["appendRequest", "heartbeat"] as const)
      expect(hears(member, messageOf(type, 2, 1, { term: 4, index: 1, logTerm: 1 }))).toMatchObject([
        { type: "appendResponse", term: 5 },
      ]);
    const old = memberOf(3);
    makeLeader(old, 3);
    hears(old, messageOf("appendResponse", 2, 1, { term: 5 }));
    expect(old.raft.status()).toMatchObject({ role: "follower", term: 5 });
  });

  test("that comes back does not move the fleet's term", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.tickAll(10 * ELECTION_TICKS);
    const { term } = cluster.raft(cluster.leader()!).status();
    cluster.heal();
    cluster.tickAll(5 * ELECTION_TICKS);
    expect(cluster.raft(cluster.leader()!).status().term).toBe(term);
    expect(cluster.raft(1).status().term).toBe(term);
  });
});

test("a follower that forgets its leader asks for pre-votes within half an election timeout", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const member = memberOf(3, [], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    member.raft.forgetLeader();
    let ticks = 0;
    while (member.raft.status().role === "follower" && ticks < ELECTION_TICKS) {
      member.raft.tick();
      ticks += 1;
    }
    expect(ticks).toBeLessThanOrEqual(ELECTION_TICKS / 2);
  }
});

test("a candidate whose own vote alone decides leads", () => {
  const member = memberOf(1);
  makeCandidate(member, 1);
  expect(member.raft.status().role).toBe("leader");
});
