import { describe, expect, test } from "vitest";
import { successorOf } from "../../../agent/core/raft/index.ts";
import { addLearner, Cluster, ELECTION_TICKS, idOf } from "./cluster.ts";

function working(): Cluster {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.tickAll(2);
  return cluster;
}

describe("the best successor", () => {
  test("has the most of the log; between equals the first by id", () => {
    const cluster = working();
    expect(successorOf(cluster.raft(1).status())).toBe(idOf(2));
    cluster.cutBetween(1, 2);
    cluster.propose(1, "a");
    expect(successorOf(cluster.raft(1).status())).toBe(idOf(3));
  });

  test("is not one that does not answer, is far behind, is unfit, or does not count", () => {
    const cluster = working();
    cluster.add(4);
    cluster.change(1, addLearner(4));
    cluster.cutBetween(1, 3);
    for (let n = 0; n < 100; n += 1) cluster.propose(1, `${n}`);
    expect(successorOf(cluster.raft(1).status(), (node) => node === idOf(2))).toBeUndefined();
    cluster.isolate(1);
    cluster.raft(1).tick();
    cluster.tick(1, 25);
    expect(successorOf(cluster.raft(1).status())).toBeUndefined();
  });

  test("is there in every tick, also where the quorum check has just begun anew", () => {
    const cluster = working();
    cluster.raft(1).setTiming({ heartbeatTicks: 3, electionTicks: ELECTION_TICKS });
    for (let tick = 0; tick < 3 * ELECTION_TICKS; tick += 1) {
      cluster.tick(1, 1);
      expect(successorOf(cluster.raft(1).status())).toBe(idOf(2));
    }
  });

  test("is nobody for a leader alone", () => {
    const cluster = Cluster.of(1);
    cluster.elect(1);
    expect(successorOf(cluster.raft(1).status())).toBeUndefined();
  });
});
