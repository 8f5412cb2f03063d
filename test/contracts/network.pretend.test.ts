import { expect, test } from "vitest";
import type { PeerNetwork, Randomness } from "../../agent/ports/index.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { PretendNet, SILENT_BREAK_NOTICED_MS } from "../support/pretend-network.ts";
import { seededRandomness, VirtualClock } from "../support/virtual-clock.ts";
import { INVITE, meet, type NetworkWorld, networkContract } from "./network.ts";

/** A step of the clock that leads nowhere ends the wait instead of the test run. */
const STEPS_MAX = 1_000_000;

class PretendWorld implements NetworkWorld {
  readonly clock = new VirtualClock();
  readonly random: Randomness;
  readonly net: PretendNet;

  constructor(seed = 1) {
    this.random = seededRandomness(seed);
    this.net = new PretendNet(this.clock, this.random);
  }

  async member(): Promise<PeerNetwork> {
    const peer = this.net.join(this.#newId());
    await peer.start();
    return peer;
  }

  async kill(member: PeerNetwork): Promise<void> {
    this.net.kill(member.self);
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const watch = () => {
      settled = true;
    };
    promise.then(watch, watch);
    for (let i = 0; i < STEPS_MAX; i++) {
      await this.clock.settle();
      if (settled) return await promise;
      if (!(await this.clock.runNext())) break;
    }
    throw new Error("the promise waits for something that no timer brings");
  }

  async until(condition: () => boolean, withinMs = 10_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + withinMs;
    while (!condition()) {
      if (this.clock.monotonicMs() > endMs) throw new Error(`did not come true within ${withinMs} ms: ${condition}`);
      await this.clock.runNext();
    }
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.monotonicMs() + ms);
  }

  async knock(addresses: string[], name: string, secret: string) {
    const knock = { inviteId: INVITE, secret, nodeId: this.#newId(), name, addresses: ["/ip4/10.0.0.9/tcp/7400"] };
    return await this.net.knock({ addresses, knock });
  }

  async close(): Promise<void> {}

  #newId(): NodeId {
    return `12D3KooW${this.random.token(44).replaceAll("0", "2")}` as NodeId;
  }
}

networkContract(async () => new PretendWorld());

async function fleet(size: number, seed = 1) {
  const world = new PretendWorld(seed);
  const members: PeerNetwork[] = [];
  for (let i = 0; i < size; i++) members.push(await world.member());
  await meet(world, members);
  return { world, net: world.net, members, ids: members.map(({ self }) => self) };
}

const stateOf = (member: PeerNetwork, peer: NodeId) => member.links().find(({ nodeId }) => nodeId === peer)?.state;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("a cut that nobody is told of makes the link suspect, then down, and a mended one comes back within two seconds", async () => {
  const { world, net, members, ids } = await fleet(2);
  const heard: [string, number][] = [];
  const startMs = world.clock.monotonicMs();
  members[0]!.onLink(({ state }) => heard.push([state, world.clock.monotonicMs() - startMs]));
  net.cut(ids[0]!, ids[1]!);
  await world.pass(SILENT_BREAK_NOTICED_MS);
  expect(heard.map(([state]) => state)).toEqual(["suspect", "down"]);
  expect(heard[0]![1]).toBeGreaterThanOrEqual(TIMING.linkSuspectMs - TIMING.linkHeartbeatMs);
  expect(heard[1]![1]).toBeGreaterThanOrEqual(TIMING.linkDownMs - TIMING.linkHeartbeatMs);
  await world.pass(60_000);
  net.mend(ids[0]!, ids[1]!);
  await world.until(() => members.every((member) => member.links()[0]?.state === "up"), 2_000);
});

test("a cut shorter than the silence allowed loses nothing: what was held arrives in order", async () => {
  const { world, net, members, ids } = await fleet(2);
  const heard: number[] = [];
  members[1]!.onConsensus((_, message) => heard.push(message[0]!));
  net.cut(ids[0]!, ids[1]!);
  for (let i = 0; i < 5; i++) expect(members[0]!.sendConsensus(ids[1]!, bytes(i))).toBe(true);
  await world.pass(TIMING.linkSuspectMs);
  expect(heard).toEqual([]);
  net.mend(ids[0]!, ids[1]!);
  await world.pass(100);
  expect(heard).toEqual([0, 1, 2, 3, 4]);
});

test("a cut wire holds no more than a lane's queue", async () => {
  const { world, net, members, ids } = await fleet(2);
  net.cut(ids[0]!, ids[1]!);
  let sent = 0;
  for (let i = 0; i < 40; i++) {
    if (members[0]!.sendConsensus(ids[1]!, new Uint8Array(LIMITS.frameBytesMax))) sent++;
    await world.pass(10);
  }
  expect(sent).toBe(LIMITS.laneQueueBytesMax / LIMITS.frameBytesMax);
});

test("a wire cut one way silences that way only, until the deaf side hangs up", async () => {
  const { world, net, members, ids } = await fleet(2);
  const heard: number[] = [];
  members[0]!.onConsensus((_, message) => heard.push(message[0]!));
  net.cutOneWay(ids[0]!, ids[1]!);
  members[1]!.sendConsensus(ids[0]!, bytes(9));
  await world.pass(TIMING.linkSuspectMs + 2 * TIMING.linkHeartbeatMs);
  expect(heard).toEqual([9]);
  expect(stateOf(members[1]!, ids[0]!)).toBe("suspect");
  expect(stateOf(members[0]!, ids[1]!)).toBe("up");
  await world.pass(SILENT_BREAK_NOTICED_MS);
  expect(stateOf(members[0]!, ids[1]!)).toBe("down");
});

test("a partition separates the groups and leaves each whole", async () => {
  const { world, net, members, ids } = await fleet(5);
  net.partition(ids.slice(0, 2), ids.slice(2));
  await world.pass(SILENT_BREAK_NOTICED_MS);
  for (const member of members)
    for (const { nodeId, state } of member.links()) {
      const isTogether = ids.indexOf(member.self) < 2 === ids.indexOf(nodeId) < 2;
      expect(state).toBe(isTogether ? "up" : "down");
    }
  net.heal();
  await world.until(() => members.every((member) => member.links().every(({ state }) => state === "up")), 3_000);
});

test("gossip finds its way round a cut wire", async () => {
  const { world, net, members, ids } = await fleet(3);
  net.cut(ids[0]!, ids[2]!);
  const heard: NodeId[] = [];
  members[2]!.onGossip((from) => heard.push(from));
  members[0]!.publish(bytes(1));
  await world.pass(100);
  expect(heard).toEqual([ids[0]]);
});

test("a box whose power is lost is missed by silence, and comes back under its id", async () => {
  const { world, net, members, ids } = await fleet(2);
  net.unplug(ids[1]!);
  await world.pass(TIMING.linkSuspectMs / 2);
  expect(stateOf(members[0]!, ids[1]!)).toBe("up");
  const again = net.join(ids[1]!);
  await again.start();
  await meet(world, [members[0]!, again]);
});

test("loss takes its share of consensus messages and none of the requests", async () => {
  const { world, net, members, ids } = await fleet(2);
  net.setLoss(0.3);
  let heard = 0;
  members[1]!.onConsensus(() => heard++);
  members[1]!.onRequest("echo", async (_, body) => body);
  for (let i = 0; i < 1_000; i++) members[0]!.sendConsensus(ids[1]!, bytes(i & 255));
  await world.pass(100);
  expect(heard).toBeGreaterThan(600);
  expect(heard).toBeLessThan(800);
  await world.settle(Promise.all(Array.from({ length: 50 }, () => members[0]!.request(ids[1]!, "echo", bytes(1)))));
});

test("one seed is one story", async () => {
  const story = async (seed: number): Promise<string> => {
    const { world, net, members, ids } = await fleet(4, seed);
    const lines: string[] = [];
    const note = (what: string) => lines.push(`${world.clock.monotonicMs()} ${what}`);
    members.forEach((member, i) => {
      member.onLink(({ nodeId, state }) => note(`${i} ${nodeId} ${state}`));
      member.onConsensus((from, message) => note(`${i} ${from} ${message}`));
      member.onGossip((from) => note(`${i} gossip of ${from}`));
    });
    net.setLoss(0.1);
    net.setDelay(1, 80);
    for (let i = 0; i < 200; i++) {
      const [from, to] = [i % 4, (i * 7 + 1) % 4];
      members[from]!.sendConsensus(ids[to]!, bytes(i & 255));
      if (i % 20 === 0) members[from]!.publish(bytes(i & 255));
      if (i === 50) net.partition(ids.slice(0, 2), ids.slice(2));
      if (i === 150) net.heal();
      await world.pass(40);
    }
    return lines.join("\n");
  };
  const first = await story(7);
  expect(first.split("\n").length).toBeGreaterThan(100);
  expect(await story(7)).toBe(first);
  expect(await story(8)).not.toBe(first);
});
