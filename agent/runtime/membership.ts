import { SkeinError } from "../../shared/errors.ts";
import type { NodeView, RosterNode } from "../../shared/fleet.ts";
import { type FleetId, type InviteId, type NodeId, shortNodeId } from "../../shared/ids.ts";
import { encodeInvite } from "../../shared/invite.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { InviteAnswer } from "../../shared/routes.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { decideMembership, type MembershipChange, type MembershipInput } from "../core/membership/index.ts";
import { isJoint, membersOf, type ProgressStatus, type RaftStatus } from "../core/raft/index.ts";
import type { Cancel, Knock, Welcome } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";

export interface FleetIdentity {
  fleetId: FleetId;
  fleetName: string;
  /** 32 bytes, hex. */
  fleetSecret: string;
}

const SECRET_LETTERS = 26;
const RECONCILE_MS = 500;
const MOVED_CHECK_MS = 10_000;

export interface MembershipInit {
  driver: RaftDriver;
  ledger: Ledger;
  proposer: Proposer;
  events: Events;
  standing: Standing;
  nodes: () => NodeView[];
}

/**
 * Who belongs to the fleet. The roster in the ledger says who should; the leader brings Raft's configuration after it, one
 * change at a time, as core/membership advises.
 */
export class Membership {
  readonly #world: Surroundings;
  readonly #identity: FleetIdentity;
  readonly #init: MembershipInit;
  readonly #absentSinceMs = new Map<NodeId, number>();
  #timers: Cancel[] = [];

  constructor(world: Surroundings, identity: FleetIdentity, init: MembershipInit) {
    this.#world = world;
    this.#identity = identity;
    this.#init = init;
  }

  start(): void {
    this.#timers = [
      this.#world.clock.every(RECONCILE_MS, () => this.reconcile()),
      this.#world.clock.every(MOVED_CHECK_MS, () => void this.#tellAddresses()),
    ];
  }

  stop(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** Opens the door and returns the token that lets one node through it. @throws NO_QUORUM */
  async invite(validForMs: number): Promise<InviteAnswer> {
    const { randomness, clock, network } = this.#world;
    const inviteId = `inv-${randomness.token(8)}` as InviteId;
    const secret = randomness.token(SECRET_LETTERS);
    const expiresAtMs = clock.nowMs() + validForMs;
    await this.#init.proposer.propose({ kind: "inviteIssued", inviteId, secretHash: this.#hash(secret), expiresAtMs });
    const addresses = await network.openDoor((knock) => this.#letIn(knock), validForMs);
    return {
      token: encodeInvite({ inviteId, secret, fleetName: this.#identity.fleetName, addresses, expiresAtMs }),
      expiresAtMs,
    };
  }

  /** @throws NODE_UNKNOWN, NO_QUORUM */
  async remove(nodeIdOrName: string): Promise<NodeId> {
    const node = [...this.#init.ledger.roster.values()].find(
      (n) => n.nodeId === nodeIdOrName || n.name === nodeIdOrName,
    );
    if (!node) throw new SkeinError("NODE_UNKNOWN", { node: nodeIdOrName });
    await this.#init.proposer.propose({ kind: "nodeRemoved", nodeId: node.nodeId });
    return node.nodeId;
  }

  /** One step of Raft's configuration towards what it should be, if this node leads. */
  reconcile(): void {
    if (!this.#init.standing.holdsLedger) {
      this.#absentSinceMs.clear();
      return;
    }
    const nodes = this.#init.nodes();
    this.#noteAbsences(nodes);
    const status = this.#init.driver.status();
    if (status.role !== "leader" || this.#init.ledger.roster.size === 0) return;
    const change = decideMembership(this.#input(status, nodes));
    if (!change) return;
    const result = this.#init.driver.raft.proposeConfChange({ steps: change.steps, transition: "auto" });
    this.#init.driver.after();
    // Refused before this term has committed: the next round tries again.
    if (result.accepted)
      this.#init.events.emit("membershipChanging", { change: this.#text(change), because: change.because });
  }

  #input(status: RaftStatus, nodes: readonly NodeView[]): MembershipInput {
    const { ledger } = this.#init;
    const { conf, confPending, progress, lastIndex } = status;
    const { votersMax, voterGoneAfterSeconds } = fleetSettings(ledger.settings);
    const nowMs = this.#world.clock.monotonicMs();
    const views = new Map(nodes.map((node) => [node.nodeId, node]));
    const reachable = nodes.filter((node) => node.isSelf || node.link?.state === "up").map((node) => node.nodeId);
    return {
      self: this.#world.network.self,
      roster: [...ledger.roster.values()].map(({ nodeId, name, part }) => ({
        nodeId,
        name,
        part: part ?? "full",
        presence: views.get(nodeId)?.presence ?? "gone",
        absentForMs: nowMs - (this.#absentSinceMs.get(nodeId) ?? nowMs),
        isCaughtUp: conf.learners.includes(nodeId) && isCaughtUp(progress.get(nodeId), lastIndex),
      })),
      voters: conf.voters,
      witnesses: conf.witnesses,
      learners: conf.learners,
      reachable: new Set(reachable),
      isChanging: confPending || isJoint(conf),
      votersMax,
      voterGoneAfterMs: 1_000 * voterGoneAfterSeconds,
    };
  }

  /** Every node that may lead notes them, so that a new leader knows for how long a voter has been away. */
  #noteAbsences(nodes: readonly NodeView[]): void {
    for (const { nodeId, presence } of nodes) {
      if (presence === "fresh") this.#absentSinceMs.delete(nodeId);
      else if (!this.#absentSinceMs.has(nodeId)) this.#absentSinceMs.set(nodeId, this.#world.clock.monotonicMs());
    }
    for (const nodeId of this.#absentSinceMs.keys())
      if (!nodes.some((node) => node.nodeId === nodeId)) this.#absentSinceMs.delete(nodeId);
  }

  #text({ steps }: MembershipChange): string {
    const nameOf = (nodeId: NodeId): string => this.#init.ledger.roster.get(nodeId)?.name ?? shortNodeId(nodeId);
    return steps.map(({ kind, node }) => `${kind} ${nameOf(node)}`).join(", ");
  }

  async #letIn(knock: Knock): Promise<Welcome> {
    const { nodeId, inviteId, name, addresses, secret, part } = knock;
    const invite = this.#init.ledger.invites.get(inviteId);
    if (!invite || invite.secretHash !== this.#hash(secret))
      throw new SkeinError("INVITE_INVALID", { reason: "it is unknown to this fleet" });
    const admittedAtMs = this.#world.clock.nowMs();
    const said = { inviteId, nodeId, name, addresses, ...(part === "witness" ? { part } : {}) };
    await this.#init.proposer.propose({ kind: "nodeAdmitted", ...said, admittedAtMs });
    this.#init.events.emit("nodeAdmitted", { nodeId, name: this.#init.ledger.roster.get(nodeId)?.name ?? name });
    return { ...this.#identity, roster: this.#rosterFor(nodeId) };
  }

  /** The joiner, and as many others as a welcome names; who can tell of the rest comes first. */
  #rosterFor(joiner: NodeId): RosterNode[] {
    const { ledger, driver } = this.#init;
    const members = membersOf(driver.status().conf);
    const rank = ({ nodeId }: RosterNode): number => (nodeId === joiner ? 0 : members.includes(nodeId) ? 1 : 2);
    return [...ledger.roster.values()].sort((a, b) => rank(a) - rank(b)).slice(0, LIMITS.welcomeNodesMax);
  }

  /** A box whose address changed says so, so that the others find it after their next restart. */
  async #tellAddresses(): Promise<void> {
    const { network, telemetry } = this.#world;
    const { standing } = this.#init;
    const known = standing.roster().find((node) => node.nodeId === network.self);
    const addresses = network.addresses();
    if (!known || !standing.leader() || sameSet(known.addresses, addresses)) return;
    try {
      await this.#init.proposer.propose({ kind: "nodeMoved", nodeId: network.self, addresses });
    } catch (error) {
      telemetry.log("debug", "addressesUntold", { reason: SkeinError.from(error).message });
    }
  }

  #hash(secret: string): string {
    return this.#world.sha256(new TextEncoder().encode(secret));
  }
}

/** A learner this close to the end of the log may count. */
const CAUGHT_UP_ENTRIES = 16;

/** It answers, and holds nearly all of the log: a box that was admitted and never started must not take a vote away. */
const isCaughtUp = (progress: ProgressStatus | undefined, lastIndex: number): boolean =>
  progress?.isHeard === true && progress.match > 0 && progress.match >= lastIndex - CAUGHT_UP_ENTRIES;

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text) => b.includes(text));
