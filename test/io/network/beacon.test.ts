import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Beacon } from "../../../agent/io/network/beacon.ts";
import { createIdentity, nodeIdOf } from "../../../agent/io/network/index.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import type { RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LoggedTelemetry, RealWorld, until } from "../../support/network-world.ts";

/** Not the beacon's own, so that a fleet on this network is left alone. */
const port = 30_000 + Math.floor(Math.random() * 20_000);
let world: RealWorld;
const closers: (() => void)[] = [];
beforeEach(() => {
  world = new RealWorld();
});
afterEach(async () => {
  await world.close();
  for (const close of closers.splice(0)) close();
});

const unplaced = (...members: { self: NodeId }[]): RosterNode[] =>
  members.map(({ self }, i) => ({ nodeId: self, name: `n${i}`, addresses: [], admittedAtIndex: i }));
const allUp = (member: PeerNetwork) => member.links().every(({ state }) => state === "up");

function beacon(key: Uint8Array, self: NodeId, heard: [NodeId, string[]][], telemetry = new LoggedTelemetry()): Beacon {
  const made = new Beacon({
    self,
    key,
    port,
    addresses: () => ["/ip4/127.0.0.1/tcp/7400", "/ip4/10.9.9.9/tcp/7400"],
    isSearching: () => true,
    isCut: () => false,
    isMissing: () => true,
    onHeard: (peer, addresses) => heard.push([peer, addresses]),
    telemetry,
  });
  made.start();
  closers.push(() => made.stop());
  return made;
}

test("members that know no address of each other meet by the beacon, several on one box", async () => {
  const members: PeerNetwork[] = [];
  for (let i = 0; i < 3; i++) members.push((await world.add({ beacon: { port } })).network);
  for (const member of members) member.admit(unplaced(...members));
  await until(() => members.every(allUp));
});

test("one that moved to another port is found again, and what was learned is kept for the next start", async () => {
  const folder = mkdtempSync(join(tmpdir(), "skein-beacon-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const keeping = { beacon: { port }, lastKnownAddressesFile: join(folder, "addresses.json") };
  const stays = await world.add(keeping);
  const moves = await world.add({ beacon: { port } });
  const roster = unplaced(stays.network, moves.network);
  stays.network.admit(roster);
  moves.network.admit(roster);
  await until(() => allUp(stays.network));
  await moves.network.stop();
  const moved = await world.add({ nodeKey: moves.init.nodeKey, beacon: { port } });
  moved.network.admit(roster);
  await until(() => allUp(stays.network) && allUp(moved.network));
  await stays.network.stop();
  const back = await world.add({ ...keeping, nodeKey: stays.init.nodeKey, beacon: "off" });
  back.network.admit(roster);
  await until(() => allUp(back.network));
});

test("only the fleet's own beacons are heard, and a damaged or foreign one costs nothing", async () => {
  const key = randomBytes(32);
  const [here, there, stranger] = await Promise.all([1, 2, 3].map(async () => (await createIdentity()).nodeId));
  const heard: [NodeId, string[]][] = [];
  const telemetry = new LoggedTelemetry();
  beacon(key, here!, heard, telemetry);
  beacon(randomBytes(32), stranger!, []);
  const socket = createSocket("udp4");
  closers.push(() => socket.close());
  for (const bytes of [
    randomBytes(3),
    randomBytes(1_300),
    Buffer.concat([Buffer.from("skb1"), randomBytes(100)]),
    Buffer.alloc(0),
  ])
    socket.send(bytes, port, "127.0.0.1");
  beacon(key, there!, []);
  await until(() => heard.length > 0);
  expect(new Set(heard.map(([peer]) => peer))).toEqual(new Set([there]));
  expect(telemetry.lines.filter(({ level }) => level !== "debug")).toEqual([]);
});

test("of the addresses a beacon names, the one it came from is tried first", async () => {
  const key = randomBytes(32);
  const heard: [NodeId, string[]][] = [];
  const ids = [nodeIdOf((await createIdentity()).key), nodeIdOf((await createIdentity()).key)];
  beacon(key, ids[0]!, heard);
  beacon(key, ids[1]!, []);
  await until(() => heard.some(([, addresses]) => addresses[0] === "/ip4/127.0.0.1/tcp/7400"));
});

test("a port that is taken leaves the agent without a beacon, not without a network", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(port, () => resolve()));
  closers.push(() => socket.close());
  const member = await world.add({ beacon: { port } });
  await until(() => member.telemetry.has("beaconDeaf"));
  expect(member.network.addresses().length).toBe(1);
});
