import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { SkeinError } from "../../../shared/errors.ts";
import type { LinkView, RosterNode } from "../../../shared/fleet.ts";
import type { BlobHash, FleetId, NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type {
  BlobSource,
  FetchOptions,
  Impairment,
  Knock,
  LinkListener,
  PeerNetwork,
  RequestAnswer,
  RequestOptions,
  Telemetry,
  Welcome,
} from "../../ports/index.ts";
import { AddressBook, dialable, dialables } from "./address-book.ts";
import { BEACON_PORT, Beacon } from "./beacon.ts";
import { Bulk } from "./bulk.ts";
import { Dialler } from "./dialler.ts";
import { Door } from "./door.ts";
import { Gossip, topicOf } from "./gossip.ts";
import { fleetKey, nodeIdOf, privateKeyOf } from "./identity.ts";
import { Impairments } from "./impairment.ts";
import { Links } from "./links.ts";
import { createFleetNode, type FleetNode, listenAddresses, startListening } from "./node.ts";
import { RateLimit } from "./rate-limit.ts";
import { Roster } from "./roster.ts";
import { takeStreams } from "./streams.ts";
import type { Hello } from "./wire.ts";

export interface PeerNetworkInit {
  /** libp2p's protobuf of the Ed25519 key, from `createIdentity`. */
  nodeKey: Uint8Array;
  /** 32 bytes, hex. */
  fleetSecret: string;
  fleetId: FleetId;
  nodeName: string;
  /** 0: any free one. */
  listenPort: number;
  /** IPv4 or IPv6 addresses; `0.0.0.0` for all. */
  listenHosts: readonly string[];
  /** Whether to say where we are on the LAN and listen for others; `port` must be the same on all boxes. */
  beacon: { port?: number } | "off";
  /** A small JSON file that this room may keep. */
  lastKnownAddressesFile?: string;
}

/** Makes the network; nothing is opened before `start()`. Listeners and the roster may be given before. */
export const createPeerNetwork = (init: PeerNetworkInit, deps: { telemetry: Telemetry }): PeerNetwork =>
  new LibP2PNetwork(init, deps.telemetry);

/** A stranger tries again and again; one line a minute for each is enough. */
const STRANGER_LOGS_MS = 60_000;
/** Gossip streams are looked after every so many heartbeats: once a second. */
const MEND_HEARTBEATS = Math.round(1_000 / TIMING.linkHeartbeatMs);

class LibP2PNetwork implements PeerNetwork {
  readonly self: NodeId;
  readonly #init: PeerNetworkInit;
  readonly #telemetry: Telemetry;
  readonly #roster: Roster;
  readonly #answers = new Map<string, RequestAnswer>();
  readonly #linkListeners: LinkListener[] = [];
  readonly #consensusListeners: ((from: NodeId, message: Uint8Array) => void)[] = [];
  readonly #gossipListeners: ((from: NodeId, message: Uint8Array) => void)[] = [];
  readonly #impairments = new Impairments();
  readonly #strangerLogs = new RateLimit(1, STRANGER_LOGS_MS);
  readonly #book: AddressBook;
  readonly #links: Links;
  readonly #dialler: Dialler;
  readonly #bulk: Bulk;
  readonly #door: Door;
  readonly #beacon: Beacon | undefined;
  #blobs: BlobSource | undefined;
  #node: FleetNode | undefined;
  #gossip: Gossip | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(init: PeerNetworkInit, telemetry: Telemetry) {
    this.#init = init;
    this.#telemetry = telemetry;
    this.self = nodeIdOf(init.nodeKey);
    this.#roster = new Roster(this.self);
    this.#book = new AddressBook(init.lastKnownAddressesFile, telemetry);
    this.#links = new Links({
      self: this.self,
      answers: this.#answers,
      telemetry,
      hello: () => ({ name: init.nodeName, addresses: this.addresses().slice(0, LIMITS.addressesPerNodeMax) }),
      isAdmitted: (peer): peer is NodeId => this.#roster.has(peer),
      onLink: (view) => this.#linkChanged(view),
      onConsensus: (from, message) => {
        for (const listener of this.#consensusListeners) listener(from, message);
      },
      onReached: (peer, hello, connection) => this.#reached(peer, hello, connection),
      onLost: (peer) => this.#lost(peer),
    });
    this.#dialler = new Dialler({
      self: this.self,
      addresses: (peer) => this.#book.addresses(peer),
      isConnecting: (peer) => this.#links.isConnecting(peer),
      dial: (peer, addresses, signal) => this.#dial(peer, addresses, signal),
      onFailed: (peer, error) => telemetry.log("debug", "dialFailed", { peer, reason: String(error) }),
    });
    this.#bulk = new Bulk({
      self: this.self,
      source: () => this.#blobs,
      bytesHeard: (connection) => this.#links.bytesHeard(connection),
      telemetry,
    });
    this.#door = new Door({ nodeKey: init.nodeKey, listenHosts: init.listenHosts, telemetry });
    this.#beacon = init.beacon === "off" ? undefined : this.#makeBeacon(init.beacon.port ?? BEACON_PORT);
  }

  #makeBeacon(port: number): Beacon {
    return new Beacon({
      self: this.self,
      key: fleetKey(this.#init.fleetSecret, "beacon"),
      port,
      addresses: () => this.addresses(),
      isSearching: () => this.#dialler.isSearching,
      isCut: () => this.#impairments.isCut,
      isMissing: (peer) => this.#roster.has(peer) && !this.#links.get(peer),
      onHeard: (peer, addresses) => {
        if (!this.#roster.has(peer)) return;
        this.#book.beaconHeard(peer, addresses);
        this.#dialler.sighted(peer);
      },
      telemetry: this.#telemetry,
    });
  }

  async start(): Promise<void> {
    const { fleetId, fleetSecret, listenHosts, listenPort, nodeKey } = this.#init;
    const topic = topicOf(fleetId);
    const node = await createFleetNode({
      privateKey: privateKeyOf(nodeKey),
      listen: listenAddresses(listenHosts, listenPort),
      prologue: fleetKey(fleetSecret, "noise-prologue"),
      topic,
      impairments: this.#impairments,
      isAdmitted: (peer) => this.#roster.has(peer),
      onStranger: (peer, address) => this.#stranger("NOT_ON_ROSTER", peer, { peer, address }),
      onWrongFleet: (address) => this.#stranger("WRONG_FLEET", address.split("/tcp/")[0]!, { peer: address }),
    });
    this.#node = node;
    this.#gossip = new Gossip({
      pubsub: node.services.pubsub,
      topic,
      isAdmitted: (peer): peer is NodeId => this.#roster.has(peer),
      onHeard: (from, message) => {
        for (const listener of this.#gossipListeners) listener(from, message);
      },
      identify: (connection) =>
        node.services.identify.identify(connection, { signal: AbortSignal.timeout(TIMING.linkOpenMs) }),
      telemetry: this.#telemetry,
    });
    await takeStreams(node, this.#links, this.#bulk, (peer): peer is NodeId => this.#roster.has(peer));
    await startListening(node, listenPort);
    this.#gossip.start();
    this.#ticker = setInterval(() => this.#tick(), TIMING.linkHeartbeatMs);
    this.#beacon?.start();
    for (const peer of this.#roster.peers()) this.#dialler.seek(peer);
    this.#telemetry.log("info", "networkStarted", { nodeId: this.self, addresses: this.addresses() });
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#dialler.stop();
    this.#beacon?.stop();
    await this.#door.close();
    this.#links.hangUpAll("this node stops");
    await this.#node?.stop();
    this.#node = undefined;
  }

  addresses(): string[] {
    const all = (this.#node?.getMultiaddrs() ?? []).flatMap((address) => dialable(address.toString()) ?? []);
    const beyondLoopback = all.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address));
    return beyondLoopback.length > 0 ? beyondLoopback : all;
  }

  admit(roster: readonly RosterNode[]): void {
    const removed = this.#roster.replace(roster);
    this.#book.admit(this.#roster.addresses());
    for (const peer of removed) {
      this.#dialler.found(peer);
      this.#links.hangUp(peer, "it was taken off the roster");
    }
    for (const peer of this.#roster.peers()) if (this.#node && !this.#links.get(peer)) this.#dialler.seek(peer);
    if (this.#dialler.isSearching) this.#beacon?.hurry();
  }

  links(): LinkView[] {
    return this.#roster.peers().map((peer) => this.#links.get(peer)?.view() ?? this.#roster.downView(peer));
  }

  onLink(listener: LinkListener): void {
    this.#linkListeners.push(listener);
  }

  sendConsensus(to: NodeId, message: Uint8Array): boolean {
    return this.#links.get(to)?.sendConsensus(message) ?? false;
  }

  onConsensus(listener: (from: NodeId, message: Uint8Array) => void): void {
    this.#consensusListeners.push(listener);
  }

  async request(to: NodeId, method: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return await this.#linkTo(to).requests.ask(method, body, options);
  }

  onRequest(method: string, answer: RequestAnswer): void {
    this.#answers.set(method, answer);
  }

  async fetchBlob(from: NodeId, hash: BlobHash, options?: FetchOptions) {
    return await this.#bulk.fetch(this.#linkTo(from).connection, from, hash, options);
  }

  serveBlobs(source: BlobSource): void {
    this.#blobs = source;
  }

  publish(message: Uint8Array): void {
    this.#gossip?.publish(message);
  }

  onGossip(listener: (from: NodeId, message: Uint8Array) => void): void {
    this.#gossipListeners.push(listener);
  }

  async openDoor(answer: (knock: Knock) => Promise<Welcome>, openForMs: number): Promise<string[]> {
    return await this.#door.open(answer, openForMs);
  }

  impair(impairment?: Impairment): void {
    this.#impairments.set(impairment);
  }

  #linkTo(peer: NodeId) {
    const link = this.#links.get(peer);
    if (link) return link;
    const reason = this.#roster.has(peer) ? "there is no link to it" : "it is not on the roster";
    throw new SkeinError("PEER_UNREACHABLE", { peer, reason });
  }

  async #dial(peer: NodeId, addresses: string[], signal: AbortSignal): Promise<void> {
    if (this.#impairments.isCut) throw new Error("the network is cut by a drill");
    await this.#node?.dial(
      addresses.map((address) => multiaddr(`${address}/p2p/${peer}`)),
      { signal },
    );
  }

  #reached(peer: NodeId, hello: Hello, connection: Connection): void {
    this.#dialler.found(peer);
    const dialled = connection.direction === "outbound" ? dialable(connection.remoteAddr.toString()) : undefined;
    this.#book.reached(peer, dialables(hello.addresses), dialled);
    this.#telemetry.log("info", "linkUp", { peer, name: hello.name, address: connection.remoteAddr.toString() });
  }

  #lost(peer: NodeId): void {
    this.#roster.lost(peer);
    if (!this.#node || !this.#roster.has(peer)) return;
    this.#dialler.seek(peer);
    this.#beacon?.hurry();
  }

  #linkChanged(view: LinkView): void {
    if (view.state !== "up")
      this.#telemetry.log("info", view.state === "down" ? "linkDown" : "linkSuspect", { ...view });
    for (const listener of this.#linkListeners) listener(view);
  }

  #stranger(code: "WRONG_FLEET" | "NOT_ON_ROSTER", key: string, facts: Record<string, unknown>): void {
    if (!this.#strangerLogs.allows(`${code} ${key}`)) return;
    const { message } = new SkeinError(code, facts);
    this.#telemetry.log("warn", "strangerRefused", { ...facts, code, message });
  }

  #tick(): void {
    this.#links.tick();
    if (++this.#ticks % MEND_HEARTBEATS === 0) this.#gossip?.mend(this.#node?.getConnections() ?? []);
  }
}
