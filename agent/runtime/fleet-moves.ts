import { type NodeId, shortNodeId } from "../../shared/ids.ts";
import type { FleetEffect, FleetEvent } from "../core/fleet/index.ts";
import { membersOf, type RaftRole } from "../core/raft/index.ts";
import type { Events } from "./events.ts";
import type { GossipLoop } from "./gossip-loop.ts";
import type { Leadership } from "./leadership.ts";
import type { LinkSpeeds } from "./link-speeds.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Reader } from "./reader.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";
import type { WorkerDriver } from "./worker-driver.ts";

export interface FleetMovesInit {
  standing: Standing;
  driver: RaftDriver;
  proposer: Proposer;
  reader: Reader;
  events: Events;
  gossip: GossipLoop;
  speeds: LinkSpeeds;
  worker: WorkerDriver;
  leadership: Leadership;
}

/** Who belongs to the fleet, who leads it, who is there: tells every part here that acts on a change of it. */
export class FleetMoves {
  readonly #world: Surroundings;
  readonly #init: FleetMovesInit;
  #told: { term: number; role: RaftRole; leader?: NodeId } = { term: 0, role: "follower" };

  constructor(world: Surroundings, init: FleetMovesInit) {
    this.#world = world;
    this.#init = init;
  }

  standingChanged(): void {
    this.rosterChanged();
    this.tellLeader();
  }

  /** By the own log, or for a node without the log by what it was told. */
  tellLeader(): void {
    const { standing, driver, events, gossip, worker, proposer, reader } = this.#init;
    const { term, leader } = standing.status();
    const role = standing.holdsLedger ? driver.status().role : "follower";
    const told = this.#told;
    if (told.term === term && told.role === role && told.leader === leader) return;
    this.#told = { term, role, ...(leader ? { leader } : {}) };
    events.emit("leaderChanged", { ...this.#told, ...(leader ? { name: standing.nameOf(leader) } : {}) });
    gossip.step({ kind: "leaderChanged", leader });
    if (!leader) return;
    worker.leaderKnown();
    proposer.leaderChanged(leader);
    reader.leaderChanged();
  }

  /**
   * Who may connect: the roster, and whoever Raft's configuration names. After a restart the log knows members whose
   * admission is not applied yet; to refuse them would be to wait for ever for the ones who could tell.
   */
  rosterChanged(): void {
    const { standing, speeds, gossip } = this.#init;
    const agreed = standing.roster();
    const known = new Set(agreed.map((node) => node.nodeId));
    const named = membersOf(standing.status().conf).filter((nodeId) => !known.has(nodeId));
    const strangers = named.map((nodeId) => ({ nodeId, name: shortNodeId(nodeId), addresses: [], admittedAtIndex: 0 }));
    const roster = [...agreed, ...strangers];
    this.#world.network.admit(roster);
    speeds.keepOnly(new Set(roster.map(({ nodeId }) => nodeId)));
    const atMs = this.#world.clock.monotonicMs();
    gossip.step({ kind: "rosterChanged", roster, roles: standing.roles(), atMs });
  }

  fleetChanged(effects: FleetEffect[], event: FleetEvent["kind"]): void {
    const { events, standing, leadership } = this.#init;
    for (const { nodeId, from, to, because } of effects)
      events.emit("nodePresenceChanged", { node: nodeId, name: standing.nameOf(nodeId), from, to, because });
    if (effects.length > 0 || event === "linkChanged" || event === "rosterChanged") leadership.fleetChanged();
    else leadership.figuresChanged();
  }
}
