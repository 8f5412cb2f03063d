import type { LinkView, RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { dialables } from "./address-book.ts";

/** The other nodes of the fleet, as last admitted: where the roster says they are, and since when they are missed. */
export class Roster {
  readonly #self: NodeId;
  readonly #lostAtMs = new Map<NodeId, number>();
  #addresses = new Map<NodeId, string[]>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  has(peer: string): peer is NodeId {
    return this.#addresses.has(peer as NodeId);
  }

  peers(): NodeId[] {
    return [...this.#addresses.keys()];
  }

  addresses(): ReadonlyMap<NodeId, string[]> {
    return this.#addresses;
  }

  /** Returns those that were on it and are no longer. */
  replace(roster: readonly RosterNode[]): NodeId[] {
    const before = this.peers();
    const others = roster.filter(({ nodeId }) => nodeId !== this.#self).slice(0, LIMITS.nodesMax);
    this.#addresses = new Map(others.map(({ nodeId, addresses }) => [nodeId, dialables(addresses)]));
    for (const peer of this.peers()) if (!this.#lostAtMs.has(peer)) this.lost(peer);
    const removed = before.filter((peer) => !this.has(peer));
    for (const peer of removed) this.#lostAtMs.delete(peer);
    return removed;
  }

  lost(peer: NodeId): void {
    if (this.has(peer)) this.#lostAtMs.set(peer, performance.now());
  }

  /** Of a peer there is no link to. */
  downView(peer: NodeId): LinkView {
    const sinceMs = this.#lostAtMs.get(peer) ?? performance.now();
    return { nodeId: peer, state: "down", silentMs: Math.round(performance.now() - sinceMs) };
  }
}
