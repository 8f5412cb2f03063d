/** One box's end of the pretend network. Not for tests to make: `PretendNet.join` does. */
import { Turns } from "../../agent/io/network/turns.ts";
import type {
  BlobSource,
  Cancel,
  FetchOptions,
  Impairment,
  Knock,
  LinkListener,
  PeerNetwork,
  RequestAnswer,
  RequestOptions,
  Welcome,
} from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { LinkView, RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { PretendBulk } from "./pretend-bulk.ts";
import type { PretendNet } from "./pretend-network.ts";
import { PretendRequests } from "./pretend-requests.ts";

/** `connection` names one connection, so that what belonged to an earlier one is not taken for the present one's. */
export type Packet = { connection: string } & (
  | { kind: "dial" | "accepted" | "closed" }
  | { kind: "heartbeat" | "echo"; sentAtMs: number }
  | { kind: "consensus"; body: Uint8Array }
  | { kind: "request"; id: number; method: string; body: Uint8Array }
  | { kind: "answer"; id: number; body: Uint8Array }
  | { kind: "failure"; id: number; error: { code: string; facts: Record<string, unknown> } }
  | { kind: "gossip"; message: Gossip; body: Uint8Array }
);

export interface Gossip {
  author: NodeId;
  /** Lives of boxes that heard it. */
  seenBy: Set<PretendPeer>;
  /** Who has it, or will for sure: to send it there again changes nothing. */
  reached: Set<NodeId>;
}

interface Link {
  connection: string;
  state: "up" | "suspect";
  heardAtMs: number;
  rttMs: number | undefined;
}

/** Between two measurements of a link's round trip, in heartbeats. */
const MEASURE_BEATS = 8;

/** As in the real room: the lower id dials at once, the higher leaves it the first moves. */
const HIGHER_ID_FIRST_MS = 400;
const HIGHER_ID_NEXT_MS = 2_000;

export class PretendPeer implements PeerNetwork {
  readonly self: NodeId;
  readonly #net: PretendNet;
  readonly #roster = new Set<NodeId>();
  readonly #links = new Map<NodeId, Link>();
  readonly #dialling = new Map<NodeId, { connection: string; attempts: number; cancel: Cancel }>();
  readonly #lostAtMs = new Map<NodeId, number>();
  readonly #queued = new Map<NodeId, { atMs: number; bytes: number }>();
  readonly #requests: PretendRequests;
  readonly #turns = new Map<NodeId, Turns>();
  readonly #linkListeners: LinkListener[] = [];
  readonly #consensusListeners: ((from: NodeId, message: Uint8Array) => void)[] = [];
  readonly #gossipListeners: ((from: NodeId, message: Uint8Array) => void)[] = [];
  readonly #bulk: PretendBulk;
  #state: "new" | "started" | "stopped" | "dead" = "new";
  #stopTicking: Cancel | undefined;
  #closeDoor: Cancel | undefined;
  #counter = 0;
  #beats = 0;
  /** The net's changes when every link was last seen to beat; -1 if one did not. */
  #quietSince = -1;
  /** When all links beat that there were: kept once for all of them. */
  #beatAtMs = 0;

  constructor(self: NodeId, net: PretendNet) {
    this.self = self;
    this.#net = net;
    this.#requests = new PretendRequests({
      self,
      clock: net.clock,
      connectionTo: (peer) => this.#links.get(peer)?.connection,
      send: (to, packet) => net.send(self, to, packet),
      isStarted: () => this.isStarted,
      isDead: () => this.#state === "dead",
    });
    // Blob traffic is requests in the simulator: one for the size, one for each chunk the reader pulls.
    this.#bulk = new PretendBulk({
      ask: (to, method, body, signal) =>
        this.#requests.ask(to, method, body, { deadlineMs: LIMITS.bulkProgressMs, ...(signal ? { signal } : {}) }),
      answer: (method, answer) => this.#requests.answer(method, answer),
      turnsOf: (peer) => {
        const turns = this.#turns.get(peer) ?? new Turns(LIMITS.bulkPerPeerMax, LIMITS.bulkWaitingPerPeerMax, peer);
        this.#turns.set(peer, turns);
        return turns;
      },
      after: (delayMs, run) => net.clock.after(delayMs, run),
    });
  }

  get isStarted(): boolean {
    return this.#state === "started";
  }

  isConnected(peer: NodeId, connection: string): boolean {
    return this.#state === "started" && this.#links.get(peer)?.connection === connection;
  }

  /** Requests of one peer that are being answered, the most there are, for checkers. */
  get answeringMax(): number {
    return this.#requests.answeringMax;
  }

  /** Bytes before the fullest of its wires, for checkers. */
  get heldBytesMax(): number {
    return this.#net.heldBytesMax(this.self);
  }

  async start(): Promise<void> {
    this.#state = "started";
    this.#stopTicking = this.#net.clock.every(TIMING.linkHeartbeatMs, () => this.#tick());
    for (const peer of this.#roster) this.#seek(peer);
  }

  async stop(): Promise<void> {
    if (this.#state !== "started") return;
    this.#state = "stopped";
    this.#quit();
    for (const peer of [...this.#links.keys()]) this.#close(peer, "this node stops");
  }

  /** What waits here waits for ever: the process is gone. */
  die(tell: (peer: NodeId, packet: Packet) => void): void {
    if (this.#state !== "started") return;
    this.#state = "dead";
    this.#quit();
    for (const [peer, { connection }] of this.#links) tell(peer, { kind: "closed", connection });
  }

  #quit(): void {
    this.#stopTicking?.();
    this.#closeDoor?.();
    this.#net.setDoor(this.self, undefined);
    for (const { cancel } of this.#dialling.values()) cancel();
    this.#dialling.clear();
  }

  addresses(): string[] {
    return [this.#net.addressOf(this.self)];
  }

  admit(roster: readonly RosterNode[]): void {
    const before = [...this.#roster];
    this.#roster.clear();
    for (const { nodeId } of roster) if (nodeId !== this.self) this.#roster.add(nodeId);
    for (const peer of before) if (!this.#roster.has(peer)) this.#forget(peer);
    for (const peer of this.#roster) {
      if (!this.#lostAtMs.has(peer)) this.#lostAtMs.set(peer, this.#net.clock.monotonicMs());
      if (this.isStarted && !this.#links.has(peer)) this.#seek(peer);
    }
  }

  #forget(peer: NodeId): void {
    this.#dialling.get(peer)?.cancel();
    this.#dialling.delete(peer);
    this.#close(peer, "it was taken off the roster");
    this.#lostAtMs.delete(peer);
  }

  links(): LinkView[] {
    const views: LinkView[] = [];
    for (const peer of this.#roster) views.push(this.#view(peer));
    return views;
  }

  #view(peer: NodeId): LinkView {
    const link = this.#links.get(peer);
    const sinceMs = link ? this.#heardAtMs(link) : (this.#lostAtMs.get(peer) ?? 0);
    const silentMs = this.#net.clock.monotonicMs() - sinceMs;
    const view: LinkView = { nodeId: peer, state: link?.state ?? "down", silentMs };
    if (link?.rttMs !== undefined) view.rttMs = link.rttMs;
    return view;
  }

  onLink(listener: LinkListener): void {
    this.#linkListeners.push(listener);
  }

  sendConsensus(to: NodeId, message: Uint8Array): boolean {
    const link = this.#links.get(to);
    if (!link || !this.isStarted || message.byteLength > LIMITS.frameBytesMax) return false;
    if (!this.#fits(to, message.byteLength)) return false;
    return this.#net.send(this.self, to, { kind: "consensus", connection: link.connection, body: message.slice() });
  }

  /** What was sent in this very moment has not left yet, as in the real lane's queue. */
  #fits(to: NodeId, bytes: number): boolean {
    const nowMs = this.#net.clock.monotonicMs();
    const queue = this.#queued.get(to);
    const waiting = queue?.atMs === nowMs ? queue.bytes : 0;
    if (waiting + bytes > LIMITS.laneQueueBytesMax) return false;
    this.#queued.set(to, { atMs: nowMs, bytes: waiting + bytes });
    return true;
  }
  onConsensus(listener: (from: NodeId, message: Uint8Array) => void): void {
    this.#consensusListeners.push(listener);
  }

  async request(to: NodeId, method: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return await this.#requests.ask(to, method, body, options);
  }

  onRequest(method: string, answer: RequestAnswer): void {
    this.#requests.answer(method, answer);
  }

  async fetchBlob(from: NodeId, hash: BlobHash, options?: FetchOptions) {
    if (!this.#links.has(from))
      throw new SkeinError("PEER_UNREACHABLE", { peer: from, reason: "there is no link to it" });
    return await this.#bulk.fetch(from, hash, options);
  }

  serveBlobs(source: BlobSource): void {
    this.#bulk.serve(source);
  }

  publish(message: Uint8Array): void {
    if (message.byteLength > LIMITS.gossipBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: "A gossip message",
        actual: message.byteLength,
        limit: LIMITS.gossipBytesMax,
      });
    if (!this.isStarted) return;
    this.#spread({ author: this.self, seenBy: new Set([this]), reached: new Set([this.self]) }, message.slice());
  }

  onGossip(listener: (from: NodeId, message: Uint8Array) => void): void {
    this.#gossipListeners.push(listener);
  }

  async openDoor(answer: (knock: Knock) => Promise<Welcome>, openForMs: number): Promise<string[]> {
    this.#closeDoor?.();
    this.#net.setDoor(this.self, answer);
    this.#closeDoor = this.#net.clock.after(openForMs, () => this.#net.setDoor(this.self, undefined));
    return this.addresses().map((address) => `${address}/p2p/${this.self}`);
  }

  impair(impairment?: Impairment): void {
    this.#net.impair(this.self, impairment);
  }

  /** For the net's own use. */
  receive(from: NodeId, packet: Packet): void {
    if (packet.kind === "dial") {
      this.#dialled(from, packet.connection);
      return;
    }
    if (packet.kind === "accepted") {
      this.#accepted(from, packet.connection);
      return;
    }
    const link = this.#links.get(from);
    if (link?.connection !== packet.connection) {
      if (packet.kind !== "closed") this.#net.send(this.self, from, { kind: "closed", connection: packet.connection });
      return;
    }
    if (packet.kind === "closed") this.#close(from, "the connection closed");
    else this.#heard(from, link, packet);
  }

  #heard(from: NodeId, link: Link, packet: Packet): void {
    const nowMs = this.#net.clock.monotonicMs();
    link.heardAtMs = nowMs;
    if (link.state === "suspect") {
      link.state = "up";
      this.#tell(from);
    }
    const { connection } = link;
    if (packet.kind === "heartbeat") this.#net.send(this.self, from, { ...packet, kind: "echo", connection });
    else if (packet.kind === "echo") link.rttMs = nowMs - packet.sentAtMs;
    else if (packet.kind === "consensus") this.#guard(from, () => this.#consensusHeard(from, packet.body));
    else if (packet.kind === "request") void this.#requests.asked(from, packet);
    else if (packet.kind === "answer" || packet.kind === "failure") this.#requests.answered(packet);
    else if (packet.kind === "gossip") this.#gossipHeard(from, packet);
  }

  /** A listener that finds a message bad says so with a SkeinError, and the peer is hung up on. */
  #guard(from: NodeId, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error;
      this.#close(from, error.message);
    }
  }

  #consensusHeard(from: NodeId, body: Uint8Array): void {
    for (const listener of this.#consensusListeners) listener(from, body);
  }

  #gossipHeard(carrier: NodeId, { message, body }: Packet & { kind: "gossip" }): void {
    const { author, seenBy } = message;
    if (seenBy.has(this) || !this.#roster.has(author)) return;
    seenBy.add(this);
    this.#spread(message, body);
    this.#guard(carrier, () => {
      for (const listener of this.#gossipListeners) listener(author, body);
    });
  }

  #spread(message: Gossip, body: Uint8Array): void {
    if (message.reached.size > this.#links.size) return;
    const left: [NodeId, string][] = [];
    for (const [peer, { connection }] of this.#links) if (!message.reached.has(peer)) left.push([peer, connection]);
    if (left.length > 0) this.#net.spread(this.self, message, body, left);
  }

  #tick(): void {
    const nowMs = this.#net.clock.monotonicMs();
    this.#beats++;
    if (this.#quietSince === this.#net.changes && this.#beats % MEASURE_BEATS !== 0) {
      this.#beatAtMs = nowMs;
      return;
    }
    this.#quietSince = this.#net.changes;
    for (const [peer, link] of [...this.#links]) {
      if (link.state === "up" && this.#net.isBeating(this.self, peer, link.connection)) {
        link.heardAtMs = nowMs;
        link.rttMs = this.#net.roundTripMs();
        continue;
      }
      this.#quietSince = -1;
      const silentMs = nowMs - this.#heardAtMs(link);
      if (silentMs >= TIMING.linkDownMs) {
        this.#close(peer, `nothing was heard for ${Math.round(silentMs)} ms`);
        continue;
      }
      this.#net.send(this.self, peer, { kind: "heartbeat", connection: link.connection, sentAtMs: nowMs });
      if (silentMs < TIMING.linkSuspectMs || link.state === "suspect") continue;
      link.state = "suspect";
      this.#tell(peer);
    }
  }

  #heardAtMs(link: Link): number {
    return Math.max(link.heardAtMs, this.#beatAtMs);
  }

  #seek(peer: NodeId): void {
    if (this.#dialling.has(peer)) return;
    const delayMs = this.self < peer ? 0 : HIGHER_ID_FIRST_MS;
    const cancel = this.#net.clock.after(delayMs, () => this.#dial(peer));
    this.#dialling.set(peer, { connection: "", attempts: 0, cancel });
  }

  #dial(peer: NodeId): void {
    const search = this.#dialling.get(peer);
    if (!search) return;
    search.connection = `${this.self} ${++this.#counter} ${this.#net.clock.monotonicMs()}`;
    search.attempts++;
    this.#net.send(this.self, peer, { kind: "dial", connection: search.connection });
    const backoffMs = Math.min(TIMING.redialMaxMs, TIMING.redialMinMs * 2 ** Math.min(search.attempts - 1, 10));
    search.cancel = this.#net.clock.after(this.self < peer ? backoffMs : HIGHER_ID_NEXT_MS, () => this.#dial(peer));
  }

  #dialled(from: NodeId, connection: string): void {
    const isMyTurn = this.self < from && this.#dialling.get(from)?.connection;
    if (!this.#roster.has(from) || isMyTurn) {
      this.#net.send(this.self, from, { kind: "closed", connection });
      return;
    }
    // Whoever dials has no connection left, so the one there is has only not been seen to break yet.
    if (this.#links.has(from)) this.#close(from, "the peer dialled anew");
    this.#net.send(this.self, from, { kind: "accepted", connection });
    this.#open(from, connection);
  }

  #accepted(from: NodeId, connection: string): void {
    if (this.#dialling.get(from)?.connection === connection) this.#open(from, connection);
    else if (this.#links.get(from)?.connection !== connection)
      this.#net.send(this.self, from, { kind: "closed", connection });
  }

  #open(peer: NodeId, connection: string): void {
    this.#dialling.get(peer)?.cancel();
    this.#dialling.delete(peer);
    this.#links.set(peer, {
      connection,
      state: "up",
      heardAtMs: this.#net.clock.monotonicMs(),
      rttMs: undefined,
    });
    this.#tell(peer);
  }

  #close(peer: NodeId, reason: string): void {
    const link = this.#links.get(peer);
    if (!link) return;
    this.#links.delete(peer);
    this.#net.changes++;
    this.#lostAtMs.set(peer, this.#heardAtMs(link));
    this.#net.send(this.self, peer, { kind: "closed", connection: link.connection });
    this.#requests.linkClosed(peer, reason);
    this.#tell(peer);
    if (this.isStarted && this.#roster.has(peer)) this.#seek(peer);
  }

  #tell(peer: NodeId): void {
    const view = this.#view(peer);
    for (const listener of this.#linkListeners) listener(view);
  }
}
