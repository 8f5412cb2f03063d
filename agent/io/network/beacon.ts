import { createHmac, timingSafeEqual } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { isNodeId, type NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { Telemetry } from "../../ports/index.ts";
import { dialables } from "./address-book.ts";
import { WIRE } from "./wire.ts";

/** In 224.0.0/24, which switches pass on without IGMP (RFC 4541, 2.1.2); shared with mDNS, told apart by the port. */
const GROUP = "224.0.0.251";
export const BEACON_PORT = 15_353;
/** Format and its version; bytes 4 to 36 are the HMAC of the rest. */
const MAGIC = Buffer.from("skb1");
const MAC_BYTES = 32;
const BEACON_BYTES_MAX = 1_400;
/** Between two looks at which interfaces there are. A re-plugged adapter loses its membership without a word. */
const INTERFACES_MS = 5_000;
/** Where multicast is filtered, broadcast may pass; it wakes every box on the wire, so it is used less. */
const BROADCAST_EVERY = 5;
/** An answer to a beacon from a peer that is missing, so that it need not wait for our quiet rhythm. */
const ANSWER_MS = 500;

export interface BeaconInit {
  self: NodeId;
  key: Uint8Array;
  port: number;
  addresses(): string[];
  /** Is anyone on the roster missing? Sets the rhythm. */
  isSearching(): boolean;
  /** By a drill: nothing is said or heard. */
  isCut(): boolean;
  /** A beacon of this fleet, addresses best first. */
  onHeard(peer: NodeId, addresses: string[]): void;
  isMissing(peer: NodeId): boolean;
  telemetry: Telemetry;
}

interface Interface {
  address: string;
  broadcast: string;
}

/**
 * Says where this node listens, on every interface, and listens for others. Each interface is addressed by its own socket:
 * without a default route, which is the normal state of an offline LAN, the kernel would choose none.
 */
export class Beacon {
  readonly #init: BeaconInit;
  readonly #speakers = new Map<string, Socket>();
  #ear: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #interfaces: Interface[] = [];
  /** Bound, or known not to be: memberships cannot be had before. */
  #isReady = false;
  #stopped = false;

  constructor(init: BeaconInit) {
    this.#init = init;
  }

  /** Never fails: a box without a network gets one later, and a port that is taken leaves the other ways to meet. */
  start(): void {
    const ear = createSocket({ type: "udp4", reuseAddr: true });
    this.#ear = ear;
    ear.on("error", (error) => {
      this.#complain("beaconDeaf", error);
      if (this.#ear !== ear) return;
      this.#ear = undefined;
      ear.close();
      // Others may still hear what this node says, and dial it.
      this.#isReady = true;
      this.#tick();
    });
    ear.on("message", (message, from) => this.#hear(message, from.address));
    ear.bind(this.#init.port, () => {
      this.#isReady = true;
      this.#tick();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#ear?.close();
    this.#ear = undefined;
    for (const speaker of this.#speakers.values()) speaker.close();
    this.#speakers.clear();
  }

  /** Someone went missing: say where we are now, and go on in the quick rhythm. */
  hurry(): void {
    if (performance.now() - this.#saidAtMs >= ANSWER_MS) this.#tick();
  }

  #tick(): void {
    if (this.#stopped || !this.#isReady) return;
    clearTimeout(this.#timer);
    this.#look();
    this.#say();
    this.#timer = setTimeout(() => this.#tick(), this.#init.isSearching() ? TIMING.beaconMs : TIMING.beaconQuietMs);
  }

  #look(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs < INTERFACES_MS - TIMING.beaconMs / 2) return;
    this.#lookedAtMs = nowMs;
    this.#interfaces = ipv4Interfaces();
    const present = new Set(this.#interfaces.map(({ address }) => address));
    for (const [address, speaker] of this.#speakers)
      if (!present.has(address)) {
        this.#speakers.delete(address);
        speaker.close();
      }
    for (const address of present) {
      this.#rejoin(address);
      if (!this.#speakers.has(address)) this.#addSpeaker(address);
    }
  }

  #rejoin(address: string): void {
    try {
      this.#ear?.dropMembership(GROUP, address);
    } catch {
      // It was not a member yet, or the adapter that was is gone: both are why it joins again.
    }
    try {
      this.#ear?.addMembership(GROUP, address);
    } catch (error) {
      this.#complain("beaconMembershipFailed", error, address);
    }
  }

  #addSpeaker(address: string): void {
    const speaker = createSocket({ type: "udp4", reuseAddr: true });
    speaker.on("error", (error) => {
      this.#complain("beaconMute", error, address);
      if (this.#speakers.get(address) === speaker) this.#speakers.delete(address);
      speaker.close();
    });
    speaker.bind(0, address, () => {
      if (this.#stopped || this.#speakers.has(address)) {
        speaker.close();
        return;
      }
      speaker.setMulticastInterface(address);
      speaker.setMulticastTTL(1);
      speaker.setMulticastLoopback(true);
      speaker.setBroadcast(true);
      this.#speakers.set(address, speaker);
      this.#send(speaker, GROUP, this.#message());
    });
  }

  #say(): void {
    this.#saidAtMs = performance.now();
    if (this.#init.isCut()) return;
    const message = this.#message();
    const loud = this.#ticks++ % BROADCAST_EVERY === BROADCAST_EVERY - 1;
    for (const { address, broadcast } of this.#interfaces) {
      const speaker = this.#speakers.get(address);
      if (!speaker) continue;
      this.#send(speaker, GROUP, message);
      if (loud && broadcast) this.#send(speaker, broadcast, message);
    }
  }

  #send(speaker: Socket, to: string, message: Buffer): void {
    speaker.send(message, this.#init.port, to, (error) => {
      if (error) this.#complain("beaconNotSent", error, to);
    });
  }

  #message(): Buffer {
    const addresses = this.#init.addresses().slice(0, LIMITS.addressesPerNodeMax);
    const body = Buffer.from(WIRE.beacon.encode({ nodeId: this.#init.self, addresses }));
    return Buffer.concat([MAGIC, this.#mac(body), body]);
  }

  #mac(body: Uint8Array): Buffer {
    return createHmac("sha256", this.#init.key).update(body).digest();
  }

  /** Anything can arrive on this port: other fleets, other programs. What is not ours is nobody's fault and not logged. */
  #hear(message: Buffer, from: string): void {
    const start = MAGIC.byteLength + MAC_BYTES;
    if (this.#init.isCut()) return;
    if (message.byteLength <= start || message.byteLength > BEACON_BYTES_MAX) return;
    if (!message.subarray(0, MAGIC.byteLength).equals(MAGIC)) return;
    const body = message.subarray(start);
    if (!timingSafeEqual(message.subarray(MAGIC.byteLength, start), this.#mac(body))) return;
    let said: { nodeId: string; addresses: string[] };
    try {
      said = WIRE.beacon.decode(body);
    } catch (error) {
      this.#complain("beaconUnreadable", error, from);
      return;
    }
    if (!isNodeId(said.nodeId) || said.nodeId === this.#init.self) return;
    this.#init.onHeard(said.nodeId, this.#bestFirst(dialables(said.addresses), from));
    if (this.#init.isMissing(said.nodeId)) this.hurry();
  }

  /** The address the beacon came from is one that works from here; loopback ones work only if it came from this box. */
  #bestFirst(addresses: string[], from: string): string[] {
    const local = from.startsWith("127.") || this.#interfaces.some(({ address }) => address === from);
    const usable = addresses.filter((address) => local || !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address));
    const rank = (address: string) => (address.startsWith(`/ip4/${from}/`) ? 0 : 1);
    return usable.toSorted((a, b) => rank(a) - rank(b));
  }

  #complain(event: string, error: unknown, where?: string): void {
    this.#init.telemetry.log("debug", event, { reason: String(error), ...(where ? { where } : {}) });
  }
}

function ipv4Interfaces(): Interface[] {
  return Object.values(networkInterfaces())
    .flat()
    .filter((entry) => entry?.family === "IPv4")
    .map((entry) => ({ address: entry!.address, broadcast: entry!.internal ? "" : broadcastOf(entry!) }));
}

function broadcastOf({ address, netmask }: { address: string; netmask: string }): string {
  const mask = netmask.split(".").map(Number);
  return address
    .split(".")
    .map((byte, i) => Number(byte) | (~(mask[i] ?? 255) & 255))
    .join(".");
}
