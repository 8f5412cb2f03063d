import type { CopiesOwed, DrainView, LeaveView } from "../../shared/departure.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView, RosterNode } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { membersOf } from "../core/raft/index.ts";
import type { Events } from "./events.ts";
import type { Handover } from "./handover.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";
import { eventually } from "./waiting.ts";

/** For the word of what runs on a node: more would hold up a person who watches. */
const ASK_MS = 1_500;
/** For the leader to take a node that is off the roster out of the voters, too. */
const OUT_MS = 10_000;

export interface DepartureParts {
  driver: RaftDriver;
  standing: Standing;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  handover: Handover;
  nodes: () => NodeView[];
  /** Copies that a node owes before it may go. */
  copiesOwed: (node: NodeId) => Promise<CopiesOwed>;
  fleetName: string;
  /** Marks this box's folder: its identity is spent. */
  onLeft: () => Promise<void>;
  requestStop: () => void;
}

/**
 * Boxes on their way out. Drained: no new work, no leadership, until taken back. Leaving: the same, then its copies are
 * made anew elsewhere, and it is taken off the roster. Both are told again at each call, and each call goes one step on.
 */
export class Departure {
  readonly #world: Surroundings;
  readonly #parts: DepartureParts;
  #going: Promise<void> | undefined;

  constructor(world: Surroundings, parts: DepartureParts) {
    this.#world = world;
    this.#parts = parts;
  }

  /** @throws NODE_UNKNOWN */
  nodeNamed(nodeIdOrName: string): RosterNode {
    const node = this.#parts.standing.roster().find((one) => one.nodeId === nodeIdOrName || one.name === nodeIdOrName);
    if (!node) throw new SkeinError("NODE_UNKNOWN", { node: nodeIdOrName });
    return node;
  }

  /** @throws NODE_UNKNOWN, NO_QUORUM */
  async drain(nodeIdOrName: string, drained: boolean): Promise<DrainView> {
    const { nodeId } = this.nodeNamed(nodeIdOrName);
    // To drain a box that is leaving is no step back; only `drained: false` takes that back.
    if ((this.nodeNamed(nodeId).drained ?? false) !== drained) await this.#record(nodeId, drained, false);
    const node = this.nodeNamed(nodeId);
    const view = this.#parts.nodes().find((one) => one.nodeId === nodeId);
    return {
      nodeId,
      name: node.name,
      drained: node.drained ?? false,
      leads: this.#parts.standing.leader() === nodeId,
      isReachable: view?.isSelf === true || (view?.link !== undefined && view.link.state !== "down"),
      itemsAtWork: await this.#itemsAtWork(nodeId),
    };
  }

  /**
   * One step out of the fleet. `left` when this box is off the roster; its agent then stops. With `force` it waits for neither
   * work nor copies.
   * @throws LEAVE_REFUSED, NO_QUORUM, HANDOVER_FAILED
   */
  async leave(force: boolean): Promise<LeaveView> {
    const { self } = this.#world.network;
    this.#refuseIfNeeded();
    if (!this.#own()?.leaving) await this.#record(self, true, true);
    const view = await this.#progress();
    if (!force && (view.itemsAtWork > 0 || view.copiesOwed > 0)) return view;
    this.#going ??= this.#go().finally(() => {
      this.#going = undefined;
    });
    await this.#going;
    return { ...view, state: "left" };
  }

  async #progress(): Promise<LeaveView> {
    const { copiesOwed, fleetName } = this.#parts;
    const { self } = this.#world.network;
    const itemsAtWork = await this.#itemsAtWork(self);
    const { owed, onlyHere } = await copiesOwed(self);
    return { state: "waiting", nodeId: self, fleetName, itemsAtWork, copiesOwed: owed, onlyHere };
  }

  async #go(): Promise<void> {
    const { driver, standing, proposer, handover, events, onLeft, requestStop } = this.#parts;
    const { self } = this.#world.network;
    if (standing.leader() === self) await handover.transfer();
    await proposer.propose({ kind: "nodeRemoved", nodeId: self });
    // It is off the roster, and the leader takes it out of the voters next. This box may be hung up on before it hears that.
    await eventually(
      this.#world.clock,
      OUT_MS,
      () => !membersOf(driver.status().conf).includes(self) || this.#isAlone(),
    );
    events.emit("fleetLeft", { node: self });
    await onLeft();
    requestStop();
  }

  #isAlone(): boolean {
    return this.#world.network.links().every((link) => link.state === "down");
  }

  /** A fleet that this box leaves must be able to go on without it. */
  #refuseIfNeeded(): void {
    const { standing, nodes } = this.#parts;
    const { self } = this.#world.network;
    const refuse = (reason: string): never => {
      throw new SkeinError("LEAVE_REFUSED", { reason });
    };
    if (!this.#own()) refuse("it is not on the roster any more, or has not heard yet that it is");
    const { voters } = standing.status().conf;
    const rest = voters.filter((nodeId) => nodeId !== self);
    if (rest.length === 0 && voters.includes(self))
      refuse(
        "it is the only voter, so the fleet would end with it. To end the fleet, `skein stop` and delete its folder",
      );
    const links = new Map(nodes().map((node) => [node.nodeId, node]));
    const missing = rest.filter((nodeId) => (links.get(nodeId)?.link?.state ?? "down") === "down");
    if (rest.length > 0 && rest.length - missing.length <= rest.length / 2) {
      const names = missing.map((nodeId) => links.get(nodeId)?.name ?? nodeId).join(", ");
      refuse(`without it the fleet would have no quorum, since ${names} cannot be reached`);
    }
  }

  #own(): RosterNode | undefined {
    return this.#parts.standing.roster().find(({ nodeId }) => nodeId === this.#world.network.self);
  }

  async #record(nodeId: NodeId, drained: boolean, leaving: boolean): Promise<void> {
    await this.#parts.proposer.propose({ kind: "nodeDrained", nodeId, drained, leaving });
    this.#parts.events.emit("nodeDrained", { node: nodeId, drained, leaving });
  }

  /** By the leader's table, and by the node's own word: a lease may be on its way, and a new leader may not know all yet. */
  async #itemsAtWork(nodeId: NodeId): Promise<number> {
    const { standing, peers } = this.#parts;
    const { leader, term } = standing.status();
    if (!leader) throw new SkeinError("NO_LEADER");
    const limit = { deadlineMs: ASK_MS };
    const leased = await peers.ask(leader, "workAt", { nodeId }, limit);
    const held = await peers.ask(nodeId, "holding", { term }, limit).catch(() => ({ shards: [] }));
    const inHand = held.shards.reduce((sum, shard) => sum + shard.items.length, 0);
    return Math.max(leased.items, inHand);
  }
}
