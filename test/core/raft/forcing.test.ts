/** Going on from one log when the quorum is gone for good. */
import { describe, expect, test } from "vitest";
import type { RaftEntry } from "../../../shared/raft.ts";
import {
  addLearner,
  addVoter,
  bytes,
  Cluster,
  confOf,
  ELECTION_TICKS,
  idOf,
  type Member,
  memberOf,
  randomFrom,
  text,
} from "./cluster.ts";

const RECOVERED = bytes("recovered");

/** As the agent picks it: by last term, then by length. */
function furthest(cluster: Cluster, among: number[]): number {
  const far = (n: number) => cluster.raft(n).status();
  return [...among].sort(
    (a, b) => far(b).lastTerm - far(a).lastTerm || far(b).lastIndex - far(a).lastIndex || a - b,
  )[0]!;
}

/** The runtime's reconcile: whoever lives comes in again as a learner, and counts once it has caught up. */
function takeIn(cluster: Cluster, leader: number, others: number[]): void {
  for (const n of others) {
    cluster.change(leader, addLearner(n));
    cluster.tickAll(3);
    cluster.change(leader, addVoter(n));
    cluster.tickAll(3);
  }
}

const committedOf = ({ raft, applied }: Member): RaftEntry[] =>
  applied.filter((entry) => entry.index <= raft.status().commit);

describe("a survivor whose quorum is gone", () => {
  test("leads alone once the forced configuration is on its disk, and commits what it had", () => {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.raft(1).propose(bytes("a"));
    cluster.settle();
    const { commit, term } = cluster.raft(1).status();
    const index = cluster.raft(1).forceConfiguration(RECOVERED);
    expect(cluster.raft(1).status()).toMatchObject({ role: "candidate", commit });
    cluster.settle();
    const after = cluster.raft(1).status();
    expect(after).toMatchObject({ role: "leader", conf: confOf({ voters: [1] }), confPending: false });
    expect(after.term).toBeGreaterThan(term);
    expect(after.commit).toBe(after.lastIndex);
    expect(cluster.at(1).applied.find((entry) => entry.index === index)?.data).toEqual(RECOVERED);
    expect(cluster.at(1).applied.map((entry) => text(entry.data))).toContain("a");
  });

  test("is as it was when it crashes before that is on disk, and leads alone when it crashes after", () => {
    const before = memberOf(3, [2], { term: 2 });
    before.raft.forceConfiguration(RECOVERED);
    before.restart();
    expect(before.raft.status()).toMatchObject({ term: 2, lastIndex: 2, conf: confOf({ voters: [1, 2, 3] }) });

    const after = memberOf(3, [2], { term: 2 });
    after.raft.forceConfiguration(RECOVERED);
    after.settle();
    after.restart();
    expect(after.raft.status()).toMatchObject({ role: "follower", conf: confOf({ voters: [1] }) });
    for (let tick = 0; tick < 2 * ELECTION_TICKS; tick += 1) {
      after.raft.tick();
      after.settle();
    }
    expect(after.raft.status().role).toBe("leader");
    expect(after.applied.map((entry) => text(entry.data))).toContain("recovered");
  });

  test("hands its entries to be written with term and vote in one batch", () => {
    const member = memberOf(3, [2], { term: 2 });
    member.raft.forceConfiguration(RECOVERED);
    const ready = member.raft.ready();
    expect(ready.entries.map(({ kind }) => kind)).toEqual(["configuration", "normal"]);
    expect(ready.hardState).toMatchObject({ vote: idOf(1), term: ready.entries[0]!.term });
    expect(ready.mustSync).toBe(true);
    member.raft.advance();
  });

  test("may be a learner: its log may be the only one left", () => {
    const cluster = Cluster.of(3);
    cluster.add(4);
    cluster.elect(1);
    cluster.change(1, addLearner(4));
    cluster.propose(1, "a");
    for (const n of [1, 2, 3]) cluster.isolate(n);
    cluster.raft(4).forceConfiguration(RECOVERED);
    cluster.settle();
    expect(cluster.raft(4).status()).toMatchObject({ role: "leader", conf: confOf({ voters: [4] }) });
  });

  test("is never one without a log", () => {
    const cluster = new Cluster();
    cluster.add(9);
    expect(cluster.raft(9).forceConfiguration(RECOVERED)).toBeUndefined();
    expect(cluster.raft(9).status()).toMatchObject({ role: "follower", term: 0, lastIndex: 0 });
  });

  test("takes back in who lives, also one whose log is otherwise and who is in a later term", () => {
    const cluster = Cluster.of(5);
    cluster.elect(3);
    cluster.propose(3, "agreed");
    // 2 keeps entries of an old leader that nobody else has.
    for (const n of [1, 4, 5]) cluster.cutBetween(3, n);
    for (const data of ["x", "y", "z"]) cluster.propose(3, data);
    for (const n of [1, 4, 5]) cluster.cutBetween(2, n);
    for (let round = 0; [3, undefined].includes(cluster.leader()) && round < 9; round += 1)
      cluster.tickAll(ELECTION_TICKS);
    cluster.propose(cluster.leader()!, "later");
    // 3, 4 and 5 burn down. 1 has the later term, 2 the longer log.
    cluster.heal();
    for (const n of [3, 4, 5]) cluster.isolate(n);
    expect(furthest(cluster, [1, 2])).toBe(1);
    cluster.raft(1).forceConfiguration(RECOVERED);
    cluster.settle();
    takeIn(cluster, 1, [2]);
    expect(cluster.raft(1).status().conf).toEqual(confOf({ voters: [1, 2] }));
    cluster.propose(1, "new");
    cluster.tickAll(3);
    const story = (n: number) => cluster.at(n).applied.map((entry) => text(entry.data));
    expect(story(2)).toEqual(story(1));
    expect(story(2)).toEqual(expect.arrayContaining(["agreed", "later", "new"]));
    expect(story(2)).not.toContain("x");
  });
});

/** Five nodes through elections, cuts and proposals under one seed, never fully settled. */
function rough(seed: number): Cluster {
  const random = randomFrom(seed);
  const cluster = Cluster.of(5, { random });
  for (let step = 0; step < 80; step += 1) {
    const what = random();
    if (what < 0.12) partition(cluster, random);
    else if (what < 0.14) cluster.heal();
    else if (what < 0.6) for (let ticks = 0; ticks < 8; ticks += 1) tickLossy(cluster, random);
    else if (what < 0.95) for (const { raft } of cluster.members.values()) raft.propose(bytes(`${seed}-${step}`));
    else cluster.at(1 + Math.floor(random() * 5)).restart();
    if (random() < 0.5) cluster.settle();
  }
  return cluster;
}

function partition(cluster: Cluster, random: () => number): void {
  cluster.heal();
  const side = [0, 0, 0, 0, 0, 0].map(() => random() < 0.4);
  for (const a of cluster.members.keys())
    for (const b of cluster.members.keys()) if (side[a] !== side[b]) cluster.cutBetween(a, b);
}

function tickLossy(cluster: Cluster, random: () => number): void {
  for (const member of cluster.members.values()) if (random() < 0.7) member.raft.tick();
  const messages = [...cluster.members.values()].flatMap((member) => member.settle());
  for (const message of messages) if (random() < 0.7) cluster.deliver(message);
}

test("in three hundred rough histories the survivors become one again, and nothing that one of them knew to be committed is lost", () => {
  let conflicting = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const cluster = rough(seed);
    const random = randomFrom(seed + 1_000);
    const order = [1, 2, 3, 4, 5].map((n) => ({ n, at: random() })).sort((a, b) => a.at - b.at);
    const survivors = order.slice(0, 2).map(({ n }) => n);
    for (const { n } of order.slice(2)) cluster.members.delete(n);
    cluster.heal();
    for (const n of survivors) cluster.at(n).settle();
    const known = survivors.flatMap((n) => committedOf(cluster.at(n)));
    const [from, other] = [furthest(cluster, survivors), survivors.find((n) => n !== furthest(cluster, survivors))!];
    const tail = cluster.raft(other).entries(2, cluster.raft(other).status().lastIndex + 1);
    cluster.raft(from).forceConfiguration(RECOVERED);
    cluster.settle();
    for (let round = 0; cluster.leader() !== from && round < 4; round += 1) cluster.tickAll(ELECTION_TICKS);
    takeIn(cluster, from, [other]);
    cluster.propose(from, "after");
    cluster.tickAll(4);
    const [one, two] = [cluster.at(from).applied, cluster.at(other).applied];
    expect(two, `seed ${seed}: both tell the same`).toEqual(one);
    expect(
      one.map((entry) => text(entry.data)),
      `seed ${seed}`,
    ).toContain("after");
    for (const entry of known)
      expect(
        one.find(({ index }) => index === entry.index),
        `seed ${seed}: entry ${entry.index} is kept`,
      ).toEqual(entry);
    if (tail.some((entry) => one.find(({ index }) => index === entry.index)?.term !== entry.term)) conflicting += 1;
  }
  // The histories are of use only if some survivors had to give entries up.
  expect(conflicting).toBeGreaterThan(5);
});

test("entries of the lost side never share index and term with those that follow the recovery", () => {
  const cluster = Cluster.of(5);
  cluster.elect(3);
  for (const n of [1, 2]) for (const m of [3, 4, 5]) cluster.cutBetween(n, m);
  for (const n of [4, 5, 3, 4]) {
    cluster.raft(cluster.leader()!).transferLeadership(idOf(n));
    cluster.settle();
    cluster.propose(n, "theirs");
  }
  const theirs = cluster.raft(4).status();
  expect(theirs).toMatchObject({ role: "leader", term: 6 });
  cluster.raft(1).forceConfiguration(RECOVERED);
  cluster.settle();
  const { term } = cluster.raft(1).status();
  expect(term).toBeGreaterThan(theirs.term + 1_000);
});
