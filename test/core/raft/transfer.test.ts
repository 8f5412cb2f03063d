import { describe, expect, test } from "vitest";
import {
  addLearner,
  addVoter,
  bytes,
  Cluster,
  ELECTION_TICKS,
  hears,
  idOf,
  memberOf,
  messageOf,
  remove,
} from "./cluster.ts";

describe("leadership is handed over", () => {
  test("to a voter that has everything, at once, past the stickiness of the others", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.tickAll(1);
    expect(cluster.raft(1).transferLeadership(idOf(3))).toBe(true);
    cluster.settle();
    expect(cluster.leader()).toBe(3);
    expect(cluster.raft(1).status()).toMatchObject({ role: "follower", leader: idOf(3), term: 3 });
  });

  test("and back again, while every voter holds on to its leader", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.raft(1).transferLeadership(idOf(2));
    cluster.tickAll(1);
    expect(cluster.leader()).toBe(2);
    cluster.propose(2, "between");
    cluster.raft(2).transferLeadership(idOf(1));
    cluster.tickAll(1);
    expect([1, 2, 3].map((n) => cluster.raft(n).status().role)).toEqual(["leader", "follower", "follower"]);
    expect(cluster.raft(3).status()).toMatchObject({ leader: idOf(1), term: 4 });
  });

  test("to a voter that is behind, after it has caught up", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(3);
    for (const data of ["a", "b"]) cluster.propose(1, data);
    cluster.heal();
    cluster.raft(1).transferLeadership(idOf(3));
    cluster.tickAll(1);
    expect(cluster.leader()).toBe(3);
    expect(cluster.raft(3).status().lastIndex).toBe(5);
  });

  test("without anything proposed meanwhile, and given up after an election timeout", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.filter = ({ type }) => type !== "timeoutNow";
    cluster.raft(1).transferLeadership(idOf(2));
    cluster.settle();
    expect(cluster.raft(1).propose(bytes("x"))).toEqual({ accepted: false, reason: "transferring" });
    expect(cluster.raft(1).proposeConfChange({ steps: [remove(3)], transition: "auto" })).toMatchObject({
      reason: "pending",
    });
    cluster.tickAll(ELECTION_TICKS);
    expect(cluster.raft(1).status()).toMatchObject({ role: "leader" });
    expect(cluster.raft(1).propose(bytes("x"))).toMatchObject({ accepted: true });
  });

  test("to whom was named last", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.cutBetween(1, 2);
    cluster.raft(1).transferLeadership(idOf(2));
    cluster.raft(1).transferLeadership(idOf(3));
    cluster.settle();
    expect(cluster.leader()).toBe(3);
  });
});

describe("leadership is not handed over", () => {
  test("to itself, to a learner, to a stranger, or by a follower", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.add(4);
    cluster.change(1, addLearner(4));
    for (const to of [1, 4, 9]) expect(cluster.raft(1).transferLeadership(idOf(to))).toBe(false);
    expect(cluster.raft(2).transferLeadership(idOf(3))).toBe(false);
    expect(cluster.leader()).toBe(1);
  });

  test("to a voter that is removed meanwhile", () => {
    const cluster = Cluster.of(4);
    cluster.elect(1);
    cluster.filter = ({ type, to }) => type !== "timeoutNow" && to !== idOf(4);
    const raft = cluster.raft(1);
    raft.proposeConfChange({ steps: [addVoter(5), remove(4)], transition: "implicit" });
    raft.transferLeadership(idOf(4));
    cluster.settle();
    cluster.tickAll(ELECTION_TICKS + 2);
    expect(raft.status().conf.voters).not.toContain(idOf(4));
    expect(raft.status()).not.toHaveProperty("transferee");
  });

  test("because someone who does not lead says so", () => {
    const member = memberOf(3, [], { term: 2 });
    hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
    hears(member, messageOf("timeoutNow", 3, 1, { term: 2 }));
    expect(member.raft.status()).toMatchObject({ role: "follower", term: 2 });
    hears(member, messageOf("timeoutNow", 2, 1, { term: 2 }));
    expect(member.raft.status()).toMatchObject({ role: "candidate", term: 3 });
  });
});
