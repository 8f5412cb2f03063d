import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { Connection, Stream } from "@libp2p/interface";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLOB_PROTOCOL } from "../../../agent/io/network/bulk.ts";
import { framed } from "../../../agent/io/network/framing.ts";
import { createIdentity } from "../../../agent/io/network/index.ts";
import { WIRE } from "../../../agent/io/network/wire.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { meet } from "../../contracts/network.ts";
import { type RealMember, RealWorld, until } from "../../support/network-world.ts";
import { RawPeer } from "./raw-peer.ts";

let world: RealWorld;
let raw: RawPeer | undefined;
beforeEach(() => {
  world = new RealWorld();
});
afterEach(async () => {
  await raw?.stop();
  raw = undefined;
  await world.close();
});

const onRoster = (...ids: NodeId[]): RosterNode[] =>
  ids.map((nodeId, i) => ({ nodeId, name: `n${i}`, addresses: [], admittedAtIndex: i }));
const isUp = (member: PeerNetwork, peer: NodeId) =>
  member.links().some(({ nodeId, state }) => nodeId === peer && state === "up");
const isGone = (what: Connection | Stream) => what.status !== "open";

/** A member, an honest second one it is linked to, and a raw peer on its roster with an open link. */
async function attacked() {
  const member = await world.add();
  const honest = await world.add();
  raw = await RawPeer.start(world.fleetSecret);
  await meet(world, [member.network, honest.network]);
  member.network.admit([...onRoster(raw.nodeId), ...onRoster(honest.network.self)]);
  const connection = await raw.dial(member.network);
  const lanes = await raw.link(connection);
  await until(() => isUp(member.network, raw!.nodeId));
  return { member, honest, raw, connection, lanes };
}

async function staysWell(member: RealMember, honest: RealMember): Promise<void> {
  member.network.onRequest("echo", async (_, body) => body);
  const answer = await honest.network.request(member.network.self, "echo", Uint8Array.from([5]));
  expect([...answer]).toEqual([5]);
}

const GARBAGE: [what: string, lane: "consensus" | "request", bytes: () => Uint8Array][] = [
  ["random bytes on the request lane", "request", () => randomBytes(4_096)],
  [
    "random bytes on the consensus lane",
    "consensus",
    () => Buffer.concat([Uint8Array.from([0xff]), randomBytes(4_096)]),
  ],
  ["a length of four gigabytes", "consensus", () => Uint8Array.from([0xff, 0xff, 0xff, 0xff])],
  ["a length just over the limit", "request", () => framed(new Uint8Array(LIMITS.frameBytesMax + 1)).subarray(0, 4)],
  ["a frame of no bytes", "request", () => new Uint8Array(4)],
  ["a frame that is not protobuf", "request", () => framed(randomBytes(100).fill(0xff, 0, 8))],
  ["a frame of another version", "request", () => framed(Uint8Array.from([8, 99]))],
  ["a frame of no kind", "request", () => framed(Uint8Array.from([8, 1]))],
  ["a second hello", "request", () => framed(WIRE.frame.encode({ hello: { name: "again", addresses: [] } }))],
  [
    "a request with a method that is no name",
    "request",
    () => framed(WIRE.frame.encode({ request: { id: 1, method: "../x", body: new Uint8Array(0) } })),
  ],
  [
    "a request without an id",
    "request",
    () => framed(WIRE.frame.encode({ request: { id: 0, method: "echo", body: new Uint8Array(0) } })),
  ],
];

test.each(GARBAGE)("%s breaks the link off by name and harms nobody else", async (_, lane, bytes) => {
  const { member, honest, raw, connection, lanes } = await attacked();
  lanes[lane].send(bytes());
  await until(() => isGone(connection));
  await until(() => member.telemetry.has("linkBrokenOff", { code: "FRAME_INVALID", peer: raw.nodeId }));
  expect(isUp(member.network, raw.nodeId)).toBe(false);
  await staysWell(member, honest);
});

test("a message that the listener finds bad breaks the link off, too", async () => {
  const { member, honest, raw, connection, lanes } = await attacked();
  member.network.onConsensus(() => {
    throw new SkeinError("FRAME_INVALID", { peer: "a peer", reason: "it makes no sense" });
  });
  lanes.consensus.send(framed(Uint8Array.from([1])));
  await until(() => isGone(connection));
  expect(member.telemetry.has("linkBrokenOff", { code: "FRAME_INVALID", peer: raw.nodeId })).toBe(true);
  await staysWell(member, honest);
});

test("answers and failures to requests that were never made are passed over", async () => {
  const { member, honest, raw, lanes } = await attacked();
  lanes.request.send(framed(WIRE.frame.encode({ answer: { id: 77, body: randomBytes(10) } })));
  lanes.request.send(framed(WIRE.frame.encode({ failure: { id: 78, code: "toString", factsJson: "{" } })));
  lanes.request.send(framed(WIRE.frame.encode({ heartbeat: { sequence: 1, echo: 999_999, heldMicros: 0xffffffff } })));
  await staysWell(member, honest);
  expect(isUp(member.network, raw.nodeId)).toBe(true);
});

test("a second lane of one name is refused with the whole connection", async () => {
  const { member, raw, connection } = await attacked();
  await raw.link(connection).catch(() => {});
  await until(() => isGone(connection));
  expect(member.telemetry.has("linkBrokenOff", { code: "FRAME_INVALID", peer: raw.nodeId })).toBe(true);
});

test("a peer that connects and then says nothing is hung up on", async () => {
  const member = await world.add();
  raw = await RawPeer.start(world.fleetSecret);
  member.network.admit(onRoster(raw.nodeId));
  const connection = await raw.dial(member.network);
  await until(() => isGone(connection));
  expect(isUp(member.network, raw.nodeId)).toBe(false);
});

test("requests without end are refused, not queued without bound", async () => {
  const { member, honest, lanes } = await attacked();
  let running = 0;
  member.network.onRequest("forever", () => {
    running++;
    return new Promise(() => {});
  });
  const body = new Uint8Array(100_000);
  for (let id = 1; id <= 1_000; id++)
    lanes.request.send(framed(WIRE.frame.encode({ request: { id, method: "forever", body } })));
  await until(() => running * body.byteLength + body.byteLength > LIMITS.requestBytesPerPeerMax);
  await staysWell(member, honest);
  expect(running * body.byteLength).toBeLessThanOrEqual(LIMITS.requestBytesPerPeerMax);
});

test.each([
  ["random bytes", () => randomBytes(2_000)],
  ["a hash that is too short", () => framed(WIRE.blobQuestion.encode({ hash: randomBytes(5), offset: 0 }))],
  [
    "a part of no length that can be",
    () => framed(WIRE.blobQuestion.encode({ hash: randomBytes(32), offset: 0, length: -5 })),
  ],
  ["an offset before the start", () => framed(WIRE.blobQuestion.encode({ hash: randomBytes(32), offset: -1 }))],
  [
    "an offset that is no number",
    () => framed(WIRE.blobQuestion.encode({ hash: randomBytes(32), offset: Number.NaN })),
  ],
])("%s where a blob is asked for ends that stream alone", async (_, bytes) => {
  const { member, honest, raw, connection } = await attacked();
  const stream = await connection.newStream(BLOB_PROTOCOL);
  stream.send(bytes());
  await until(() => isGone(stream));
  expect(member.telemetry.has("blobNotServed", { code: "FRAME_INVALID", peer: raw.nodeId })).toBe(true);
  expect(isGone(connection)).toBe(false);
  await staysWell(member, honest);
});

test("a stranger with another secret fails at once, and both sides are told which address it was", async () => {
  const member = await world.add();
  const stranger = await world.add({ fleetSecret: randomBytes(32).toString("hex") });
  const honest = await world.add();
  await meet(world, [member.network, honest.network]);
  const dialled = onRoster(member.network.self).map((node) => ({ ...node, addresses: member.network.addresses() }));
  stranger.network.admit(dialled);
  await until(() => stranger.telemetry.has("strangerRefused", { code: "WRONG_FLEET" }));
  await until(() => member.telemetry.has("strangerRefused", { code: "WRONG_FLEET" }));
  const line = member.telemetry.lines.find(({ event }) => event === "strangerRefused");
  expect(line?.facts.peer).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
  expect(line?.facts.message).toContain("another fleet's secret");
  expect(stranger.network.links()[0]?.state).toBe("down");
  await staysWell(member, honest);
  // It goes on trying; the log does not go on telling.
  await until(() => stranger.telemetry.lines.filter(({ event }) => event === "dialFailed").length > 3);
  expect(member.telemetry.lines.filter(({ event }) => event === "strangerRefused").length).toBe(1);
});

test("one with the right secret that is not on the roster is refused by name", async () => {
  const member = await world.add();
  raw = await RawPeer.start(world.fleetSecret);
  const connection = await raw.dial(member.network).catch(() => undefined);
  await until(() => !connection || isGone(connection));
  await until(() => member.telemetry.has("strangerRefused", { code: "NOT_ON_ROSTER", peer: raw!.nodeId }));
  expect(member.network.links()).toEqual([]);
});

test("a peer taken off the roster can open nothing on the connection it had", async () => {
  const { member, raw, connection } = await attacked();
  member.network.admit([]);
  await until(() => isGone(connection));
  const again = await raw.dial(member.network).catch(() => undefined);
  await until(() => !again || isGone(again));
  expect(member.telemetry.has("strangerRefused", { code: "NOT_ON_ROSTER", peer: raw.nodeId })).toBe(true);
});

test("a port scanner and a browser on the fleet's port are shrugged off", async () => {
  const member = await world.add();
  const port = Number(member.network.addresses()[0]!.split("/tcp/")[1]);
  for (const words of ["", "GET / HTTP/1.1\r\n\r\n", randomBytes(500)])
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.end(words));
      socket.on("error", () => resolve()).on("close", () => resolve());
    });
  expect(member.telemetry.lines.filter(({ level }) => level === "warn")).toEqual([]);
  const honest = await world.add();
  await meet(world, [member.network, honest.network]);
});

test("a fleet address that answers with another identity is not taken for the peer", async () => {
  const [member, impostor] = [await world.add(), await world.add()];
  const { nodeId } = await createIdentity();
  member.network.admit(onRoster(nodeId).map((node) => ({ ...node, addresses: impostor.network.addresses() })));
  await until(() => member.telemetry.has("dialFailed", { peer: nodeId }));
  expect(isUp(member.network, nodeId)).toBe(false);
});
