/**
 * The simulator's network: wires between boxes that delay, lose and break on command. Everything happens by the clock and
 * the chance it is given, so one seed is one story. Membership, links, lanes and bounds follow the real room; how bytes are
 * packed does not matter here.
 */
import type { Clock, Impairment, Knock, Randomness, Welcome } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { type Gossip, type Packet, PretendPeer } from "./pretend-peer.ts";

interface Wire {
  isCut: boolean;
  /** What TCP would be sending again: it arrives after the wire is mended, if the connection still stands then. */
  held: Packet[];
  heldBytes: number;
  /** Packets arrive in the order they were sent. */
  lastArrivalMs: number;
}

/** A measurement is the median of five round trips: about as scattered as one trip of which only so much is by chance. */
const MEDIAN_SPREAD = 0.55;

export class PretendNet {
  readonly clock: Clock;
  /** Wires cut and mended, connections opened and closed, boxes started and ended: while it stands still, so does every link. */
  changes = 0;
  readonly #random: Pick<Randomness, "random">;
  readonly #peers = new Map<NodeId, PretendPeer>();
  readonly #places = new Map<NodeId, number>();
  readonly #wires = new Map<NodeId, Map<NodeId, Wire>>();
  readonly #unpowered = new Set<NodeId>();
  readonly #impaired = new Map<NodeId, Impairment>();
  readonly #doors = new Map<NodeId, (knock: Knock) => Promise<Welcome>>();
  #delayMs: [min: number, max: number] = [1, 3];
  #lossRate = 0;

  constructor(clock: Clock, random: Pick<Randomness, "random">) {
    this.clock = clock;
    this.#random = random;
  }

  /** A box's network, not started. After `kill`, the same id may join again: the box restarted. */
  join(nodeId: NodeId): PretendPeer {
    this.changes++;
    const peer = new PretendPeer(nodeId, this);
    this.#peers.set(nodeId, peer);
    this.#unpowered.delete(nodeId);
    if (!this.#places.has(nodeId)) this.#places.set(nodeId, this.#places.size + 1);
    return peer;
  }

  addressOf(nodeId: NodeId): string {
    return `/ip4/10.0.0.${this.#places.get(nodeId)}/tcp/7400`;
  }

  /** One way; drawn anew for each packet. */
  setDelay(minMs: number, maxMs: number): void {
    this.#delayMs = [minMs, maxMs];
  }

  /** Share of consensus and gossip messages that vanish, 0 to 1. Requests and blobs are retried by nobody below them. */
  setLoss(rate: number): void {
    this.#lossRate = rate;
  }

  /** Nothing goes from `from` to `to`, and nobody is told. Call it both ways for a pulled cable. */
  cutOneWay(from: NodeId, to: NodeId): void {
    this.changes++;
    this.#wire(from, to).isCut = true;
  }

  cut(a: NodeId, b: NodeId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Cuts every wire between boxes of different groups; a box in no group is cut off from all that are in one. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    const groupOf = (id: NodeId) => groups.findIndex((group) => group.includes(id));
    const ids = [...this.#places.keys()];
    for (const a of ids) for (const b of ids) if (a < b && groupOf(a) !== groupOf(b)) this.cut(a, b);
  }

  /** Mends the wire both ways; what was held is sent on. */
  mend(a: NodeId, b: NodeId): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const wire = this.#wire(from, to);
      if (!wire.isCut) continue;
      this.changes++;
      wire.isCut = false;
    }
    this.#sendHeld(a, b);
  }

  #sendHeld(a: NodeId, b: NodeId): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      if (this.#isCut(from, to)) continue;
      const wire = this.#wire(from, to);
      const held = wire.held.splice(0);
      wire.heldBytes = 0;
      for (const packet of held) this.send(from, to, packet);
    }
  }

  #slowedMs(from: NodeId, to: NodeId, packet: Packet): number {
    if (this.#impaired.size === 0) return 0;
    const bytes = "body" in packet ? packet.body.byteLength : 0;
    return [from, to]
      .map((one) => this.#impaired.get(one))
      .map((harm) => (harm?.kind === "slow" ? harm.delayMs + (1_000 * bytes) / harm.bytesPerSecond : 0))
      .reduce((a, b) => a + b);
  }

  /** What a box does to its own network in a drill; a process that dies takes it along. */
  impair(nodeId: NodeId, impairment: Impairment | undefined): void {
    const wasCut = this.#impaired.get(nodeId)?.kind === "cut";
    this.changes++;
    if (impairment) this.#impaired.set(nodeId, impairment);
    else this.#impaired.delete(nodeId);
    if (!wasCut || impairment?.kind === "cut") return;
    for (const other of this.#places.keys()) if (other !== nodeId) this.#sendHeld(nodeId, other);
  }

  heal(): void {
    for (const [from, wires] of [...this.#wires])
      for (const [to, wire] of [...wires]) if (wire.isCut) this.mend(from, to);
  }

  /** SIGKILL: the box's kernel tells its peers at once, and nothing that it waited for ever comes. */
  kill(nodeId: NodeId): void {
    this.changes++;
    this.impair(nodeId, undefined);
    this.#peers.get(nodeId)?.die((to, packet) => this.send(nodeId, to, packet));
    this.#peers.delete(nodeId);
    this.#doors.delete(nodeId);
  }

  /** Power lost: like `kill`, but nobody is told and nobody answers for the box until it joins again. */
  unplug(nodeId: NodeId): void {
    this.changes++;
    this.impair(nodeId, undefined);
    this.#peers.get(nodeId)?.die(() => {});
    this.#peers.delete(nodeId);
    this.#doors.delete(nodeId);
    this.#unpowered.add(nodeId);
  }

  /** For the peers' own use. False if the wire holds more than a lane's queue would. */
  send(from: NodeId, to: NodeId, packet: Packet): boolean {
    const isLossy = packet.kind === "consensus" || packet.kind === "gossip";
    if (isLossy && this.#lossRate > 0 && this.#random.random() < this.#lossRate) return true;
    const wire = this.#wire(from, to);
    if (this.#isCut(from, to)) return hold(wire, packet);
    if (packet.kind === "gossip") packet.message.reached.add(to);
    // No connection stands before both directions work.
    if (packet.kind === "dial" && this.#isCut(to, from)) return true;
    const [minMs, maxMs] = this.#delayMs;
    const slowedMs = this.#slowedMs(from, to, packet);
    const arrivalMs = this.clock.monotonicMs() + minMs + this.#random.random() * (maxMs - minMs) + slowedMs;
    wire.lastArrivalMs = Math.max(wire.lastArrivalMs, arrivalMs);
    this.clock.after(wire.lastArrivalMs - this.clock.monotonicMs(), () => this.#deliver(from, to, packet));
    return true;
  }

  /**
   * The same message to many, each a copy that may be lost. They arrive together where nothing was sent before that would
   * be overtaken: a timer for each receiver of each message would be most of what a large fleet does.
   */
  spread(from: NodeId, message: Gossip, body: Uint8Array, connections: Iterable<readonly [NodeId, string]>): void {
    const [minMs, maxMs] = this.#delayMs;
    const arrivalMs = this.clock.monotonicMs() + minMs + this.#random.random() * (maxMs - minMs);
    const together: [NodeId, Packet][] = [];
    for (const [to, connection] of connections) {
      const packet: Packet = { kind: "gossip", connection, message, body };
      const wire = this.#wire(from, to);
      if (wire.isCut || this.#lossRate > 0 || wire.lastArrivalMs > arrivalMs) {
        this.send(from, to, packet);
        continue;
      }
      wire.lastArrivalMs = arrivalMs;
      message.reached.add(to);
      together.push([to, packet]);
    }
    if (together.length === 0) return;
    this.clock.after(arrivalMs - this.clock.monotonicMs(), () => {
      for (const [to, packet] of together) this.#deliver(from, to, packet);
    });
  }

  setDoor(nodeId: NodeId, answer: ((knock: Knock) => Promise<Welcome>) | undefined): void {
    if (answer) this.#doors.set(nodeId, answer);
    else this.#doors.delete(nodeId);
  }

  /** What `knock` of the real room does. */
  async knock({ addresses, knock }: { addresses: readonly string[]; knock: Knock }): Promise<Welcome> {
    await new Promise<void>((resolve) => void this.clock.after(this.#delayMs[1], resolve));
    const member = addresses[0]?.split("/p2p/")[1] as NodeId | undefined;
    const answer = member && this.#doors.get(member);
    if (!answer) throw new SkeinError("PEER_UNREACHABLE", { peer: member, reason: "nobody opens" });
    return await answer(knock);
  }

  #deliver(from: NodeId, to: NodeId, packet: Packet): void {
    const peer = this.#peers.get(to);
    if (peer?.isStarted) peer.receive(from, packet);
    else if (packet.kind !== "closed" && !this.#unpowered.has(to))
      this.send(to, from, { kind: "closed", connection: packet.connection });
  }

  /**
   * Whether a heartbeat sent now would come back: the wires are whole and the other end has the same connection. Then it
   * need not be sent: it changes nothing but how fresh the link is, and a fleet of 20 would send 3,000 a second.
   */
  isBeating(from: NodeId, to: NodeId, connection: string): boolean {
    if (this.#isCut(from, to) || this.#isCut(to, from)) return false;
    return this.#peers.get(to)?.isConnected(from, connection) === true;
  }

  /** What heartbeats measure on a wire that is whole. */
  roundTripMs(): number {
    const [minMs, maxMs] = this.#delayMs;
    const spread = MEDIAN_SPREAD * (this.#random.random() - this.#random.random());
    return 2 * minMs + (1 + spread) * (maxMs - minMs);
  }

  /** The most that waits in one of its wires, for checkers. */
  heldBytesMax(from: NodeId): number {
    let most = 0;
    for (const { heldBytes } of this.#wires.get(from)?.values() ?? []) most = Math.max(most, heldBytes);
    return most;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    if (this.#wires.get(from)?.get(to)?.isCut) return true;
    return this.#impaired.size > 0 && [from, to].some((one) => this.#impaired.get(one)?.kind === "cut");
  }

  #wire(from: NodeId, to: NodeId): Wire {
    const wires = this.#wires.get(from) ?? new Map<NodeId, Wire>();
    if (wires.size === 0) this.#wires.set(from, wires);
    let wire = wires.get(to);
    if (!wire) {
      wire = { isCut: false, held: [], heldBytes: 0, lastArrivalMs: 0 };
      wires.set(to, wire);
    }
    return wire;
  }
}

/** Dials and heartbeats that went nowhere are made anew, not sent again. */
function hold(wire: Wire, packet: Packet): boolean {
  if (packet.kind === "dial" || packet.kind === "accepted" || packet.kind === "heartbeat" || packet.kind === "echo")
    return true;
  const bytes = "body" in packet ? packet.body.byteLength : 0;
  if (wire.heldBytes + bytes > LIMITS.laneQueueBytesMax) return false;
  wire.held.push(packet);
  wire.heldBytes += bytes;
  return true;
}

/** How long after a silent break the last link of a pair is surely down on both sides: for tests that wait for it. */
export const SILENT_BREAK_NOTICED_MS = TIMING.linkDownMs + 2 * TIMING.linkHeartbeatMs;
