import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { Libp2p } from "libp2p";
import { SkeinError } from "../../../shared/errors.ts";
import { type FleetId, type InviteId, isNodeId, type NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { Knock, Telemetry, Welcome } from "../../ports/index.ts";
import { dialables } from "./address-book.ts";
import { errorFrom, framed, sever } from "./framing.ts";
import { privateKeyOf } from "./identity.ts";
import { createDoorNode, listenAddresses } from "./node.ts";
import { RateLimit } from "./rate-limit.ts";
import { StreamReader, sendSteadily } from "./stream-io.ts";
import { errorOf, failureOf, type KnockFrame, type WelcomeFrame, WIRE } from "./wire.ts";

const JOIN_PROTOCOL = "/skein/join/1";
/** For a joiner to say its piece, and to take home its answer. */
const GUEST_STALL_MS = 5_000;

export interface DoorInit {
  nodeKey: Uint8Array;
  listenHosts: readonly string[];
  telemetry: Telemetry;
}

/** A listener of its own without the fleet's secret, which takes one knock on each connection and nothing else. */
export class Door {
  readonly #init: DoorInit;
  readonly #wrongKnocks = new RateLimit(LIMITS.doorWrongKnocksMax, 60_000);
  #node: Promise<Libp2p> | undefined;
  #answer: ((knock: Knock) => Promise<Welcome>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #guests = 0;

  constructor(init: DoorInit) {
    this.#init = init;
  }

  async open(answer: (knock: Knock) => Promise<Welcome>, openForMs: number): Promise<string[]> {
    this.#answer = answer;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.close(), openForMs);
    this.#node ??= this.#start();
    try {
      return (await this.#node).getMultiaddrs().map(String);
    } catch (error) {
      this.#node = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const node = this.#node;
    this.#node = undefined;
    this.#answer = undefined;
    if (!node) return;
    await (await node).stop();
    this.#init.telemetry.log("info", "doorClosed");
  }

  async #start(): Promise<Libp2p> {
    const node = await createDoorNode(privateKeyOf(this.#init.nodeKey), listenAddresses(this.#init.listenHosts, 0));
    await node.handle(JOIN_PROTOCOL, (stream, connection) => this.#receive(stream, connection), {
      maxInboundStreams: 1,
    });
    node.addEventListener("connection:open", ({ detail }) => this.#admitGuest(detail));
    await node.start();
    this.#init.telemetry.log("info", "doorOpened", { addresses: node.getMultiaddrs().map(String) });
    return node;
  }

  /** Whoever comes in has a few seconds and one of a few places. */
  #admitGuest(connection: Connection): void {
    if (this.#guests >= LIMITS.doorGuestsMax) {
      sever(connection, "the door is crowded");
      return;
    }
    this.#guests++;
    const timer = setTimeout(
      () => sever(connection, "stood in the door too long"),
      TIMING.knockDeadlineMs + GUEST_STALL_MS,
    );
    connection.addEventListener("close", () => {
      clearTimeout(timer);
      this.#guests--;
    });
  }

  async #receive(stream: Stream, connection: Connection): Promise<void> {
    const address = connection.remoteAddr.toString();
    const host = connection.remoteAddr.getComponents()[0]?.value ?? address;
    let reply: WelcomeFrame;
    try {
      const bytes = await new StreamReader(stream, () => {}).nextFrame(LIMITS.doorFrameBytesMax, GUEST_STALL_MS);
      const welcome = await this.#judge(readKnock(bytes, connection.remotePeer.toString()), host);
      const roster = welcome.roster.map((node) => ({ ...node, witness: node.part === "witness" }));
      reply = { ...welcome, roster };
      this.#init.telemetry.log("info", "joinerWelcomed", { peer: connection.remotePeer.toString(), address });
    } catch (error) {
      const known = SkeinError.from(errorFrom(error));
      this.#init.telemetry.log("warn", "joinerRefused", { address, code: known.code, reason: known.message });
      reply = { fleetId: "", fleetName: "", fleetSecret: "", roster: [], failure: failureOf(0, known) };
    }
    try {
      await sendSteadily(stream, framed(WIRE.welcome.encode(reply)), GUEST_STALL_MS);
      await stream.close({ signal: AbortSignal.timeout(GUEST_STALL_MS) });
    } catch (error) {
      this.#init.telemetry.log("warn", "joinerLeft", { address, reason: errorFrom(error).message });
    }
  }

  async #judge(knock: Knock, host: string): Promise<Welcome> {
    if (this.#wrongKnocks.isSpent(host))
      throw new SkeinError("INVITE_INVALID", { reason: "too many wrong ones came from your address; wait a minute" });
    if (!this.#answer) throw new SkeinError("INVITE_INVALID", { reason: "the door has closed" });
    try {
      return await this.#answer(knock);
    } catch (error) {
      if (SkeinError.from(error).code === "INVITE_INVALID") this.#wrongKnocks.count(host);
      throw error;
    }
  }
}

const partOf = (witness: boolean) => (witness ? { part: "witness" as const } : {});

/** The name on the knock must be the one the handshake proved: an invitation cannot be spent for another box. */
function readKnock(bytes: Uint8Array, provedPeer: string): Knock {
  const { inviteId, secret, nodeId, name, addresses, witness }: KnockFrame = WIRE.knock.decode(bytes);
  const bad = (reason: string) => new SkeinError("BAD_REQUEST", { reason });
  if (!isNodeId(nodeId) || nodeId !== provedPeer) throw bad("the knock names another node than the one that knocks");
  for (const text of [inviteId, secret, name])
    if (text.length === 0 || text.length > LIMITS.nameBytesMax) throw bad("a name in the knock is empty or too long");
  return { inviteId: inviteId as InviteId, secret, nodeId, name, addresses: dialables(addresses), ...partOf(witness) };
}

export interface KnockInit {
  /** As printed in the invitation, each with the member's `/p2p/ID`. */
  addresses: readonly string[];
  knock: Knock;
  /** Of the joiner; its node id must be the knock's. */
  nodeKey: Uint8Array;
}

/**
 * Knocks at a member's door, whose identity the address pins, and takes home what it takes to be a member.
 * @throws PEER_UNREACHABLE (nobody opened), or what the member said: INVITE_INVALID, NO_QUORUM, ...; DEADLINE_EXCEEDED.
 */
export async function knock({ addresses, knock, nodeKey }: KnockInit): Promise<Welcome> {
  const doors = addresses.filter((address) => /\/p2p\/[^/]+$/.test(address)).map((address) => multiaddr(address));
  const member = doors[0]?.getComponents().at(-1)?.value;
  if (!member) throw new SkeinError("INVITE_INVALID", { reason: "it names no address" });
  const node = await createDoorNode(privateKeyOf(nodeKey), []);
  await node.start();
  try {
    const signal = AbortSignal.timeout(TIMING.knockDeadlineMs);
    const stream = await enter(node, member, doors, signal);
    const body = WIRE.knock.encode({ ...knock, addresses: [...knock.addresses], witness: knock.part === "witness" });
    const reader = new StreamReader(stream, () => {});
    await sendSteadily(stream, framed(body), GUEST_STALL_MS);
    await stream.close({ signal });
    const answer = await reader.nextFrame(LIMITS.doorFrameBytesMax, TIMING.knockDeadlineMs);
    return readWelcome(WIRE.welcome.decode(answer));
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError("PEER_UNREACHABLE", { peer: member, reason: errorFrom(error).message }, { cause: error });
  } finally {
    await node.stop();
  }
}

async function enter(node: Libp2p, member: string, doors: ReturnType<typeof multiaddr>[], signal: AbortSignal) {
  const theirs = doors.filter((door) => door.getComponents().at(-1)?.value === member);
  await node.dial(theirs, { signal });
  return await node.dialProtocol(peerIdFromString(member), JOIN_PROTOCOL, { signal });
}

function readWelcome(frame: WelcomeFrame): Welcome {
  if (frame.failure) throw errorOf(frame.failure);
  const { fleetId, fleetName, fleetSecret, roster } = frame;
  const isWhole =
    /^[0-9a-f]{32}$/.test(fleetId) &&
    /^[0-9a-f]{64}$/.test(fleetSecret) &&
    roster.length <= LIMITS.nodesMax &&
    roster.every((line) => isNodeId(line.nodeId) && Number.isSafeInteger(line.admittedAtIndex));
  if (!isWhole)
    throw new SkeinError("FRAME_INVALID", { peer: "the member at the door", reason: "its welcome is not whole" });
  return {
    fleetId: fleetId as FleetId,
    fleetName,
    fleetSecret,
    roster: roster.map(({ nodeId, name, addresses, admittedAtIndex, witness }) => ({
      nodeId: nodeId as NodeId,
      name,
      addresses: dialables(addresses),
      admittedAtIndex,
      ...partOf(witness),
    })),
  };
}
