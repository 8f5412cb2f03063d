/** ReadIndex: what a read may answer, and when. */
import { describe, expect, test } from "vitest";
import { bytes, Cluster, ELECTION_TICKS, hears, makeLeader, memberOf, messageOf, numberOf, text } from "./cluster.ts";

const answered = (cluster: Cluster, n: number): [string, number][] =>
  cluster.at(n).reads.map(({ context, index }) => [text(context), index]);

describe("a read", () => {
  test("at the leader is answered with its commit index once a quorum has confirmed it", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.raft(1).readIndex(bytes("r"));
    expect(cluster.at(1).reads).toEqual([]);
    cluster.settle();
    expect(answered(cluster, 1)).toEqual([["r", 3]]);
  });

  test("at a follower or a learner is passed on to the leader and answered back", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.propose(1, "x");
    expect(cluster.raft(2).readIndex(bytes("r"))).toBe(true);
    cluster.settle();
    expect(answered(cluster, 2)).toEqual([["r", 3]]);
  });

  test("where nobody is known to lead is refused", () => {
    expect(Cluster.of(3).raft(1).readIndex(bytes("r"))).toBe(false);
  });

  test("that the leader cannot confirm is never answered", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.raft(1).readIndex(bytes("r"));
    cluster.tickAll(5 * ELECTION_TICKS);
    cluster.heal();
    cluster.tickAll(5 * ELECTION_TICKS);
    expect(cluster.at(1).reads).toEqual([]);
  });

  test("is confirmed only by answers to a heartbeat that left after it came", () => {
    const member = memberOf(3);
    makeLeader(member, 3);
    hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 2 }));
    const context = (): Uint8Array => {
      member.raft.tick();
      return member.settle().find(({ type }) => type === "heartbeat")!.context;
    };
    const before = context();
    member.raft.readIndex(bytes("r"));
    const after = context();
    hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2, context: before }));
    // An answer that claims a round not begun is not believed either.
    const claim = new Uint8Array(8);
    new DataView(claim.buffer).setFloat64(0, 99);
    hears(member, messageOf("heartbeatResponse", 3, 1, { term: 2, context: claim }));
    expect(member.reads).toEqual([]);
    hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2, context: after }));
    expect(member.reads).toHaveLength(1);
  });

  test("that comes before the leader committed an entry of its own term waits for that", () => {
    const member = memberOf(3, [1, 1], { commit: 1 });
    makeLeader(member, 3);
    member.raft.readIndex(bytes("early"));
    for (const n of [2, 3]) hears(member, messageOf("heartbeatResponse", n, 1, { term: 2 }));
    expect(member.reads).toEqual([]);
    const sent = hears(member, messageOf("appendResponse", 2, 1, { term: 2, index: 4 }));
    const beat = sent.find(({ type }) => type === "heartbeat")!;
    hears(member, messageOf("heartbeatResponse", 2, 1, { term: 2, context: beat.context }));
    expect(member.reads).toEqual([{ context: bytes("early"), index: 4 }]);
  });

  test("by a single voter is answered at once", () => {
    const cluster = Cluster.of(1);
    cluster.elect(1);
    cluster.raft(1).readIndex(bytes("r"));
    cluster.settle();
    expect(answered(cluster, 1)).toEqual([["r", 2]]);
  });

  test("under a context used before is a read of its own", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.raft(1).readIndex(bytes("r"));
    cluster.settle();
    cluster.isolate(1);
    cluster.raft(1).readIndex(bytes("r"));
    cluster.settle();
    expect(answered(cluster, 1)).toHaveLength(1);
  });
});

test("reads that come together share a round", () => {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.delivered.length = 0;
  for (let read = 0; read < 50; read += 1) cluster.raft(1).readIndex(bytes(`r${read}`));
  cluster.settle();
  expect(answered(cluster, 1)).toHaveLength(50);
  const beats = cluster.delivered.filter(({ type, to }) => type === "heartbeat" && numberOf(to) === 2);
  expect(beats.length).toBeLessThanOrEqual(2);
});

test("no more reads wait than the limit says", () => {
  const cluster = new Cluster();
  for (const n of [1, 2, 3]) cluster.add(n, Cluster.of(3).at(n).disk, { readsWaitingMax: 2 });
  cluster.elect(1);
  const { raft } = cluster.at(1);
  expect([1, 2, 3].map((n) => raft.readIndex(bytes(`r${n}`)))).toEqual([true, true, false]);
});
