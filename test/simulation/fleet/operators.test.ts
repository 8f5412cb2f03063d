/** What whoever looks after the boxes may ask of a fleet, on the real runtime over a pretend world. */
import { describe, expect, test } from "vitest";
import type { DrainView, LeaveView } from "../../../shared/departure.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const SOON_MS = 20_000;

async function raise(size: number, seed = 5): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  await fleet.until("all are ready", () => fleet.nodes.every((node) => node.agent!.health().ok), SOON_MS);
  await fleet.run(3_000);
  return fleet;
}

/** What comes of a call, a refusal too, while the fleet's time goes on. */
const during = <T>(fleet: SimFleet, call: Promise<T>): Promise<T | SkeinError> =>
  fleet.settled(
    call.catch((error: unknown) => SkeinError.from(error)),
    60_000,
  );

const follower = (fleet: SimFleet): SimNode => fleet.nodes.find((node) => node !== fleet.leader)!;
const agreed = (fleet: SimFleet, node: SimNode, among = fleet.nodes): boolean =>
  among.every((one) => one.agent?.raftStatus().leader === node.nodeId);
/** Shards that any leader leased to this node. */
const leasesOf = (fleet: SimFleet, node: SimNode): number =>
  fleet.nodes.flatMap(({ story }) => story).filter((line) => line.includes("shardLeased") && line.includes(node.nodeId))
    .length;
const votersSeenBy = (node: SimNode): number => node.agent!.raftStatus().conf.voters.length;

describe("the leadership is handed over", () => {
  test("to the node that is named, whoever is asked", async () => {
    const fleet = await raise(3);
    const [asked, to] = fleet.nodes.filter((node) => node !== fleet.leader) as [SimNode, SimNode];
    const answer = await during(fleet, asked.agent!.transferLeader(to.name));
    expect(answer).toMatchObject({ leader: to.nodeId });
    expect(asked.agent!.raftStatus().leader).toBe(to.nodeId);
    expect(fleet.leader).toBe(to);
    expect(await during(fleet, asked.agent!.transferLeader(to.nodeId))).toMatchObject({ leader: to.nodeId });
  });

  test("to another that has caught up, when none is named", async () => {
    const fleet = await raise(3);
    const before = fleet.leader!;
    await during(fleet, before.agent!.transferLeader());
    await fleet.until("all agree on another", () => fleet.leader !== before && agreed(fleet, fleet.leader!), SOON_MS);
  });

  test("to nobody that is unknown, drained or away; the old leader serves on", async () => {
    const fleet = await raise(3);
    const leader = fleet.leader!;
    const [near, away] = fleet.nodes.filter((node) => node !== leader) as [SimNode, SimNode];
    const ask = (to?: string) => during(fleet, near.agent!.transferLeader(to));
    expect(await ask("nobody")).toMatchObject({ code: "NODE_UNKNOWN" });
    away.crash();
    await fleet.run(3_000);
    expect(await ask(away.name)).toMatchObject({ code: "HANDOVER_FAILED", facts: { leader: leader.name } });
    await during(fleet, near.agent!.drainNode(near.name, true));
    expect(await ask(near.name)).toMatchObject({ code: "HANDOVER_FAILED" });
    expect(await ask()).toMatchObject({ code: "HANDOVER_FAILED" });
    expect(fleet.leader).toBe(leader);
    expect(await fleet.submit(leader, 2)).toBeDefined();
  });

  test("or not at all if the wire to the other one breaks in that moment: nothing is lost, and the old leader takes in work again", async () => {
    const fleet = await raise(3);
    const leader = fleet.leader!;
    const [near, cut] = fleet.nodes.filter((node) => node !== leader) as [SimNode, SimNode];
    fleet.net.cut(leader.nodeId, cut.nodeId);
    const answer = await during(fleet, near.agent!.transferLeader(cut.name));
    expect(answer).toMatchObject({ code: "HANDOVER_FAILED" });
    fleet.net.heal();
    await fleet.until(
      "a leader all agree on",
      () => fleet.leader !== undefined && agreed(fleet, fleet.leader),
      SOON_MS,
    );
    expect(await fleet.submit(near, 2)).toBeDefined();
  });
});

describe("a node that is drained", () => {
  test("gets no new work, ends what it has, and keeps its vote and its copies", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    const first = await fleet.submit(fleet.leader!, 60);
    await fleet.until("it works", () => leasesOf(fleet, node) > 0, SOON_MS);
    const view = await during(fleet, fleet.leader!.agent!.drainNode(node.name, true));
    expect(view).toMatchObject({ nodeId: node.nodeId, drained: true, leads: false, isReachable: true });
    const leased = leasesOf(fleet, node);
    const again = () => during(fleet, fleet.nodes[0]!.agent!.drainNode(node.nodeId, true));
    let last = view;
    for (let n = 0; n < 100 && (last as DrainView).itemsAtWork > 0; n++) {
      await fleet.run(200);
      last = await again();
    }
    expect(last).toMatchObject({ itemsAtWork: 0 });
    await fleet.until("the job ends", () => fleet.hasConverged(), 60_000);
    await fleet.submit(node, 20);
    await fleet.until("the next job ends", () => fleet.hasConverged(), 60_000);
    expect(leasesOf(fleet, node)).toBe(leased);
    expect(fleet.leader!.agent!.fleet().nodes.find((one) => one.nodeId === node.nodeId)).toMatchObject({
      role: "voter",
      drained: true,
    });
    expect(first).toBeDefined();
    await during(fleet, node.agent!.drainNode(node.name, false));
    await fleet.submit(node, 60);
    await fleet.until("it gets work again", () => leasesOf(fleet, node) > leased, SOON_MS);
  });

  test("is named in the plan with its reason", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    await during(fleet, node.agent!.drainNode(node.name, true));
    await fleet.run(200);
    const jobId = await fleet.submit(fleet.leader!, 60);
    const detail = await during(fleet, fleet.leader!.agent!.job(jobId!));
    const share = (detail as { plan: { shares: { nodeId: string; reason: string }[] } }).plan.shares.find(
      (one) => one.nodeId === node.nodeId,
    );
    expect(share).toMatchObject({ items: 0, reason: "gets no work: it is drained" });
  });

  test("does not lead for long, also after every box was started again, and unless nobody else can", async () => {
    const fleet = await raise(3);
    const drained = fleet.leader!;
    await during(fleet, follower(fleet).agent!.drainNode(drained.name, true));
    const leadsElsewhere = () => fleet.leader !== undefined && fleet.leader !== drained;
    await fleet.until("another leads", leadsElsewhere, SOON_MS);
    for (const node of fleet.nodes) node.crash();
    // It comes up alone with one other: whoever of them wins, it is the other in the end.
    const other = fleet.nodes.find((node) => node !== drained)!;
    for (const node of [drained, other]) await node.start();
    await fleet.until("someone leads", () => fleet.leader !== undefined, SOON_MS);
    await during(
      fleet,
      drained.agent!.transferLeader(drained.name).catch(() => undefined),
    );
    await fleet.until("the other leads", () => fleet.leader === other, SOON_MS);
    expect(drained.agent!.fleet().nodes.find((node) => node.isSelf)).toMatchObject({ drained: true });
    await during(fleet, other.agent!.drainNode(other.name, true));
    await fleet.run(5_000);
    expect(fleet.leader).toBeDefined();
    expect(await during(fleet, other.agent!.drainNode("nobody", true))).toMatchObject({ code: "NODE_UNKNOWN" });
  });
});

/** Calls until it has left, as the command does. */
async function leave(fleet: SimFleet, node: SimNode, force = false): Promise<LeaveView | SkeinError> {
  for (let n = 0; n < 200; n++) {
    const view = await during(fleet, node.agent!.leave(force));
    if (view instanceof SkeinError || view.state === "left") return view;
    await fleet.run(500);
  }
  throw new Error("it never left");
}

/** Three of the five see one another, and the other two. */
const halves = (fleet: SimFleet): NodeId[][] => {
  const ids = fleet.nodes.map((node) => node.nodeId);
  return [ids.slice(0, 3), ids.slice(3)];
};

const outputsOf = (node: SimNode): BlobHash[] =>
  [...node.agent!.ledger.jobs.values()].flatMap((job) => job.results.flatMap((result) => result?.output ?? []));

describe("a node leaves", () => {
  test("when its copies are made anew elsewhere, hands the leadership on, and is neither on the roster nor a voter", async () => {
    const fleet = await raise(3);
    await fleet.submit(fleet.nodes[0]!, 30);
    await fleet.until("the job ends", () => fleet.hasConverged(), 60_000);
    const leaver = fleet.leader!;
    expect(await leave(fleet, leaver)).toMatchObject({ state: "left", copiesOwed: 0, onlyHere: 0 });
    expect([leaver.hasLeft, leaver.stopRequested]).toEqual([true, true]);
    leaver.crash();
    const others = fleet.nodes.filter((node) => node !== leaver);
    await fleet.until("the others are two voters", () => others.every((node) => votersSeenBy(node) === 2), SOON_MS);
    for (const node of others) {
      expect(node.agent!.ledger.roster.has(leaver.nodeId)).toBe(false);
      for (const output of outputsOf(node)) expect(node.blobs.held().has(output)).toBe(true);
    }
    expect(await fleet.submit(others[0]!, 5)).toBeDefined();
  });

  test("a fleet of two, which goes on as one voter; and the last one may not", async () => {
    const fleet = await raise(2);
    await fleet.submit(fleet.nodes[0]!, 10);
    await fleet.until("the job ends", () => fleet.hasConverged(), 60_000);
    const leaver = fleet.leader!;
    const last = follower(fleet);
    expect(await leave(fleet, leaver)).toMatchObject({ state: "left" });
    leaver.crash();
    await fleet.until("the last leads alone", () => votersSeenBy(last) === 1 && fleet.leader === last, SOON_MS);
    for (const output of outputsOf(last)) expect(last.blobs.held().has(output)).toBe(true);
    const refused = await during(fleet, last.agent!.leave(true));
    expect(refused).toMatchObject({ code: "LEAVE_REFUSED" });
    expect((refused as SkeinError).message).toContain("only voter");
    expect(last.hasLeft).toBe(false);
  });

  test("but not when the others would then have no quorum, whose names it is told", async () => {
    const fleet = await raise(3);
    const away = follower(fleet);
    away.crash();
    await fleet.run(4_000);
    const refused = await during(fleet, fleet.leader!.agent!.leave(true));
    expect(refused).toMatchObject({ code: "LEAVE_REFUSED" });
    expect((refused as SkeinError).message).toContain(away.name);
    expect(fleet.leader!.agent!.ledger.roster.size).toBe(3);
  });

  test("without waiting for the copies if it is told to, and says how many it owed", async () => {
    const fleet = await raise(3);
    await fleet.submit(fleet.nodes[0]!, 30);
    await fleet.until("the job ends", () => fleet.hasConverged(), 60_000);
    const leaver = fleet.leader!;
    const view = await leave(fleet, leaver, true);
    expect(leaver.story.join()).toContain("leadershipHandedOver");
    expect(view).toMatchObject({ state: "left", onlyHere: 0 });
    expect((view as LeaveView).copiesOwed).toBeGreaterThan(0);
    leaver.crash();
    await fleet.run(3_000);
  });
});

describe("a fleet that lost its quorum for good", () => {
  test("goes on from the furthest log, without the missing, and takes the other survivors in again", async () => {
    const fleet = await raise(5);
    await fleet.submit(fleet.nodes[0]!, 40);
    await fleet.until("the job ends", () => fleet.hasConverged(), 60_000);
    const [a, b, ...lost] = fleet.nodes as [SimNode, SimNode, ...SimNode[]];
    expect(await during(fleet, a.agent!.recover({ fleetName: "pretend", missing: [] }))).toMatchObject({
      code: "RECOVERY_REFUSED",
    });
    // b misses an entry that a has: a must be chosen.
    b.crash();
    await fleet.run(500);
    const behind = await during(fleet, a.agent!.drainNode(a.name, true));
    expect(behind).toMatchObject({ drained: true });
    for (const node of lost) node.crash();
    await b.start();
    await fleet.run(5_000);
    fleet.checks.recovering([a, b]);

    const fromB = await during(fleet, b.agent!.recoveryView());
    expect(fromB).toMatchObject({ refusal: { code: "RECOVERY_REFUSED", facts: { runOn: a.nodeId } } });
    const view = await during(fleet, a.agent!.recoveryView());
    if (view instanceof SkeinError) throw view;
    expect(view).not.toHaveProperty("refusal");
    expect(view.survivors.map(({ name }) => name)).toEqual([a.name, b.name]);
    expect(view.missing.map(({ name }) => name).sort()).toEqual(lost.map(({ name }) => name).sort());
    const held = [a, b].flatMap((node) => [...node.blobs.held().keys()]);
    const nowhere = outputsOf(a).filter((output) => !held.includes(output)).length;
    expect(nowhere).toBeGreaterThan(0);
    // By the record: what a box computed a second time it may hold beside it.
    const isLost = (output: BlobHash): boolean =>
      a.agent!.ledger.holdersOf(output).every((nodeId) => lost.some((node) => node.nodeId === nodeId));
    const told = outputsOf(a).filter(isLost).length;
    expect(told).toBeGreaterThanOrEqual(nowhere);
    expect(view.losses.map(({ results }) => results.length)).toEqual([told]);

    const missing = view.missing.map(({ nodeId }) => nodeId);
    expect(await during(fleet, a.agent!.recover({ fleetName: "other", missing }))).toMatchObject({
      code: "BAD_REQUEST",
    });
    const fewer = missing.slice(1);
    expect(await during(fleet, a.agent!.recover({ fleetName: "pretend", missing: fewer }))).toMatchObject({
      code: "RECOVERY_REFUSED",
    });
    const answer = await during(fleet, a.agent!.recover({ fleetName: "pretend", missing }));
    expect(answer).toMatchObject({ recoveredBy: a.nodeId, removed: [...missing].sort() });
    await fleet.until("both are voters", () => [a, b].every((node) => votersSeenBy(node) === 2), SOON_MS);
    expect(
      b
        .agent!.fleet()
        .recovered?.removed.map(({ name }) => name)
        .sort(),
    ).toEqual(lost.map(({ name }) => name).sort());
    expect(a.agent!.ledger.roster.get(a.nodeId)).toMatchObject({ drained: true });
    await during(fleet, a.agent!.drainNode(a.name, false));
    expect(await fleet.submit(b, 6)).toBeDefined();
    // One of the missing comes back after all, and is not let in.
    await lost[0]!.start();
    await fleet.run(6_000);
    expect(lost[0]!.agent!.health()).toMatchObject({ hasQuorum: false });
    expect(votersSeenBy(a)).toBe(2);
    const jobs = [a, b].map((node) => [...node.agent!.ledger.jobs.values()].map(({ state }) => state));
    expect(jobs).toEqual([
      ["done", "done"],
      ["done", "done"],
    ]);
  });

  test("in the middle of its work, under ten seeds: the survivors tell one story, and what they had recorded stays", async () => {
    for (let seed = 100; seed < 110; seed++) {
      const fleet = await raise(5, seed);
      await fleet.submit(fleet.nodes[seed % 5]!, 60);
      fleet.net.partition(...halves(fleet));
      await fleet.run(1_000 + 100 * (seed % 7));
      const [a, b, ...lost] = [...fleet.nodes].sort(() => fleet.random.random() - 0.5) as [
        SimNode,
        SimNode,
        ...SimNode[],
      ];
      for (const node of lost) node.crash();
      fleet.net.heal();
      await fleet.run(6_000);
      fleet.checks.recovering([a, b]);
      const view = await during(fleet, a.agent!.recoveryView());
      if (view instanceof SkeinError) throw view;
      const from = fleet.nodes.find((node) => node.nodeId === view.survivors[0]!.nodeId)!;
      const missing = view.missing.map(({ nodeId }) => nodeId);
      const answer = await during(fleet, from.agent!.recover({ fleetName: "pretend", missing }));
      expect(answer, `seed ${seed}`).toHaveProperty("atIndex");
      await fleet.until(
        `seed ${seed}: both are voters`,
        () => [a, b].every((node) => votersSeenBy(node) === 2),
        SOON_MS,
      );
      const story = (node: SimNode) =>
        [...node.agent!.ledger.jobs.values()].map((job) => job.results.map((result) => result?.recordedAtIndex));
      const agree = () => story(a).join("|") === story(b).join("|");
      await fleet.run(5_000);
      await fleet.until(`seed ${seed}: both tell the same`, agree, SOON_MS);
      expect(await fleet.submit(b, 4), `seed ${seed}`).toBeDefined();
    }
  });

  test("is not recovered twice: whoever asks next is told who leads", async () => {
    const fleet = await raise(5);
    const [a, b, ...lost] = fleet.nodes as [SimNode, SimNode, ...SimNode[]];
    for (const node of lost) node.crash();
    await fleet.run(5_000);
    fleet.checks.recovering([a, b]);
    const view = await during(fleet, a.agent!.recoveryView());
    if (view instanceof SkeinError) throw view;
    const from = fleet.nodes.find((node) => node.nodeId === view.survivors[0]!.nodeId)!;
    const missing = view.missing.map(({ nodeId }) => nodeId);
    expect(await during(fleet, from.agent!.recover({ fleetName: "pretend", missing }))).toHaveProperty("atIndex");
    const second = from === a ? b : a;
    expect(await during(fleet, second.agent!.recover({ fleetName: "pretend", missing }))).toMatchObject({
      code: "RECOVERY_REFUSED",
    });
  });

  test("and the one it goes on from is killed in the middle: it comes back as the only voter, or as it was", async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const fleet = await raise(3, seed);
      const [a, ...lost] = fleet.nodes as [SimNode, ...SimNode[]];
      for (const node of lost) node.crash();
      await fleet.run(5_000);
      fleet.checks.recovering([a]);
      const missing = lost.map(({ nodeId }) => nodeId);
      void a.agent!.recover({ fleetName: "pretend", missing }).catch(() => undefined);
      await fleet.clock.runUntil(fleet.clock.monotonicMs() + seed);
      a.crash();
      await a.start();
      await fleet.run(4_000);
      const isRecovered = a.agent!.ledger.roster.size === 1;
      expect([1, 3]).toContain(votersSeenBy(a));
      expect(votersSeenBy(a) === 1, `seed ${seed}`).toBe(isRecovered);
      expect(a.agent!.raftStatus().role === "leader", `seed ${seed}`).toBe(isRecovered);
    }
  });
});
