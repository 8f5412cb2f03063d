/** Dispatch in whole fleets: silence, deposed leaders, pauses, deadlines, killers, and the story of it all. */
import { expect, test } from "vitest";
import type { JobId } from "../../../shared/ids.ts";
import type { JobState } from "../../../shared/job.ts";
import type { Lease } from "../../../shared/peer-requests.ts";
import type { JobStory } from "../../../shared/story.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";
import { median } from "../../bench/figures.ts";
import { blob, shard } from "../../support/nouns.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

async function raise(seed: number, options: SimFleetOptions = {}): Promise<SimFleet> {
  const fleet = new SimFleet(seed, 4, options);
  await fleet.start();
  await fleet.until("all know the leader", () => fleet.nodes.every((n) => n.agent?.fleet().leader), 10_000);
  await fleet.run(2_000);
  return fleet;
}

const settled = <T>(fleet: SimFleet, promise: Promise<T>): Promise<T> => fleet.settled(promise, 20_000);

const stateOf = (node: SimNode, jobId: JobId): JobState | undefined => node.agent!.ledger.jobs.get(jobId)?.state;
const recordedOf = (node: SimNode, jobId: JobId): number => node.agent!.ledger.jobs.get(jobId)?.recordedCount ?? 0;
const why = (fleet: SimFleet, node: SimNode, jobId: JobId, shard?: string, item?: string): Promise<JobStory> =>
  settled(fleet, node.agent!.why(jobId, shard, item));

function cutOff(fleet: SimFleet, box: SimNode): void {
  for (const other of fleet.nodes) if (other !== box) fleet.net.cut(box.nodeId, other.nodeId);
}

/** As by SIGSTOP: it does nothing more, and its lanes are whole and silent. */
function freeze(fleet: SimFleet, box: SimNode): void {
  cutOff(fleet, box);
  box.freeze();
}

function slow(_fleet: SimFleet, box: SimNode): void {
  box.engine!.secondsPerItem *= 10;
}

/** From the freezing of a box at work until the leader leased what it had to others. */
async function silenceCoveredMs(seed: number): Promise<number> {
  const fleet = await raise(seed);
  const leader = fleet.leader!;
  const jobId = (await fleet.submit(leader, 200))!;
  await fleet.run(1_500 + 130 * seed);
  const box = fleet.nodes.find((node) => node !== leader)!;
  let coveredAtMs: number | undefined;
  leader.agent!.onEvent(({ event, facts }) => {
    if (event === "shardLeased" && String(facts.because).includes(box.name)) coveredAtMs ??= fleet.clock.monotonicMs();
  });
  freeze(fleet, box);
  const frozenAtMs = fleet.clock.monotonicMs();
  await fleet.until("its work is leased to others", () => coveredAtMs !== undefined, 5_000);
  expect(stateOf(leader, jobId)).toBe("running");
  return coveredAtMs! - frozenAtMs;
}

test("the work of a box that falls silent is leased to others in less than a second, by the median", async () => {
  const times: number[] = [];
  for (let seed = 1; seed <= 5; seed++) times.push(await silenceCoveredMs(seed));
  expect(median(times)).toBeLessThan(1_000);
  expect(Math.max(...times)).toBeLessThan(1_500);
});

type Fault = (fleet: SimFleet, box: SimNode) => void;

/** 80 pages of 1.3 s on four boxes of two executors, of which one that does not lead meets its fault after 3 s. */
async function makespanMs(fault: Fault): Promise<{ tookMs: number; story: JobStory }> {
  const fleet = await raise(1, { alike: { secondsPerItem: 1.3, executors: 2 } });
  await fleet.run(2_000);
  const leader = fleet.leader!;
  const [box, other] = fleet.nodes.filter((node) => node !== leader);
  const startMs = fleet.clock.monotonicMs();
  const jobId = (await fleet.submit(leader, 80))!;
  await fleet.run(3_000);
  fault(fleet, box!);
  await fleet.until("it ends", () => stateOf(other!, jobId) === "done", 60_000);
  const tookMs = fleet.clock.monotonicMs() - startMs;
  return { tookMs, story: await why(fleet, other!, jobId) };
}

test("of four boxes one may be killed, frozen, cut off or slowed ten times, and the job takes as much longer as its bound says", async () => {
  const healthy = await makespanMs(() => {});
  const kinds = healthy.story.leader!.lines.map(({ kind }) => kind);
  expect(new Set(kinds), "nothing is done twice in the healthy run").toEqual(new Set(["opened", "leased", "recorded"]));
  const faults: [string, number, Fault][] = [
    ["killed", 1.5, (_fleet, box) => box.crash()],
    ["frozen", 1.5, freeze],
    ["cut off", 1.5, cutOff],
    ["slowed ten times", 1.4, slow],
  ];
  for (const [name, most, fault] of faults) {
    const { tookMs } = await makespanMs(fault);
    expect(tookMs / healthy.tookMs, name).toBeLessThanOrEqual(most);
  }
});

test("boxes that stand still for 200 ms now and then are not taken to be silent", async () => {
  const fleet = await raise(11);
  const leader = fleet.leader!;
  const jobId = (await fleet.submit(leader, 150))!;
  for (let n = 0; stateOf(leader, jobId) === "running"; n++) {
    const box = fleet.nodes[n % fleet.nodes.length]!;
    freeze(fleet, box);
    await fleet.run(200);
    fleet.mend();
    await fleet.run(150);
    expect(n).toBeLessThan(400);
  }
  const { leader: told } = await why(fleet, leader, jobId);
  expect(told!.lines.map(({ kind }) => kind)).not.toContain("suspected");
});

test("a job that is paused keeps what runs and gets nothing new, also from the next leader, until it is resumed", async () => {
  const fleet = await raise(12);
  const jobId = (await fleet.submit(fleet.leader!, 150))!;
  await fleet.run(500);
  const [any] = fleet.nodes.filter((node) => node !== fleet.leader);
  expect((await settled(fleet, any!.agent!.pause(jobId, true))).state).toBe("paused");
  await fleet.run(15_000);
  const recorded = recordedOf(any!, jobId);
  fleet.leader!.crash();
  await fleet.until("another leads", () => fleet.leader !== undefined, 10_000);
  await fleet.run(10_000);
  expect(recordedOf(any!, jobId)).toBe(recorded);
  await settled(fleet, any!.agent!.pause(jobId, false));
  await fleet.until("it ends", () => stateOf(any!, jobId) === "done", 120_000);
  await expect(settled(fleet, any!.agent!.pause(jobId, true))).rejects.toMatchObject({ code: "JOB_ENDED" });
});

test("a job that runs into its deadline expires, and what is recorded by then stays", async () => {
  const fleet = await raise(13);
  const leader = fleet.leader!;
  for (const node of fleet.nodes) node.engine!.secondsPerItem = 1;
  const jobId = (await fleet.submit(leader, 200, { deadlineInMs: 8_000 }))!;
  const tookMs = await fleet.until("it ends", () => stateOf(leader, jobId) === "expired", 15_000);
  expect(tookMs).toBeGreaterThan(5_000);
  const recorded = recordedOf(leader, jobId);
  expect(recorded).toBeGreaterThan(0);
  await fleet.run(10_000);
  expect(recordedOf(leader, jobId)).toBe(recorded);
  expect(fleet.nodes.every((node) => (node.agent?.fleet().nodes ?? []).every((n) => !n.report?.itemsQueued))).toBe(
    true,
  );
});

test("an item that ends an executor on two boxes is recorded as in quarantine, with where and why", async () => {
  const fleet = await raise(14);
  for (const node of fleet.nodes) node.engine!.crashNext();
  fleet.checks.executorsBroken = fleet.nodes.length;
  const jobId = (await fleet.submit(fleet.leader!, 1))!;
  const { leader } = fleet;
  await fleet.until("it ends", () => stateOf(leader!, jobId) === "done", 60_000);
  const [result] = leader!.agent!.ledger.jobs.get(jobId)!.results;
  expect(result?.error).toMatchObject({ code: "ITEM_QUARANTINED" });
  expect(result?.error?.facts.kills).toHaveLength(2);
  expect(result?.lostAttempts?.length).toBeGreaterThan(0);
  const receipt = await settled(fleet, leader!.agent!.receipt(jobId));
  expect(receipt.results.map(({ signatureState }) => signatureState)).toEqual(["valid"]);
  const { leader: told } = await why(fleet, leader!, jobId);
  expect(told!.lines.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["leased", "failed", "quarantined"]));
});

test("after a change of leader the story says from when on it is whole, and what is recorded tells the rest", async () => {
  const fleet = await raise(15);
  const jobId = (await fleet.submit(fleet.leader!, 600))!;
  await fleet.run(1_500);
  const worker = fleet.nodes.find((node) => node !== fleet.leader)!;
  worker.crash();
  await fleet.run(4_000);
  const first = fleet.leader!;
  first.crash();
  await worker.start();
  await fleet.until("another leads", () => fleet.leader !== undefined && fleet.leader !== first, 10_000);
  await fleet.until("it ends", () => stateOf(fleet.leader!, jobId) === "done", 120_000);
  const story = await why(fleet, worker, jobId);
  expect(story.leader!.leader).toBe(fleet.leader!.nodeId);
  expect(story.leader!.sinceMs).toBeGreaterThan(story.submittedAtMs);
  expect(story.leader!.lines.map(({ kind }) => kind)).toContain("adopted");
  const lost = story.itemStories.flatMap((item) => item.lostAttempts);
  expect(lost).toContainEqual(
    expect.objectContaining({ node: worker.nodeId, because: `it was taken back because ${worker.name} is gone` }),
  );
  expect(lost.every(({ leasedAtMs, endedAtMs }) => leasedAtMs <= endedAtMs)).toBe(true);
  const item = story.itemStories[0]!;
  const ofItem = await why(fleet, worker, jobId, undefined, item.name);
  expect(ofItem.itemStories).toEqual([item]);
  const ofShard = await why(fleet, worker, jobId, item.recorded!.shardId.split("/")[1]);
  expect(ofShard.itemStories.map((one) => one.item)).toContain(item.item);
  await expect(why(fleet, worker, jobId, undefined, "page-9999")).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("a worker refuses the leases and take-backs of a leader that was deposed, and says why", async () => {
  const fleet = await raise(16);
  const old = fleet.nodes.find((node) => node !== fleet.leader)!;
  const worker = fleet.nodes.find((node) => node !== fleet.leader && node !== old)!;
  const jobId = (await fleet.submit(fleet.leader!, 300))!;
  await fleet.run(1_000);
  old.crash();
  const raw = fleet.net.join(old.nodeId);
  raw.admit(fleet.nodes.map(({ nodeId, name }) => ({ nodeId, name, addresses: [], admittedAtIndex: 0 })));
  await raw.start();
  await fleet.until(
    "they are linked",
    () => raw.links().some((l) => l.nodeId === worker.nodeId && l.state === "up"),
    9_000,
  );
  const item = { item: 0, name: "p", blob: blob(1), bytes: 1 };
  const lease: Lease = {
    term: 1,
    shardId: shard(`${jobId}/1.1`),
    jobId,
    pipeline: "ocr",
    items: [item],
    inputHolders: [],
    copies: 2,
  };
  const answer = await settled(fleet, raw.request(worker.nodeId, "lease", PEER_WIRE.lease.question.encode(lease)));
  const { accepted, reason } = PEER_WIRE.lease.answer.decode(answer);
  expect(accepted).toBe(false);
  expect(reason).toMatch(/^the leader of term 1 was deposed/);
});
