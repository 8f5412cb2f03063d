/** A vote without the data, seen from the box that gives it, and what two others can survive with it. */
import { describe, expect, test } from "vitest";
import type { RaftMessage } from "../../../shared/raft.ts";
import {
  addWitness,
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
  text,
} from "./cluster.ts";

/** Two boxes with the data, and a witness. */
const CONF = confOf({ voters: [1, 2, 3], witnesses: [3] });
const WITNESS = 3;

/** Ticks and returns everything said meanwhile. */
const tick = (member: Member, ticks: number): RaftMessage[] =>
  Array.from({ length: ticks }).flatMap(() => {
    member.raft.tick();
    return member.settle();
  });
function leader(): Member {
  const member = new Member(1, diskWith(CONF), {});
  makeLeader(member, 3);
  for (const n of [2, WITNESS]) hears(member, messageOf("appendResponse", n, 1, { term: 2, index: 2 }));
  return member;
}

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
    member.raft.readIndex(bytes("r"));
    const beat = member.settle().find(({ type, to }) => type === "heartbeat" && numberOf(to) === WITNESS)!;
    hears(member, messageOf("heartbeatResponse", WITNESS, 1, { term: 2, context: beat.context }));
    expect(member.reads.map(({ context, index }) => [text(context), index])).toEqual([["r", 2]]);
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
      .applied.filter(({ kind, data }) => kind !== "configuration" && data.length > 0)
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

  test.each([
    ["the log from its beginning", false],
    ["a snapshot", true],
  ])("are two boxes that took in a witness: it gets %s, and either may go", (_, compacted) => {
    const cluster = new Cluster();
    const first = configuration(1, 1, confOf({ voters: [1, 2] }));
    for (const n of [1, 2]) cluster.add(n, { hardState: { term: 1, vote: "", commit: 1 }, entries: [first] });
    cluster.elect(1);
    for (const data of ["a", "b", "c"]) cluster.propose(1, data);
    if (compacted) cluster.raft(1).compact(5, bytes("state"));
    cluster.add(WITNESS);
    cluster.change(1, addWitness(WITNESS));
    cluster.tickAll(3);
    cluster.raft(1).reportSnapshot(idOf(WITNESS), true);
    cluster.tickAll(3);
    const { commit } = cluster.raft(1).status();
    expect(cluster.raft(WITNESS).status()).toMatchObject({ commit, applied: commit, conf: CONF });
    expect(data(cluster, WITNESS)).toEqual([]);
    cluster.isolate(1);
    cluster.tickAll(6 * ELECTION_TICKS);
    expect(cluster.raft(2).status().role).toBe("leader");
    cluster.propose(2, "next");
    expect(data(cluster, 2)).toEqual(["a", "b", "c", "next"]);
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
