import { SkeinError } from "../../shared/errors.ts";
import type { NodeRole, RosterNode } from "../../shared/fleet.ts";
import type { FleetId, InviteId, NodeId } from "../../shared/ids.ts";
import { encodeInvite } from "../../shared/invite.ts";
import type { InviteAnswer } from "../../shared/routes.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { ConfChangeStep, ProgressStatus } from "../core/raft/index.ts";
import type { Cancel, Knock, Welcome } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftDriver } from "./raft-driver.ts";
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

/**
 * Who belongs to the fleet. The roster in the ledger says who should; the leader brings Raft's configuration after it, one
 * change at a time: a new node as a learner, a voter once it has caught up, out when it is off the roster.
 */
export class Membership {
  readonly #world: Surroundings;
  readonly #identity: FleetIdentity;
  readonly #driver: RaftDriver;
  readonly #ledger: Ledger;
  readonly #proposer: Proposer;
  readonly #events: Events;
  #timers: Cancel[] = [];

  constructor(
    world: Surroundings,
    identity: FleetIdentity,
    parts: { driver: RaftDriver; ledger: Ledger; proposer: Proposer; events: Events },
  ) {
    this.#world = world;
    this.#identity = identity;
    this.#driver = parts.driver;
    this.#ledger = parts.ledger;
    this.#proposer = parts.proposer;
    this.#events = parts.events;
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

  roles(): ReadonlyMap<NodeId, NodeRole> {
    const { voters, votersOutgoing, learners } = this.#driver.status().conf;
    const roles = new Map<NodeId, NodeRole>(learners.map((nodeId) => [nodeId, "learner"]));
    for (const nodeId of [...voters, ...votersOutgoing]) roles.set(nodeId, "voter");
    return roles;
  }

  /** Opens the door and returns the token that lets one node through it. @throws NO_QUORUM */
  async invite(validForMs: number): Promise<InviteAnswer> {
    const { randomness, clock, network } = this.#world;
    const inviteId = `inv-${randomness.token(8)}` as InviteId;
    const secret = randomness.token(SECRET_LETTERS);
    const expiresAtMs = clock.nowMs() + validForMs;
    await this.#proposer.propose({ kind: "inviteIssued", inviteId, secretHash: this.#hash(secret), expiresAtMs });
    const addresses = await network.openDoor((knock) => this.#letIn(knock), validForMs);
    return {
      token: encodeInvite({ inviteId, secret, fleetName: this.#identity.fleetName, addresses, expiresAtMs }),
      expiresAtMs,
    };
  }

  /** @throws NODE_UNKNOWN, NO_QUORUM */
  async remove(nodeIdOrName: string): Promise<NodeId> {
    const node = [...this.#ledger.roster.values()].find((n) => n.nodeId === nodeIdOrName || n.name === nodeIdOrName);
    if (!node) throw new SkeinError("NODE_UNKNOWN", { node: nodeIdOrName });
    await this.#proposer.propose({ kind: "nodeRemoved", nodeId: node.nodeId });
    return node.nodeId;
  }

  /** One step of Raft's configuration towards the roster, if this node leads and no change is under way. */
  reconcile(): void {
    const { role, conf, progress, lastIndex } = this.#driver.status();
    if (role !== "leader" || this.#ledger.roster.size === 0) return;
    const members = [...conf.voters, ...conf.learners];
    const missing = [...this.#ledger.roster.keys()].find((nodeId) => !members.includes(nodeId));
    const surplus = members.find((nodeId) => !this.#ledger.roster.has(nodeId));
    const caughtUp = conf.learners.find((nodeId) => isCaughtUp(progress.get(nodeId), lastIndex));
    if (surplus) this.#change({ kind: "remove", node: surplus });
    else if (missing) this.#change({ kind: "addLearner", node: missing });
    else if (caughtUp && conf.voters.length < fleetSettings(this.#ledger.settings).votersMax)
      this.#change({ kind: "addVoter", node: caughtUp });
  }

  #change(step: ConfChangeStep): void {
    const result = this.#driver.raft.proposeConfChange({ steps: [step], transition: "auto" });
    this.#driver.after();
    // Refused while another change is under way or before this term has committed: the next round tries again.
    if (result.accepted) this.#events.emit("membershipChanging", { ...step });
  }

  async #letIn(knock: Knock): Promise<Welcome> {
    const { nodeId, inviteId, name, addresses, secret } = knock;
    const invite = this.#ledger.invites.get(inviteId);
    if (!invite || invite.secretHash !== this.#hash(secret))
      throw new SkeinError("INVITE_INVALID", { reason: "it is unknown to this fleet" });
    const admittedAtMs = this.#world.clock.nowMs();
    await this.#proposer.propose({ kind: "nodeAdmitted", inviteId, nodeId, name, addresses, admittedAtMs });
    this.#events.emit("nodeAdmitted", { nodeId, name: this.#ledger.roster.get(nodeId)?.name ?? name });
    return { ...this.#identity, roster: [...this.#ledger.roster.values()] };
  }

  /** A box whose address changed says so, so that the others find it after their next restart. */
  async #tellAddresses(): Promise<void> {
    const { network, telemetry } = this.#world;
    const known: RosterNode | undefined = this.#ledger.roster.get(network.self);
    const addresses = network.addresses();
    if (!known || !this.#driver.status().leader || sameSet(known.addresses, addresses)) return;
    try {
      await this.#proposer.propose({ kind: "nodeMoved", nodeId: network.self, addresses });
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
  progress?.recentActive === true && progress.match > 0 && progress.match >= lastIndex - CAUGHT_UP_ENTRIES;

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text) => b.includes(text));
