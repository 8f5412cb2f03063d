import { type ChildProcess, fork } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FrameReader, framed, partsOf } from "../../../agent/io/network/framing.ts";
import { topicOf } from "../../../agent/io/network/gossip.ts";
import { createIdentity, nodeIdOf } from "../../../agent/io/network/index.ts";
import { PROTOCOLS } from "../../../agent/io/network/link.ts";
import { WIRE } from "../../../agent/io/network/wire.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { LinkView, RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { ChildPart } from "../../support/network-child.ts";
import { type RealMember, RealWorld, until } from "../../support/network-world.ts";
import { Cable } from "./cable.ts";
import { RawPeer } from "./raw-peer.ts";

type Insides = Record<string, unknown>;
let world: RealWorld;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  world = new RealWorld();
});
afterEach(async () => {
  await world.close();
  for (const close of closers.splice(0)) await close();
});

const line = (nodeId: NodeId, addresses: string[] = []): RosterNode => ({
  nodeId,
  name: "n",
  addresses,
  admittedAtIndex: 1,
});
const linkOf = (member: PeerNetwork, peer: NodeId) => member.links().find(({ nodeId }) => nodeId === peer);
const isUp = (member: PeerNetwork, peer: NodeId) => linkOf(member, peer)?.state === "up";

/** The box with the lower id dials, so which is which must be known. */
async function sortedMembers(): Promise<[low: RealMember, high: RealMember]> {
  const made = [await createIdentity(), await createIdentity()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  return [await world.add({ nodeKey: made[0]!.key }), await world.add({ nodeKey: made[1]!.key })];
}

async function cabled() {
  const [low, high] = await sortedMembers();
  const cable = await Cable.to(high.network.addresses()[0]!);
  closers.push(() => cable.close());
  low.network.admit([line(high.network.self, [cable.address])]);
  high.network.admit([line(low.network.self)]);
  await until(() => isUp(low.network, high.network.self) && isUp(high.network, low.network.self));
  const heard: [state: string, afterMs: number][] = [];
  const startMs = performance.now();
  low.network.onLink(({ state }) => heard.push([state, performance.now() - startMs]));
  return { low: low.network, high: high.network, cable, heard };
}

test("a cable pulled without a word makes the link suspect, then down, and the peer is found another way", async () => {
  const { low, high, cable, heard } = await cabled();
  cable.pull();
  // The other way is the address that the peer said it listens on when they met.
  await until(() => heard.at(-1)?.[0] === "up" && isUp(high, low.self));
  expect(heard.map(([state]) => state)).toEqual(["suspect", "down", "up"]);
  const [suspectMs, downMs] = heard.map(([, afterMs]) => afterMs) as [number, number];
  expect(suspectMs).toBeGreaterThanOrEqual(TIMING.linkSuspectMs - TIMING.linkHeartbeatMs);
  expect(downMs).toBeGreaterThanOrEqual(TIMING.linkDownMs - TIMING.linkHeartbeatMs);
});

test("silence shorter than the limit makes the link suspect and loses nothing", async () => {
  const { low, high, cable, heard } = await cabled();
  high.onRequest("echo", async (_, body) => body);
  cable.pull();
  const asked = low.request(high.self, "echo", Uint8Array.from([3]));
  await until(() => heard.length === 1);
  cable.plug();
  expect([...(await asked)]).toEqual([3]);
  await until(() => heard.length === 2);
  expect(heard.map(([state]) => state)).toEqual(["suspect", "up"]);
});

async function child(member: RealMember): Promise<{ process: ChildProcess; nodeId: NodeId; part: ChildPart }> {
  const { key } = await createIdentity();
  const part: ChildPart = {
    key: Buffer.from(key).toString("hex"),
    fleetSecret: world.fleetSecret,
    fleetId: world.fleetId,
    roster: [line(member.network.self, member.network.addresses())],
  };
  return { process: await spawn(part, member), nodeId: nodeIdOf(key), part };
}

async function spawn(part: ChildPart, member: RealMember): Promise<ChildProcess> {
  const started = fork(new URL("../../support/network-child.ts", import.meta.url), {
    env: { ...process.env, PART: JSON.stringify(part) },
  });
  closers.push(() => started.kill("SIGKILL"));
  const addresses = await new Promise<string[]>((resolve) =>
    started.once("message", (said) => resolve(said as string[])),
  );
  member.network.admit([line(nodeIdOf(Buffer.from(part.key, "hex")), addresses)]);
  return started;
}

test("a process that is killed is noticed at once, and when it starts again under its key it is linked again", async () => {
  const member = await world.add();
  const { process: started, nodeId, part } = await child(member);
  await until(() => isUp(member.network, nodeId));
  let downMs: number | undefined;
  const killedMs = performance.now();
  member.network.onLink(({ state }) => {
    if (state === "down") downMs ??= performance.now() - killedMs;
  });
  started.kill("SIGKILL");
  await until(() => downMs !== undefined, TIMING.linkSuspectMs);
  await spawn(part, member);
  await until(() => isUp(member.network, nodeId));
});

test("a process that stands still is suspect, then down, and comes back by itself when it goes on", async () => {
  const member = await world.add();
  const { process: started, nodeId } = await child(member);
  await until(() => isUp(member.network, nodeId));
  const states: LinkView["state"][] = [];
  member.network.onLink(({ state }) => states.push(state));
  started.kill("SIGSTOP");
  await until(() => states.includes("down"));
  expect(states).toEqual(["suspect", "down"]);
  // Long enough for a few dials into a kernel that answers for a process that does not.
  await until(() => member.telemetry.lines.filter(({ event }) => event === "dialFailed").length >= 2);
  started.kill("SIGCONT");
  await until(() => isUp(member.network, nodeId), 5_000);
  expect([...(await member.network.request(nodeId, "echo", Uint8Array.from([1])))]).toEqual([1]);
  expect(member.telemetry.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("two that dial each other at the same moment end with one connection, and both count it as up", async () => {
  const [low, high] = await sortedMembers();
  const [toHigh, toLow] = [await Cable.to(high.network.addresses()[0]!), await Cable.to(low.network.addresses()[0]!)];
  closers.push(() => toHigh.close());
  closers.push(() => toLow.close());
  for (const cable of [toHigh, toLow]) cable.pull();
  high.network.admit([line(low.network.self, [toLow.address])]);
  await until(() => toLow.connections === 1);
  low.network.admit([line(high.network.self, [toHigh.address])]);
  await until(() => toHigh.connections === 1);
  for (const cable of [toHigh, toLow]) cable.plug();
  await until(() => isUp(low.network, high.network.self) && isUp(high.network, low.network.self));
  await until(() => toHigh.connections + toLow.connections === 1);
  high.network.onRequest("echo", async (_, body) => body);
  low.network.onRequest("echo", async (_, body) => body);
  await low.network.request(high.network.self, "echo", Uint8Array.from([1]));
  await high.network.request(low.network.self, "echo", Uint8Array.from([1]));
  expect(toHigh.connections + toLow.connections).toBe(1);
});

/** A member and a raw peer on its roster, which makes as many connections as the test likes. */
async function withRaw(rawIs: "lower" | "higher") {
  const [low, high] = [await createIdentity(), await createIdentity()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const [rawKey, memberKey] = rawIs === "lower" ? [low!.key, high!.key] : [high!.key, low!.key];
  const member = await world.add({ nodeKey: memberKey });
  const raw = await RawPeer.start(world.fleetSecret, rawKey, topicOf(world.fleetId));
  closers.push(() => raw.stop());
  member.network.admit([line(raw.nodeId)]);
  const states: LinkView["state"][] = [];
  member.network.onLink(({ state }) => states.push(state));
  const older = await raw.dial(member.network);
  await raw.link(older);
  await until(() => states.length === 1);
  return { member, raw, older, states };
}

async function gossipFlows(member: RealMember, raw: RawPeer): Promise<void> {
  let heardHere = 0;
  let heardThere = 0;
  member.network.onGossip(() => heardHere++);
  raw.node.services.pubsub.addEventListener("message", () => heardThere++);
  await until(() => {
    member.network.publish(Uint8Array.from([1]));
    raw.node.services.pubsub.publish(topicOf(world.fleetId), Uint8Array.from([2])).catch(() => {});
    return heardHere > 0 && heardThere > 0;
  });
}

test("the box with the lower id closes the newer of two connections, and the older one goes on", async () => {
  const { member, raw, older, states } = await withRaw("higher");
  const newer = await raw.dial(member.network);
  await raw.link(newer);
  await until(() => newer.status !== "open");
  expect(older.status).toBe("open");
  expect(states).toEqual(["up"]);
  await gossipFlows(member, raw);
});

test("the box with the higher id keeps a second connection until the other has chosen, and goes on with what is left", async () => {
  const { member, raw, older, states } = await withRaw("lower");
  const newer = await raw.dial(member.network);
  await raw.link(newer);
  older.abort(new Error("chosen"));
  await until(() => states.length === 3);
  expect(states).toEqual(["up", "down", "up"]);
  expect(newer.status).toBe("open");
  await gossipFlows(member, raw);
});

test("gossip whose streams were reset flows again", async () => {
  const { member, raw, older } = await withRaw("lower");
  await gossipFlows(member, raw);
  for (const stream of older.streams) if (stream.protocol.startsWith("/meshsub")) stream.abort(new Error("reset"));
  await until(() => member.telemetry.has("gossipStreamReopened", { peer: raw.nodeId }));
  await until(() =>
    older.streams.some((stream) => stream.direction === "inbound" && stream.protocol.startsWith("/meshsub")),
  );
});

test("gossip in the name of one who is not on the roster is not heard, nor what is too long", async () => {
  const { member, raw } = await withRaw("lower");
  await gossipFlows(member, raw);
  const heard: [NodeId, number][] = [];
  // Single bytes are stragglers of the warm-up.
  member.network.onGossip((from, message) => {
    if (message.byteLength > 1) heard.push([from, message.byteLength]);
  });
  const topic = topicOf(world.fleetId);
  await raw.node.services.pubsub.publish(topic, new Uint8Array(LIMITS.gossipBytesMax + 1));
  await raw.node.services.pubsub.publish(topic, new Uint8Array(LIMITS.gossipBytesMax));
  await until(() => heard.length > 0);
  expect(heard).toEqual([[raw.nodeId, LIMITS.gossipBytesMax]]);
  member.network.admit([]);
  await raw.node.services.pubsub.publish(topic, Uint8Array.from([1, 2])).catch(() => {});
  expect(heard.length).toBe(1);
});

test("a listener that finds a gossip message bad costs a log line and nothing else", async () => {
  const { member, raw } = await withRaw("lower");
  member.network.onGossip(() => {
    throw new SkeinError("FRAME_INVALID", { peer: "a peer", reason: "no report" });
  });
  await until(() => {
    raw.node.services.pubsub.publish(topicOf(world.fleetId), Uint8Array.from([2])).catch(() => {});
    return member.telemetry.has("gossipRefused", { peer: raw.nodeId, code: "FRAME_INVALID" });
  });
  expect(isUp(member.network, raw.nodeId)).toBe(true);
});

test("an idle link lives on heartbeats alone, and answering them at once does not make more of them", async () => {
  const { member, raw, older } = await withRaw("lower");
  const request = older.streams.find(({ protocol }) => protocol === PROTOCOLS.request)!;
  let frames = 0;
  const reader = new FrameReader(1_024);
  request.addEventListener("message", ({ data }) => {
    for (const part of partsOf(data))
      reader.push(part, (body) => {
        const { heartbeat } = WIRE.frame.decode(body);
        if (!heartbeat) return undefined;
        frames++;
        const answer = { sequence: frames, echo: heartbeat.sequence, heldMicros: 0 };
        request.send(framed(WIRE.frame.encode({ heartbeat: answer })));
        return undefined;
      });
  });
  const startMs = performance.now();
  await until(() => frames >= 8 && linkOf(member.network, raw.nodeId)?.rttMs !== undefined);
  const heartbeats = (performance.now() - startMs) / TIMING.linkHeartbeatMs;
  expect(heartbeats).toBeGreaterThan(3.5);
  expect(heartbeats).toBeLessThan(30);
  expect(isUp(member.network, raw.nodeId)).toBe(true);
});

test("libp2p still has the insides that this room reaches for", async () => {
  const { older } = await withRaw("lower");
  const stream = older.streams.find(({ protocol }) => protocol === PROTOCOLS.consensus) as unknown as Insides;
  expect(typeof stream.sendWindowUpdate).toBe("function");
  expect(typeof stream.recvWindow).toBe("number");
  expect(typeof stream.recvWindowCapacity).toBe("number");
  const { maConn, muxer } = older as unknown as { maConn: Insides; muxer: { maConn: { decoder: Insides } } };
  expect(typeof (maConn.socket as Insides).cork).toBe("function");
  // Its own property: the one that writes together, in place of the class's.
  expect(Object.hasOwn(maConn, "sendData")).toBe(true);
  // Half of a length is no error.
  const { lengthDecoder } = muxer.maConn.decoder as { lengthDecoder: (data: Uint8Array) => number };
  expect(lengthDecoder(Uint8Array.of(1))).toBe(0xffff);
  expect(lengthDecoder(Uint8Array.of(1, 2, 3))).toBe(0x102);
});
