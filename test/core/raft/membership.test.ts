/** Who counts, from when, and what becomes of those who no longer do. */
import { describe, expect, test } from "vitest";
import type { ConfChange } from "../../../agent/core/raft/index.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  addLearner,
  addVoter,
  bytes,
  Cluster,
  configuration,
  confOf,
  ELECTION_TICKS,
  hears,
  idOf,
  makeLeader,
  memberOf,
  messageOf,
  normal,
  remove,
} from "./cluster.ts";

const auto = (...steps: ConfChange["steps"]): ConfChange => ({ steps, transition: "auto" });

describe("a change of membership", () => {
  test("counts from its append, before it is committed", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.raft(1).proposeConfChange(auto(remove(3)));
    expect(cluster.raft(1).status()).toMatchObject({ conf: confOf({ voters: [1, 2] }), confPending: true });
  });

  test("falls back when its entry is cut off", () => {
    const member = memberOf(3, [], { term: 2 });
    const change = configuration(2, 2, confOf({ voters: [1, 2] }));
    hears(member, messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries: [change] }));
    expect(member.raft.status().conf).toEqual(confOf({ voters: [1, 2] }));
    hears(member, messageOf("appendRequest", 3, 1, { term: 3, index: 1, logTerm: 1, entries: [normal(2, 3)] }));
    expect(member.raft.status().conf).toEqual(confOf({ voters: [1, 2, 3] }));
  });

  // Where a change counts when it is applied, this takes a check before every campaign (etcd-io/raft's CheckBeforeCampaign).
  test.each(["at once", "on being handed the leadership"])(
    "that is neither committed nor applied binds the next election all the same: who campaigns %s needs its voters",
    (when) => {
      const member = memberOf(3, [], { term: 2 });
      const change = configuration(2, 2, confOf({ voters: [1, 4, 5], outgoing: [1, 2, 3] }));
      hears(member, messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries: [change] }));
      expect(member.raft.status()).toMatchObject({ commit: 1, applied: 1 });
      if (when === "at once") {
        member.raft.campaign();
        hears(member, ...[2, 3, 4, 5].map((n) => messageOf("preVoteResponse", n, 1, { term: 3 })));
      } else hears(member, messageOf("timeoutNow", 2, 1, { term: 2 }));
      const vote = (n: number): RaftMessage => messageOf("voteResponse", n, 1, { term: 3 });
      hears(member, vote(2), vote(3));
      expect(member.raft.status()).toMatchObject({ role: "candidate", term: 3 });
      hears(member, vote(4));
      expect(member.raft.status().role).toBe("leader");
    },
  );

  test("is refused before the leader has committed an entry of its own term", () => {
    const member = memberOf(3);
    makeLeader(member, 3);
    expect(member.raft.proposeConfChange(auto(remove(3)))).toEqual({ accepted: false, reason: "noCommitInTerm" });
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    expect(member.raft.proposeConfChange(auto(remove(3)))).toMatchObject({ accepted: true, index: 3, term: 2 });
  });

  test("is refused while another is not committed, by whomever it was begun", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    expect(cluster.raft(1).proposeConfChange(auto(addLearner(4)))).toMatchObject({ accepted: true });
    expect(cluster.raft(1).proposeConfChange(auto(addLearner(5)))).toEqual({ accepted: false, reason: "pending" });
  });

  test.each<[ConfChange, string]>([
    [auto(remove(1), remove(2), remove(3)), "removed all voters"],
    [auto(), "can't leave a non-joint config"],
  ])("that cannot be is refused with its reason: %j", (change, detail) => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    expect(cluster.raft(1).proposeConfChange(change)).toEqual({ accepted: false, reason: "invalid", detail });
  });

  test("is refused by a follower", () => {
    expect(
      Cluster.of(3)
        .raft(1)
        .proposeConfChange(auto(remove(3))),
    ).toEqual({ accepted: false, reason: "notLeader" });
  });
});

describe("a joint configuration", () => {
  test("leaves by itself when it is committed, once", () => {
    const cluster = Cluster.of(3);
    for (const n of [4, 5]) cluster.add(n);
    cluster.elect(1);
    cluster.change(1, addVoter(4), addVoter(5), remove(2));
    const changes = cluster.at(1).disk.entries.filter(({ kind }) => kind === "configuration");
    expect(changes).toHaveLength(2);
    for (const n of [1, 3, 4, 5]) expect(cluster.raft(n).status().conf).toEqual(confOf({ voters: [1, 3, 4, 5] }));
  });

  test("that leaves by itself does not do so before it is committed, whatever else is", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    const { raft } = cluster.at(1);
    raft.propose(bytes("before"));
    raft.proposeConfChange({ steps: [addVoter(4), remove(3)], transition: "implicit" });
    cluster.at(1).settle();
    // Both halves have the entry before the change, and not yet the change.
    for (const n of [2, 3, 4]) hears(cluster.at(1), messageOf("appendResponse", n, 1, { term: 2, index: 3 }));
    expect(raft.status()).toMatchObject({ commit: 3, conf: { autoLeave: true, votersOutgoing: [1, 2, 3].map(idOf) } });
  });

  test("that is explicit stays until it is told to leave, and takes no other change", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    const raft = cluster.raft(1);
    raft.proposeConfChange({ steps: [remove(3)], transition: "explicit" });
    cluster.settle();
    expect(raft.status().conf).toEqual(confOf({ voters: [1, 2], outgoing: [1, 2, 3] }));
    expect(raft.proposeConfChange(auto(addVoter(4)))).toMatchObject({ accepted: false, reason: "invalid" });
    raft.proposeConfChange(auto());
    cluster.settle();
    expect(raft.status().conf).toEqual(confOf({ voters: [1, 2] }));
  });

  test("needs both halves to commit", () => {
    const cluster = Cluster.of(3);
    for (const n of [4, 5]) cluster.add(n);
    cluster.elect(1);
    cluster.isolate(4);
    cluster.isolate(5);
    const { commit } = cluster.raft(1).status();
    cluster
      .raft(1)
      .proposeConfChange({ steps: [addVoter(4), addVoter(5), remove(2), remove(3)], transition: "implicit" });
    cluster.settle();
    expect(cluster.raft(1).status().commit).toBe(commit);
    cluster.heal();
    cluster.tickAll(3);
    expect(cluster.raft(1).status().conf).toEqual(confOf({ voters: [1, 4, 5] }));
  });

  test("needs both halves to elect", () => {
    const conf = confOf({ voters: [1, 4, 5], outgoing: [1, 2, 3] });
    const member = memberOf(3, [], { term: 2 });
    hears(
      member,
      messageOf("appendRequest", 2, 1, { term: 2, index: 1, logTerm: 1, entries: [configuration(2, 2, conf)] }),
    );
    member.raft.campaign();
    member.settle();
    for (const n of [4, 5]) hears(member, messageOf("preVoteResponse", n, 1, { term: 3 }));
    expect(member.raft.status().role).toBe("preCandidate");
    hears(member, messageOf("preVoteResponse", 3, 1, { term: 3 }));
    for (const n of [2, 3]) hears(member, messageOf("voteResponse", n, 1, { term: 3 }));
    expect(member.raft.status().role).toBe("candidate");
    hears(member, messageOf("voteResponse", 4, 1, { term: 3 }));
    expect(member.raft.status().role).toBe("leader");
  });

  test("left behind by a dead leader is left by the next one", () => {
    const cluster = Cluster.of(3);
    cluster.add(4);
    cluster.elect(1);
    // The joint entry reaches everyone, but node 1 dies before it can append the leave.
    cluster.raft(1).proposeConfChange({ steps: [addVoter(4), remove(3)], transition: "implicit" });
    for (const message of cluster.at(1).settle()) cluster.deliver(message);
    cluster.isolate(1);
    cluster.tickAll(4 * ELECTION_TICKS);
    const leader = cluster.leader()!;
    expect(leader).not.toBe(1);
    expect(cluster.raft(leader).status().conf).toEqual(confOf({ voters: [1, 2, 4] }));
  });

  test("turns a demoted voter into a learner only when it is left", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.raft(1).proposeConfChange({ steps: [addLearner(3)], transition: "explicit" });
    expect(cluster.raft(1).status().conf).toEqual(confOf({ voters: [1, 2], outgoing: [1, 2, 3], learnersNext: [3] }));
    cluster.settle();
    cluster.change(1);
    expect(cluster.raft(3).status().conf).toEqual(confOf({ voters: [1, 2], learners: [3] }));
    cluster.propose(1, "reaches the learner");
    expect(cluster.at(3).applied.at(-1)?.data).toEqual(bytes("reaches the learner"));
  });
});

describe("a removed node", () => {
  test("hears of its removal and never campaigns again", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.change(1, remove(3));
    expect(cluster.raft(3).status()).toMatchObject({ conf: confOf({ voters: [1, 2] }), confPending: false });
    expect(cluster.raft(1).status().progress.has(idOf(3))).toBe(false);
    cluster.isolate(3);
    cluster.tick(3, 5 * ELECTION_TICKS);
    expect(cluster.raft(3).status()).toMatchObject({ role: "follower", term: 2 });
  });

  test("that led steps down when its removal is committed, and the others elect one of themselves", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.change(1, remove(1));
    expect(cluster.raft(1).status()).toMatchObject({ role: "follower", confPending: false });
    cluster.tickAll(5 * ELECTION_TICKS);
    expect([2, 3]).toContain(cluster.leader());
  });

  test("that led does not count itself", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(3);
    const { commit } = cluster.raft(1).status();
    cluster.raft(1).proposeConfChange(auto(remove(1)));
    cluster.settle();
    // Nodes 1 and 2 have the entry; the new configuration is 2 and 3.
    expect(cluster.raft(1).status()).toMatchObject({ commit, role: "leader" });
  });

  test("may still campaign while its removal may be uncommitted: its log may be the only one that can lead on", () => {
    const cluster = Cluster.of(2);
    cluster.elect(1);
    // Its own removal is on node 1's disk alone, so node 2 still needs its vote and cannot get it: thesis 4.2.2.
    cluster.raft(1).proposeConfChange(auto(remove(1)));
    cluster.at(1).settle();
    cluster.at(1).restart();
    cluster.tickAll(6 * ELECTION_TICKS);
    expect(cluster.leader()).toBe(2);
    expect(cluster.raft(2).status().conf).toEqual(confOf({ voters: [2] }));
    expect(cluster.raft(1).status().role).toBe("follower");
  });
});

describe("a learner", () => {
  test("gets the log, counts nowhere and does not campaign", () => {
    const cluster = Cluster.of(2);
    cluster.add(3);
    cluster.elect(1);
    cluster.change(1, addLearner(3));
    cluster.isolate(2);
    const { commit } = cluster.raft(1).status();
    cluster.propose(1, "x");
    expect(cluster.raft(1).status().commit).toBe(commit);
    expect(cluster.raft(3).status().lastIndex).toBe(cluster.raft(1).status().lastIndex);
    cluster.raft(3).campaign();
    expect(cluster.raft(3).status().role).toBe("follower");
  });

  test("votes when asked, for it may have been promoted without knowing", () => {
    const cluster = Cluster.of(1);
    cluster.add(2);
    cluster.elect(1);
    cluster.change(1, addLearner(2));
    cluster.cutBetween(1, 2);
    cluster.raft(1).proposeConfChange(auto(addVoter(2)));
    cluster.settle();
    cluster.tick(1, 3 * ELECTION_TICKS);
    expect(cluster.raft(1).status().role).not.toBe("leader");
    cluster.heal();
    cluster.tickAll(4 * ELECTION_TICKS);
    expect(cluster.leader()).toBe(1);
    expect(cluster.raft(2).status().conf).toEqual(confOf({ voters: [1, 2] }));
  });

  test("comes back from a restart as a learner", () => {
    const cluster = Cluster.of(1);
    cluster.add(2);
    cluster.elect(1);
    cluster.change(1, addLearner(2));
    cluster.at(2).restart();
    expect(cluster.raft(2).status().conf).toEqual(confOf({ voters: [1], learners: [2] }));
  });
});

test("a joint configuration survives a restart and a snapshot", () => {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.raft(1).proposeConfChange({ steps: [remove(3), addLearner(4)], transition: "explicit" });
  cluster.settle();
  const conf = confOf({ voters: [1, 2], outgoing: [1, 2, 3], learners: [4] });
  cluster.at(2).restart();
  expect(cluster.raft(2).status().conf).toEqual(conf);
  const snapshot = cluster.raft(1).compact(cluster.raft(1).status().applied, bytes("s"));
  expect(snapshot?.conf).toEqual(conf);
});
