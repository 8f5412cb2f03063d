import { expect, test } from "vitest";
import { FOUNDING_HARD_STATE, foundingEntries } from "../../../agent/core/raft/index.ts";
import { addLearner, addVoter, bytes, Cluster, confOf, idOf, remove, text } from "./cluster.ts";

const written = (cluster: Cluster, n: number): string[] =>
  cluster
    .at(n)
    .applied.filter(({ kind, data }) => kind === "normal" && data.length > 0)
    .map(({ data }) => text(data));

function founded(): Cluster {
  const cluster = new Cluster();
  cluster.add(1, { hardState: FOUNDING_HARD_STATE, entries: foundingEntries(idOf(1)) });
  cluster.elect(1);
  return cluster;
}

test("a founder alone leads and commits what is on its disk", () => {
  const cluster = founded();
  cluster.propose(1, "first");
  expect(written(cluster, 1)).toEqual(["first"]);
  expect(cluster.at(1).disk.entries.map(({ index, term }) => [index, term])).toEqual([
    [1, 1],
    [2, 2],
    [3, 2],
  ]);
});

test("a founder that starts from an unwritten hard state leads too", () => {
  const cluster = new Cluster();
  cluster.add(1, { hardState: { term: 0, vote: "", commit: 0 }, entries: foundingEntries(idOf(1)) });
  cluster.elect(1);
  expect(cluster.raft(1).status()).toMatchObject({ role: "leader", commit: 2 });
});

test("a single voter does not commit before its own disk has the entry", () => {
  const cluster = founded();
  const raft = cluster.raft(1);
  raft.propose(bytes("x"));
  const before = raft.status().commit;
  const ready = raft.ready();
  expect(ready.entries).toHaveLength(1);
  expect(raft.status().commit).toBe(before);
  raft.advance();
  expect(raft.status().commit).toBe(before + 1);
});

test("a fleet grows from one to three by learners that are promoted, and shrinks again", () => {
  const cluster = founded();
  for (const n of [2, 3]) {
    cluster.add(n);
    cluster.change(1, addLearner(n));
    cluster.propose(1, `with learner ${n}`);
    expect(cluster.raft(1).status().progress.get(idOf(n))).toMatchObject({ state: "replicate" });
    cluster.change(1, addVoter(n));
  }
  expect(cluster.raft(3).status().conf).toEqual(confOf({ voters: [1, 2, 3] }));
  expect(written(cluster, 3)).toEqual(["with learner 2", "with learner 3"]);
  cluster.change(1, remove(2));
  expect(cluster.raft(3).status().conf).toEqual(confOf({ voters: [1, 3] }));
  expect(cluster.raft(2).status().conf).toEqual(confOf({ voters: [1, 3] }));
});

test("a three-voter fleet goes on when its leader dies, and the leader catches up when it is back", () => {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.propose(1, "before");
  cluster.isolate(1);
  cluster.raft(1).propose(bytes("lost: never acknowledged"));
  for (let tick = 0; tick < 40; tick += 1) cluster.tickAll(1);
  const leader = cluster.leader()!;
  expect(leader).not.toBe(1);
  expect(cluster.raft(1).status().role).not.toBe("leader");
  cluster.propose(leader, "after");
  cluster.heal();
  cluster.tickAll(30);
  for (const n of [1, 2, 3]) expect(written(cluster, n)).toEqual(["before", "after"]);
});

test("a restarted fleet finds its log, its vote and its members on disk", () => {
  const cluster = Cluster.of(3);
  cluster.elect(2);
  cluster.propose(2, "kept");
  const { term } = cluster.raft(1).status();
  for (const member of cluster.members.values()) member.restart();
  for (const n of [1, 2, 3]) expect(cluster.raft(n).status()).toMatchObject({ term, vote: idOf(2), role: "follower" });
  cluster.tickAll(40);
  cluster.propose(cluster.leader()!, "more");
  for (const n of [1, 2, 3]) expect(written(cluster, n)).toEqual(["kept", "more"]);
});

test("a voter whose log was compacted away gets a snapshot and goes on from it", () => {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.isolate(3);
  for (const data of ["a", "b", "c"]) cluster.propose(1, data);
  const { applied } = cluster.raft(1).status();
  cluster.raft(1).compact(applied, bytes("abc"));
  cluster.heal();
  cluster.tickAll(3);
  cluster.propose(1, "d");
  expect(cluster.at(3).disk.snapshot).toMatchObject({ index: applied, data: bytes("abc") });
  expect(written(cluster, 3)).toEqual(["d"]);
  expect(cluster.raft(1).status().progress.get(idOf(3))).toMatchObject({ state: "replicate" });
});
