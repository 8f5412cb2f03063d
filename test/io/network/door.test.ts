import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Libp2p } from "libp2p";
import { afterEach, beforeEach, expect, test } from "vitest";
import { framed } from "../../../agent/io/network/framing.ts";
import { privateKeyOf } from "../../../agent/io/network/identity.ts";
import { createIdentity, knock } from "../../../agent/io/network/index.ts";
import { createDoorNode } from "../../../agent/io/network/node.ts";
import { WIRE } from "../../../agent/io/network/wire.ts";
import type { Knock, Welcome } from "../../../agent/ports/index.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { FleetId, InviteId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type RealMember, RealWorld, until } from "../../support/network-world.ts";

let world: RealWorld;
let member: RealMember;
const guests: Libp2p[] = [];
beforeEach(async () => {
  world = new RealWorld();
  member = await world.add();
});
afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.stop();
  await world.close();
});

const welcome: Welcome = {
  fleetId: "0f".repeat(16) as FleetId,
  fleetName: "attic",
  fleetSecret: "1e".repeat(32),
  roster: [],
};
const refuse = async (): Promise<Welcome> => {
  throw new SkeinError("INVITE_INVALID", { reason: "it was used" });
};
const knockOf = (nodeId: Knock["nodeId"], change: Partial<Knock> = {}): Knock => ({
  inviteId: "inv-1" as InviteId,
  secret: "s",
  nodeId,
  name: "joiner",
  addresses: [],
  ...change,
});

async function ask(addresses: string[], change: Partial<Knock> = {}): Promise<Welcome> {
  const { nodeId, key } = await createIdentity();
  return await knock({ addresses, nodeKey: key, knock: knockOf(nodeId, change) });
}
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => "welcome",
    (error: SkeinError) => error.code,
  );

/** A guest that speaks libp2p but not our rules. */
async function guest(addresses: string[]): Promise<Stream> {
  const node = await createDoorNode(privateKeyOf((await createIdentity()).key), []);
  guests.push(node);
  await node.start();
  return await node.dialProtocol(multiaddr(addresses[0]!), "/skein/join/1");
}

async function answerTo(stream: Stream, bytes: Uint8Array): Promise<string> {
  const parts: Uint8Array[] = [];
  stream.addEventListener("message", ({ data }) => parts.push(data.subarray()));
  stream.send(bytes);
  await until(() => Buffer.concat(parts).byteLength > 4 || stream.status !== "open");
  const answer = Buffer.concat(parts);
  return answer.byteLength > 4 ? (WIRE.welcome.decode(answer.subarray(4)).failure?.code ?? "welcome") : stream.status;
}

test("a knock in another node's name is refused before anyone is asked", async () => {
  let asked = 0;
  const addresses = await member.network.openDoor(async () => {
    asked++;
    return welcome;
  }, 10_000);
  const { nodeId } = await createIdentity();
  expect(await codeOf(ask(addresses, { nodeId }))).toBe("BAD_REQUEST");
  expect(asked).toBe(0);
  expect(await ask(addresses)).toEqual(welcome);
});

test("what the joiner says of itself is checked, and addresses that are none are left out", async () => {
  const knocks: Knock[] = [];
  const addresses = await member.network.openDoor(async (said) => {
    knocks.push(said);
    return welcome;
  }, 10_000);
  for (const bad of [{ name: "" }, { name: "n".repeat(300) }, { secret: "" }, { inviteId: "" as InviteId }])
    expect(await codeOf(ask(addresses, bad))).toBe("BAD_REQUEST");
  await ask(addresses, { addresses: ["/ip4/10.0.0.9/tcp/7400", "nonsense", "/ip4/10.0.0.9/udp/1"] });
  expect(knocks.map((said) => said.addresses)).toEqual([["/ip4/10.0.0.9/tcp/7400"]]);
});

test("a door that belongs to someone else than the invitation says is not knocked at", async () => {
  const addresses = await member.network.openDoor(async () => welcome, 10_000);
  const { nodeId } = await createIdentity();
  const forged = addresses.map((address) => address.replace(member.network.self, nodeId));
  expect(await codeOf(ask(forged))).toBe("PEER_UNREACHABLE");
});

test("an invitation without an address is not valid", async () => {
  expect(await codeOf(ask([]))).toBe("INVITE_INVALID");
  expect(await codeOf(ask(["/ip4/127.0.0.1/tcp/9"]))).toBe("INVITE_INVALID");
});

test("after some wrong knocks from one host the door stops asking for a while", async () => {
  let asked = 0;
  const addresses = await member.network.openDoor(async () => {
    asked++;
    return await refuse();
  }, 10_000);
  for (let i = 0; i < LIMITS.doorWrongKnocksMax + 2; i++) expect(await codeOf(ask(addresses))).toBe("INVITE_INVALID");
  expect(asked).toBe(LIMITS.doorWrongKnocksMax);
});

test.each([
  ["garbage", () => new Uint8Array(500).fill(0xff)],
  ["a frame over the limit", () => framed(new Uint8Array(LIMITS.doorFrameBytesMax + 1)).subarray(0, 4)],
  ["a knock that is not protobuf", () => framed(new Uint8Array(50).fill(0xff))],
])("%s at the door gets FRAME_INVALID, and the next one is let in", async (_, bytes) => {
  const addresses = await member.network.openDoor(async () => welcome, 10_000);
  expect(await answerTo(await guest(addresses), bytes())).toBe("FRAME_INVALID");
  expect(await codeOf(ask(addresses))).toBe("welcome");
});

test("guests that stand in the door do not keep it crowded for the others of the fleet's own network", async () => {
  const addresses = await member.network.openDoor(async () => welcome, 10_000);
  for (let i = 0; i < LIMITS.doorGuestsMax; i++) await guest(addresses);
  expect(await codeOf(ask(addresses))).toBe("PEER_UNREACHABLE");
  await guests[0]!.stop();
  await until(() => guests[0]!.getConnections().length === 0);
  expect(await codeOf(ask(addresses))).toBe("welcome");
});

test("opened again, the door stays where it is, answers anew and stays open longer", async () => {
  const first = await member.network.openDoor(refuse, 200);
  const second = await member.network.openDoor(async () => welcome, 10_000);
  expect(second).toEqual(first);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await codeOf(ask(second))).toBe("welcome");
});

test("nothing but a knock is taken at the door", async () => {
  const addresses = await member.network.openDoor(async () => welcome, 10_000);
  const node = await createDoorNode(privateKeyOf((await createIdentity()).key), []);
  guests.push(node);
  await node.start();
  for (const protocol of ["/skein/consensus/1", "/skein/request/1", "/skein/blob/1", "/meshsub/1.1.0"])
    await expect(node.dialProtocol(multiaddr(addresses[0]!), protocol)).rejects.toThrow();
});

test("a knock says that its box is a witness, and the welcome says which of the others is one", async () => {
  const [a, b] = await Promise.all([createIdentity(), createIdentity()]);
  const line = { addresses: [], admittedAtIndex: 2 };
  const roster: Welcome["roster"] = [
    { nodeId: a.nodeId, name: "attic", ...line },
    { nodeId: b.nodeId, name: "owl", ...line, part: "witness" },
  ];
  const parts: Knock["part"][] = [];
  const addresses = await member.network.openDoor(async ({ part }) => {
    parts.push(part);
    return { ...welcome, roster };
  }, 10_000);
  expect((await ask(addresses)).roster).toEqual(roster);
  await ask(addresses, { part: "witness" });
  expect(parts).toEqual([undefined, "witness"]);
});
