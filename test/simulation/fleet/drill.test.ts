import { afterEach, expect, test } from "vitest";
import { FaultMaker } from "../../../agent/runtime/drill/fault-maker.ts";
import { Events } from "../../../agent/runtime/events.ts";
import { Peers } from "../../../agent/runtime/peers.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { DrillFault, DrillRecord, DrillRequest, FaultDeed, RunningDrill } from "../../../shared/drill.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import { pretendFaults } from "../../support/pretend-faults.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import { PretendNotes } from "../../support/pretend-notes.ts";
import type { PretendPeer } from "../../support/pretend-peer.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

/** Longer than silence is borne. */
const HOLD_MS = TIMING.linkDownMs + 500;

let fleet: SimFleet;
afterEach(() => fleet.checks.afterStep());

async function raise(seed: number, size: number, options: SimFleetOptions = {}): Promise<void> {
  fleet = new SimFleet(seed, size, options);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 10_000);
  await fleet.run(5_000);
}

/** What it came to, while the fleet's time goes on. */
async function settled<T>(promise: Promise<T>, withinMs = 20_000): Promise<T> {
  let told: (() => T) | undefined;
  promise.then(
    (value) => {
      told = () => value;
    },
    (error: unknown) => {
      told = () => {
        throw error;
      };
    },
  );
  await fleet.until("an answer", () => told !== undefined, withinMs);
  return told!();
}
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  settled(promise).then(
    () => "none",
    (error: unknown) => SkeinError.from(error).message,
  );

async function drill(at: SimNode, ...faults: DrillFault[]): Promise<DrillRecord> {
  const { drillId } = await settled(at.agent!.startDrill({ faults, holdMs: HOLD_MS }));
  const kept = (): DrillRecord | undefined => {
    const json = at.agent?.ledger.drills.kept.find((one) => one.drillId === drillId)?.recordJson;
    return json === undefined ? undefined : (JSON.parse(json) as DrillRecord);
  };
  await fleet.until("the drill ends", () => kept() !== undefined, 300_000 * faults.length);
  return kept()!;
}

const follower = (): SimNode => fleet.nodes.find((node) => node !== fleet.leader)!;

test("a process, a network and a disk in turn: noticed, borne, healed, nothing lost and nothing twice", async () => {
  await raise(11, 3);
  const at = follower();
  const record = await drill(at, "killLeader", "partition", "fillDisk");
  const view = await settled(at.agent!.drill(record.drillId));
  expect(view.record).toEqual(record);
  expect(view.lines.at(-1)!.text).toMatch(/held$/);
  for (const outcome of record.outcomes) {
    expect(outcome, JSON.stringify(record, null, 1)).toMatchObject({
      verdict: "held",
      lost: 0,
      recordedTwice: 0,
      wrong: 0,
    });
    expect(outcome.items).toBeGreaterThan(50);
    expect(outcome.healedAfterMs).toBeGreaterThanOrEqual(HOLD_MS - 50);
    expect(outcome.victim).not.toBe(at.name);
  }
  const [kill, cut, full] = record.outcomes;
  expect(kill).toMatchObject({ victimLed: true });
  expect(kill!.detectedAfterMs).toBeLessThan(100);
  expect(kill!.leaderAfterMs).toBeLessThan(2_000);
  // A box that had no work in hand is not suspected of anything; that its link is down is noticed at the latest.
  expect(cut!.detectedAfterMs).toBeLessThan(TIMING.linkDownMs);
  // Copies that were on their way to the box are made elsewhere as soon as it is suspected: nobody waits for its link to go down.
  expect(cut!.longestPauseMs).toBeLessThan(TIMING.linkSuspectMs + 3 * TIMING.linkHeartbeatMs);
  expect(full!.detectedAfterMs).toBeLessThan(HOLD_MS + TIMING.capacityReportMs);
  // Nobody needs the canaries any more.
  for (const node of fleet.nodes) expect([...node.agent!.ledger.jobs.keys()]).toEqual([]);
});

test("a box that leads and is asked for a drill hands the leadership on instead of harming itself", async () => {
  await raise(12, 3);
  const at = fleet.leader!;
  const { plan } = await settled(at.agent!.startDrill({ faults: ["killLeader"], onlyPlan: true }));
  expect(plan.faults[0]).toMatchObject({ fault: "killLeader", leaderFirst: plan.faults[0]!.victim });
  const record = await drill(at, "killLeader");
  expect(record.outcomes[0]).toMatchObject({ verdict: "held", victimLed: true, lost: 0 });
  expect(record.outcomes[0]!.victim).not.toBe(at.name);
});

test("any box may be asked for a drill and how it goes, one without a log too", async () => {
  await raise(13, 4, { voters: 3, settings: { votersMax: "3" } });
  const worker = fleet.nodes[3]!;
  const { drillId } = await settled(worker.agent!.startDrill({ faults: ["slowLink"], holdMs: HOLD_MS }));
  for (const node of fleet.nodes) {
    const view = await settled(node.agent!.drill(drillId!));
    expect(view.drillId).toBe(drillId);
    expect((await settled(node.agent!.drills())).running?.drillId).toBe(drillId);
  }
  const isOver = (): boolean => fleet.nodes[0]!.agent!.ledger.drills.running === undefined;
  await fleet.until("the drill ends", isOver, 300_000);
  const { record } = await settled(worker.agent!.drill(drillId!));
  expect(record?.outcomes[0]).toMatchObject({ fault: "slowLink", verdict: "held" });
});

test("a cable that a person pulls is found by itself, measured from the box's last word, and waited for", async () => {
  await raise(19, 3);
  const at = follower();
  const pulled = fleet.leader!;
  const { drillId } = await settled(at.agent!.startDrill({ faults: ["unplug"] }));
  await fleet.run(4_000);
  for (const other of fleet.nodes) if (other !== pulled) fleet.net.cut(pulled.nodeId, other.nodeId);
  await fleet.run(6_000);
  fleet.net.heal();
  await fleet.until("the drill ends", () => at.agent!.ledger.drills.running === undefined, 200_000);
  const { record } = await settled(at.agent!.drill(drillId!));
  const [outcome] = record!.outcomes;
  expect(outcome).toMatchObject({ fault: "unplug", victim: pulled.name, victimLed: true, verdict: "held", lost: 0 });
  expect(outcome!.detectedAfterMs).toBeGreaterThan(TIMING.linkSuspectMs - 1);
  expect(outcome!.detectedAfterMs).toBeLessThan(TIMING.linkSuspectMs + 2 * TIMING.linkHeartbeatMs);
  expect(outcome!.healedAfterMs).toBeGreaterThan(5_500);
});

test("of two drills at once one is refused, from whichever box it is asked", async () => {
  await raise(14, 3);
  const request: DrillRequest = { faults: ["freeze"] };
  await settled(fleet.nodes[0]!.agent!.startDrill(request));
  for (const node of fleet.nodes.slice(0, 2))
    expect(await codeOf(node.agent!.startDrill(request))).toMatch(/does not begin: drill .* is running/);
});

test("nothing is harmed that would cost the quorum, or while a voter is missing", async () => {
  await raise(15, 2);
  expect(await codeOf(fleet.nodes[0]!.agent!.startDrill({ faults: ["killWorker"] }))).toMatch(/1 of 2 voters/);
  await raise(16, 3);
  const [away, ...rest] = fleet.nodes.filter((node) => node !== fleet.leader);
  away!.crash();
  await fleet.run(5_000);
  expect(await codeOf(rest[0]!.agent!.startDrill({ faults: ["killLeader"] }))).toMatch(
    `${away!.name} cannot be reached`,
  );
});

test("a box makes no fault for a drill that the fleet has not agreed on, nor by the word of another than who began it", async () => {
  const clock = new VirtualClock();
  const net = new PretendNet(clock, seededRandomness(1));
  const [victim, began, other] = ["a", "b", "c"].map((name) => net.join(`12D3KooW${name.repeat(44)}` as NodeId));
  const members = [victim!, began!, other!];
  const roster = members.map(({ self }) => ({
    nodeId: self,
    name: self,
    addresses: [net.addressOf(self)],
    admittedAtIndex: 0,
  }));
  for (const member of members) {
    member.admit(roster);
    await member.start();
  }
  const telemetry = { log: () => {} };
  const notes = new PretendNotes().open();
  const faults = pretendFaults({ clock, kill() {}, start() {}, freeze() {}, thaw() {}, fillDisk() {} });
  const running: RunningDrill = {
    drillId: "drill-1",
    startedBy: began!.self,
    startedAtMs: 0,
    untilMs: clock.nowMs() + 60_000,
  };
  const world = { clock, network: victim!, notes, faults, telemetry } as unknown as Surroundings;
  const events = new Events(clock, telemetry);
  new FaultMaker(world, { peers: new Peers(victim!), events, running: async () => running });
  await clock.runUntil(clock.monotonicMs() + 2_000);
  const ask = async (from: PretendPeer, drillId: string, deed: FaultDeed): Promise<string> => {
    let told = "";
    new Peers(from).ask(victim!.self, "fault", { drillId, deed, inMs: 10, forMs: 1_000 }).then(
      ({ how }) => {
        told = how;
      },
      (error: unknown) => {
        told = SkeinError.from(error).message;
      },
    );
    await clock.runUntil(clock.monotonicMs() + 3_000);
    return told;
  };
  const refusal = /agreed on no such drill by the box that asks/;
  expect(await ask(other!, "drill-1", "partition")).toMatch(refusal);
  expect(await ask(began!, "drill-2", "partition")).toMatch(refusal);
  expect((await notes.list("")).size).toBe(0);
  expect(await ask(began!, "drill-1", "partition")).toMatch(/its own network is cut/);
  // It has ended by itself, and left no note.
  expect(members.slice(1).every((peer) => peer.links().every(({ state }) => state === "up"))).toBe(true);
  expect((await notes.list("")).size).toBe(0);
  running.untilMs = clock.nowMs() - 120_000;
  expect(await ask(began!, "drill-1", "partition")).toMatch(refusal);
});

test("a box that is restarted while it coordinates says so, and another drill may begin", async () => {
  await raise(18, 3);
  const at = follower();
  await settled(at.agent!.startDrill({ faults: ["freeze"] }));
  at.crash();
  await fleet.run(1_000);
  await at.start();
  const ended = (): string | undefined => at.agent?.ledger.drills.kept[0]?.recordJson;
  await fleet.until("it says that the drill is over", () => ended() !== undefined, 60_000);
  expect(JSON.parse(ended()!)).toMatchObject({ outcomes: [], aborted: "the box that coordinated it was restarted" });
  await fleet.run(20_000);
  expect((await drill(at, "freeze")).outcomes[0]).toMatchObject({ verdict: "held" });
});
