import type { Connection, Stream } from "@libp2p/interface";
import type { LinkView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import { sever } from "./framing.ts";
import { type LaneName, Link, type LinkInit, type LinkListener } from "./link.ts";
import type { Hello } from "./wire.ts";

export interface LinksInit extends Pick<LinkInit, "self" | "answers" | "telemetry"> {
  hello(): Hello;
  isAdmitted(peer: string): peer is NodeId;
  onLink(view: LinkView): void;
  onConsensus(from: NodeId, message: Uint8Array): void;
  /** A peer was reached, and says where it listens. */
  onReached(peer: NodeId, hello: Hello, connection: Connection): void;
  /** No link to the peer is left. */
  onLost(peer: NodeId): void;
}

/** A stall of this many heartbeats is the process's own (stopped, swapped out), not the peers' silence. */
const STALL_HEARTBEATS = 2;

/**
 * All links, and which one of a peer's counts. Two boxes that dial each other at once make two; the box with the lower id
 * closes the newer, unless the older has gone quiet. The newer, because gossipsub does not survive the loss of the older;
 * one side alone, because two that choose could each close the other's choice.
 */
export class Links implements LinkListener {
  readonly #init: LinksInit;
  readonly #byConnection = new Map<string, Link>();
  /** Open ones only, the one in use first. */
  readonly #open = new Map<NodeId, Link[]>();
  #tickedAtMs = performance.now();

  constructor(init: LinksInit) {
    this.#init = init;
  }

  /** The link in use. */
  get(peer: NodeId): Link | undefined {
    return this.#open.get(peer)?.[0];
  }

  isConnecting(peer: NodeId): boolean {
    for (const link of this.#byConnection.values()) if (link.peer === peer) return true;
    return false;
  }

  connectionOpened(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (!this.#init.isAdmitted(peer)) {
      this.#init.telemetry.log("warn", "strangerRefused", {
        code: "NOT_ON_ROSTER",
        peer,
        address: connection.remoteAddr.toString(),
      });
      sever(connection, "not on the roster");
      return;
    }
    const link = new Link({ ...this.#init, peer, connection, hello: this.#init.hello(), listener: this });
    this.#byConnection.set(connection.id, link);
  }

  laneOpened(name: LaneName, stream: Stream, connection: Connection): void {
    const link = this.#byConnection.get(connection.id);
    if (link) link.laneOpened(name, stream);
    else stream.abort(new Error("not on the roster"));
  }

  bytesHeard(connection: Connection): void {
    this.#byConnection.get(connection.id)?.bytesHeard();
  }

  tick(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#tickedAtMs - TIMING.linkHeartbeatMs;
    this.#tickedAtMs = nowMs;
    const stalledMs = lateMs > STALL_HEARTBEATS * TIMING.linkHeartbeatMs ? lateMs : 0;
    for (const link of [...this.#byConnection.values()]) link.tick(stalledMs);
  }

  hangUp(peer: NodeId, reason: string): void {
    for (const link of [...this.#byConnection.values()]) if (link.peer === peer) link.close(reason);
  }

  hangUpAll(reason: string): void {
    for (const link of [...this.#byConnection.values()]) link.close(reason);
  }

  linkOpened(link: Link, hello: Hello): void {
    const others = this.#open.get(link.peer) ?? [];
    const inUse = others[0];
    if (inUse?.state === "up") {
      this.#open.set(link.peer, [...others, link]);
      if (this.#init.self < link.peer) link.close("another connection to this peer is older");
      return;
    }
    this.#open.set(link.peer, [link, ...others]);
    this.#init.onReached(link.peer, hello, link.connection);
    this.#init.onLink(link.view());
    if (this.#init.self < link.peer) for (const other of others) other.close("it went quiet and a newer one stands");
  }

  linkSuspected(link: Link): void {
    if (this.get(link.peer) === link) this.#init.onLink(link.view());
  }

  linkTrusted(link: Link): void {
    if (this.get(link.peer) === link) this.#init.onLink(link.view());
  }

  linkClosed(link: Link): void {
    this.#byConnection.delete(link.connection.id);
    const open = this.#open.get(link.peer) ?? [];
    const wasInUse = open[0] === link;
    const left = open.filter((other) => other !== link);
    if (left.length > 0) this.#open.set(link.peer, left);
    else this.#open.delete(link.peer);
    if (wasInUse) {
      // What was in flight on the old one is lost, so the listener hears of the break even if another stands ready.
      this.#init.onLink(link.view());
      if (left[0]) this.#init.onLink(left[0].view());
    }
    if (!this.isConnecting(link.peer)) this.#init.onLost(link.peer);
  }

  consensusHeard(from: NodeId, message: Uint8Array): void {
    this.#init.onConsensus(from, message);
  }
}
