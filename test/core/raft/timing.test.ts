/** How long silence is borne: said by the leader, borne by all alike. */
import { describe, expect, test } from "vitest";
import {
  Cluster,
  ELECTION_TICKS,
  hears,
  type Member,
  makeLeader,
  memberOf,
  messageOf,
  type Options,
} from "./cluster.ts";

const BOUNDS: Options = { electionTicksMin: ELECTION_TICKS, electionTicksMax: 40 };
const beat = (electionTicks: number) => messageOf("heartbeat", 2, 1, { term: 1, electionTicks });
const patience = ({ raft }: Member): number => raft.status().electionTicks;

/** Ticks without a leader until it asks for pre-votes. */
function ticksToCampaign(member: Member): number {
  for (let ticks = 1; ; ticks += 1) {
    member.raft.tick();
    if (member.settle().length > 0) return ticks;
  }
}

describe("a follower", () => {
  test.each([
    ["takes over what its leader announces", 25, 25],
    ["is no more patient than its bound", 1_000, 40],
    ["is no less patient than its bound", 2, ELECTION_TICKS],
    ["stays as it is when nothing is said", 0, ELECTION_TICKS],
  ])("%s", (_, announced, taken) => {
    const member = memberOf(3, [], {}, BOUNDS);
    hears(member, beat(announced));
    expect(patience(member)).toBe(taken);
  });

  test("without bounds of its own keeps to what it was given", () => {
    const member = memberOf(3);
    hears(member, beat(25));
    expect(patience(member)).toBe(ELECTION_TICKS);
  });

  test("draws its timeout from the new range, and only when the range changes", () => {
    const drawn = new Set<number>();
    for (let seed = 0; seed < 60; seed += 1) {
      const draws = [0, seed / 60, 0.999];
      const member = memberOf(3, [], {}, { ...BOUNDS, random: () => draws.shift() ?? 0.999 });
      hears(member, beat(20));
      // The same again draws nothing.
      hears(member, beat(20));
      drawn.add(ticksToCampaign(member));
    }
    expect([Math.min(...drawn), Math.max(...drawn), drawn.size]).toEqual([20, 39, 20]);
  });

  test("holds on to its leader for as long as was announced", () => {
    const member = memberOf(3, [], {}, { ...BOUNDS, random: () => 0.999 });
    hears(member, beat(30));
    const ask = messageOf("voteRequest", 3, 1, { term: 2, index: 1, logTerm: 1 });
    for (let tick = 1; tick < 30; tick += 1) {
      member.raft.tick();
      expect(hears(member, ask)).toEqual([]);
    }
    member.raft.tick();
    expect(hears(member, ask)).toMatchObject([{ type: "voteResponse", reject: false }]);
  });

  test("begins anew after a restart, and passes on what it learnt when it leads", () => {
    const cluster = Cluster.of(3, BOUNDS);
    cluster.elect(1);
    cluster.raft(1).setTiming({ heartbeatTicks: 3, electionTicks: 30 });
    cluster.tick(1, 3);
    expect([1, 2, 3].map((n) => patience(cluster.at(n)))).toEqual([30, 30, 30]);
    cluster.at(3).restart();
    expect(patience(cluster.at(3))).toBe(ELECTION_TICKS);
    cluster.raft(1).transferLeadership(cluster.raft(2).status().id);
    cluster.settle();
    cluster.tick(2, 3);
    expect(cluster.leader()).toBe(2);
    expect([1, 2, 3].map((n) => patience(cluster.at(n)))).toEqual([30, 30, 30]);
  });
});

describe("a candidate", () => {
  const timeouts = (member: Member, count: number): number[] =>
    Array.from({ length: count }, () => {
      const ticks = ticksToCampaign(member);
      const { term } = member.raft.status();
      hears(member, ...[2, 3].map((n) => messageOf("preVoteResponse", n, 1, { term: term + 1 })));
      expect(member.raft.status().role).toBe("candidate");
      return ticks;
    });

  test("whose elections end undecided gives each more time than the last, up to its bound", () => {
    expect(timeouts(memberOf(3, [], {}, { ...BOUNDS, random: () => 0 }), 6)).toEqual([10, 10, 15, 23, 35, 40]);
    expect(timeouts(memberOf(3, [], {}, { random: () => 0 }), 3)).toEqual([10, 10, 10]);
  });

  test("that is not wanted stays as it is", () => {
    const member = memberOf(3, [], {}, { ...BOUNDS, random: () => 0 });
    expect([1, 2, 3].map(() => ticksToCampaign(member))).toEqual([10, 10, 10]);
  });
});

describe("a leader", () => {
  const leader = (): Member => {
    const member = memberOf(3, [], {}, BOUNDS);
    makeLeader(member, 3);
    return member;
  };
  /** The ticks at which it sends heartbeats; everyone answers, so that it stays in office. */
  const beats = (member: Member, ticks: number): number[] => {
    const { term } = member.raft.status();
    return Array.from({ length: ticks }, (_, at) => at + 1).filter(() => {
      member.raft.tick();
      const sent = member.settle().filter(({ type }) => type === "heartbeat");
      for (const { to } of sent) hears(member, { ...messageOf("heartbeatResponse", 2, 1, { term }), from: to });
      return sent.length > 0;
    });
  };

  test("announces a longer patience three times before its heartbeats become slower", () => {
    const member = leader();
    member.raft.setTiming({ heartbeatTicks: 4, electionTicks: 20 });
    expect(beats(member, 12)).toEqual([1, 2, 3, 7, 11]);
  });

  test("hastens at once", () => {
    const member = leader();
    member.raft.setTiming({ heartbeatTicks: 6, electionTicks: 20 });
    beats(member, 4);
    member.raft.setTiming({ heartbeatTicks: 1, electionTicks: ELECTION_TICKS });
    expect(beats(member, 3)).toEqual([1, 2, 3]);
  });

  test("steps down after as much silence as it asks of others", () => {
    const member = leader();
    member.raft.setTiming({ heartbeatTicks: 2, electionTicks: 35 });
    let ticks = 0;
    for (; member.raft.status().role === "leader"; ticks += 1) {
      member.raft.tick();
      member.settle();
    }
    expect(ticks).toBe(35);
  });

  test.each([
    ["half a tick", { heartbeatTicks: 1.5, electionTicks: 20 }],
    ["no heartbeat", { heartbeatTicks: 0, electionTicks: 20 }],
    ["a heartbeat that outlasts patience", { heartbeatTicks: 20, electionTicks: 20 }],
    ["more than its bound", { heartbeatTicks: 2, electionTicks: 41 }],
    ["less than its bound", { heartbeatTicks: 2, electionTicks: ELECTION_TICKS - 1 }],
  ])("refuses %s", (_, timing) => {
    expect(() => leader().raft.setTiming(timing)).toThrow();
  });
});
