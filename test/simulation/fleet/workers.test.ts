/** Fleets of more boxes than voters: who has no seat works all the same, and a seat that stays empty is taken. */
import { expect, test } from "vitest";
import type { NodeRole } from "../../../shared/fleet.ts";
import type { JobId } from "../../../shared/ids.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";
import { weather } from "./weather.ts";

async function raise(seed: number, size: number, options: SimFleetOptions): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size, options);
  await fleet.start();
  await fleet.until("all know the leader", () => knowsLeader(fleet, fleet.nodes), 10_000);
  await fleet.run(2_000);
  return fleet;
}

const knowsLeader = (fleet: SimFleet, nodes: readonly SimNode[]): boolean =>
  fleet.leader !== undefined && nodes.every((node) => node.agent!.fleet().leader === fleet.leader!.nodeId);

/** `n0 voter, n1 voter, n2 worker` as a node sees it. */
const rolesIn = (node: SimNode): Map<string, NodeRole> =>
  new Map(node.agent!.fleet().nodes.map(({ name, role }) => [name, role]));
const namesOf = (node: SimNode, role: NodeRole): string[] =>
  [...rolesIn(node)].flatMap(([name, is]) => (is === role ? [name] : []));

const settled = <T>(fleet: SimFleet, promise: Promise<T>): Promise<T> => fleet.settled(promise, 20_000);

async function ended(fleet: SimFleet, via: SimNode, jobId: JobId): Promise<void> {
  for (let n = 0; n < 200; n++) {
    const { job } = await settled(fleet, via.agent!.job(jobId));
    if (job.state === "done") return;
    await fleet.run(500);
  }
  throw new Error(`${jobId} does not end`);
}

test.each([6, 7])(
  "of %i boxes five vote, and the others work without the log; a job handed in there is read by all",
  async (size) => {
    const fleet = await raise(21, size, { voters: 5 });
    const worker = fleet.nodes.at(-1)!;
    for (const node of fleet.nodes) {
      expect(namesOf(node, "voter")).toHaveLength(5);
      expect(namesOf(node, "worker")).toHaveLength(size - 5);
    }
    const jobId = await fleet.submit(worker, 60);
    expect(jobId).toBeDefined();
    await ended(fleet, worker, jobId!);
    const { results } = await settled(fleet, worker.agent!.results(jobId!));
    expect(results).toHaveLength(60);
    expect(new Set(results.map(({ node }) => node)).size).toBe(size);
    const receipt = await settled(fleet, worker.agent!.receipt(jobId!));
    expect(receipt.copiesMin).toBeGreaterThanOrEqual(2);
    expect(receipt.results.map(({ item }) => item)).toEqual(results.map(({ item }) => item));
    expect((await settled(fleet, worker.agent!.jobs())).map((job) => job.jobId)).toEqual([jobId]);
    expect(worker.agent!.ledger.appliedIndex, "what a worker knows of the log").toBe(0);
  },
);

test("a job with more results than fit in a frame is told to a worker piece by piece", async () => {
  const fleet = await raise(22, 4, { voters: 3, settings: { votersMax: "3" } });
  const worker = fleet.nodes[3]!;
  for (const node of fleet.nodes) node.engine!.secondsPerItem = 0.01;
  const jobId = await fleet.submit(worker, 2_500);
  await ended(fleet, worker, jobId!);
  const { results } = await settled(fleet, worker.agent!.results(jobId!));
  expect(results.map(({ item }) => item)).toEqual(Array.from({ length: 2_500 }, (_, item) => item));
  expect(JSON.stringify(results).length).toBeGreaterThan(1024 * 1024);
});

test("a worker cancels, sets, invites and removes as any box does, and is told why it cannot", async () => {
  const fleet = await raise(23, 4, { voters: 3, settings: { votersMax: "3" } });
  const agent = fleet.nodes[3]!.agent!;
  const jobId = await fleet.submit(fleet.nodes[3]!, 200);
  expect(await settled(fleet, agent.cancel(jobId!))).toMatchObject({ state: "cancelled" });
  await expect(settled(fleet, agent.job("job-none" as JobId))).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
  expect(await settled(fleet, agent.setSetting("x", "1"))).toEqual({ name: "x", value: "1" });
  expect(await settled(fleet, agent.setting("x"))).toEqual({ name: "x", value: "1" });
  expect((await settled(fleet, agent.invite())).token).toMatch(/^skein1-/);
  await expect(settled(fleet, agent.removeNode("nobody"))).rejects.toMatchObject({ code: "NODE_UNKNOWN" });
  expect(await settled(fleet, agent.removeNode("n2"))).toBe(fleet.nodes[2]!.nodeId);
  await fleet.until("its seat is taken by the worker", () => namesOf(fleet.nodes[3]!, "voter").includes("n3"), 20_000);
  expect(namesOf(fleet.nodes[0]!, "voter").sort()).toEqual(["n0", "n1", "n3"]);
});

test.each([31, 32, 33])(
  "the leader dies under a worker's feet, and what it computed is recorded by the next (seed %i)",
  async (seed) => {
    const fleet = await raise(seed, 4, { voters: 3, settings: { votersMax: "3" } });
    const worker = fleet.nodes[3]!;
    const jobId = await fleet.submit(worker, 80);
    await fleet.run(1_500);
    fleet.leader!.crash();
    await ended(fleet, worker, jobId!);
    const { results } = await settled(fleet, worker.agent!.results(jobId!));
    expect(results.filter(({ error }) => error)).toEqual([]);
  },
);

test.each([41, 42, 43])(
  "a voter that stays gone is replaced, and works without the log when it is back (seed %i)",
  async (seed) => {
    const fleet = await raise(seed, 4, { voters: 3, settings: { votersMax: "3", voterGoneAfterSeconds: "30" } });
    const [, , , heir] = fleet.nodes as [SimNode, SimNode, SimNode, SimNode];
    const lost = seed === 43 ? fleet.leader! : fleet.nodes.find((node) => node !== fleet.leader && node !== heir)!;
    const others = fleet.nodes.filter((node) => node !== lost);
    lost.crash();
    await fleet.run(20_000);
    expect(namesOf(others[0]!, "voter").sort()).toEqual(["n0", "n1", "n2"]);
    await fleet.until("the worker has its seat", () => rolesIn(others[0]!).get(heir.name) === "voter", 60_000);
    expect(namesOf(others[0]!, "voter")).not.toContain(lost.name);
    const jobId = await fleet.submit(heir, 20);
    await fleet.until("the heir holds the ledger", () => heir.agent!.holdsLedger, 5_000);
    await lost.start();
    await fleet.until("it learns that it is a worker", () => rolesIn(lost).get(lost.name) === "worker", 10_000);
    await ended(fleet, lost, jobId!);
    const { term } = fleet.leader!.agent!.raftStatus();
    const next = await fleet.submit(lost, 40);
    await ended(fleet, lost, next!);
    const { results } = await settled(fleet, lost.agent!.results(next!));
    expect(new Set(results.map(({ node }) => node))).toContain(lost.nodeId);
    let asked = 0;
    const { send } = fleet.net;
    fleet.net.send = (from, to, packet) => {
      if (from === lost.nodeId && packet.kind === "consensus") asked++;
      return send.call(fleet.net, from, to, packet);
    };
    await fleet.run(30_000);
    expect(asked, "it asks for no votes").toBe(0);
    expect(fleet.leader!.agent!.raftStatus().term).toBe(term);
  },
);

test("a voter that was away while all others lost their seats finds its place by what workers tell it", async () => {
  const settings = { votersMax: "3", voterGoneAfterSeconds: "5" };
  const fleet = await raise(52, 6, { voters: 3, settings });
  const [a, b, c, d, e, f] = fleet.nodes as [SimNode, SimNode, SimNode, SimNode, SimNode, SimNode];
  const hasLeft = ({ nodeId }: SimNode): boolean => {
    const conf = fleet.leader?.agent?.raftStatus().conf;
    return conf !== undefined && ![...conf.voters, ...conf.votersOutgoing].includes(nodeId);
  };
  for (const lost of [c, b, a]) {
    lost.crash();
    await fleet.until(`the seat of ${lost.name} is taken`, () => hasLeft(lost), 60_000);
  }
  for (const back of [a, b]) await back.start();
  await fleet.run(5_000);
  for (const node of [d, e, f]) expect(rolesIn(a).get(node.name)).toBe("voter");
  // Those who vote now are not heard by the one that returns; only those who worked from then on are.
  for (const voter of [d, e, f]) fleet.net.cut(c.nodeId, voter.nodeId);
  await c.start();
  await fleet.until("it hears of its place", () => rolesIn(c).get(c.name) === "worker", 20_000);
  for (const node of [d, e, f]) expect(rolesIn(c).get(node.name)).toBe("voter");
});

test("a voter that comes back in time keeps its seat", async () => {
  const fleet = await raise(51, 4, { voters: 3, settings: { votersMax: "3", voterGoneAfterSeconds: "60" } });
  const lost = fleet.nodes.find((node) => node !== fleet.leader)!;
  lost.crash();
  await fleet.run(40_000);
  await lost.start();
  await fleet.run(60_000);
  expect(namesOf(fleet.leader!, "voter").sort()).toEqual(["n0", "n1", "n2"]);
  expect(lost.agent!.holdsLedger).toBe(true);
});

test("an executor that dies while it is measured is measured again", async () => {
  const fleet = await raise(71, 4, { voters: 3, settings: { votersMax: "3" } });
  const worker = fleet.nodes[3]!;
  worker.crash();
  worker.notes.wipe();
  await worker.start();
  worker.engine!.crashNext(worker.executors);
  await fleet.until("it is ready", () => worker.agent!.health().ok, 10_000);
  expect(worker.story.filter((line) => line.includes("calibrationFailed"))).toHaveLength(1);
});

test.each([72, 73])(
  "a worker that comes up with finished results and hears nobody does not take itself for the whole fleet (seed %i)",
  async (seed) => {
    const fleet = await raise(seed, 4, { voters: 3, settings: { votersMax: "3" } });
    const worker = fleet.nodes[3]!;
    await fleet.submit(fleet.nodes[0]!, 120);
    await fleet.run(1_500);
    for (const other of fleet.nodes) if (other !== worker) fleet.net.cut(worker.nodeId, other.nodeId);
    // Long enough that results are finished and noted, short enough that nobody else has done the same items yet.
    await fleet.run(2_000);
    worker.crash();
    await worker.start();
    await fleet.run(100);
    expect(worker.story.filter((line) => line.includes("resultsRemembered"))).toHaveLength(1);
    fleet.net.heal();
    // That each result had two copies when it was recorded is checked as it happens.
    await fleet.until("all is recorded", () => fleet.hasConverged(), 60_000);
  },
);

test("no promise is broken in storms over voters and workers whose seats change hands", async () => {
  for (let first = 61; first < 64; first++) {
    const report = await weather({ first, forMs: 0, nodes: 5, faults: 30, voters: 3 });
    expect(report.broken ?? "").toBe("");
  }
});
