import { SkeinError } from "../../shared/errors.ts";
import type { NodeView, PredictionError } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { Ledger, LedgerEvent } from "../core/ledger/index.ts";
import type { RaftStatus } from "../core/raft/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { CopiesLoop } from "./copies-loop.ts";
import type { Events } from "./events.ts";
import { LeaderLoop } from "./leader-loop.ts";
import type { FleetIdentity } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type { KnownPipelines } from "./pipelines/segments.ts";
import type { PlacementLoop } from "./placement-loop.ts";
import type { Proposer } from "./proposer.ts";
import type { Retention } from "./retention.ts";
import type { SmallInHand } from "./small-in-hand.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";

/** Every node reports every few seconds, and little of it changes what is leased: the leader takes in together what came meanwhile. */
const FIGURES_MS = 100;

export interface LeadershipInit {
  ledger: Ledger;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  pipelines: KnownPipelines;
  standing: Standing;
  inHand: SmallInHand;
  nodes: () => NodeView[];
  copies: CopiesLoop;
  placement: PlacementLoop;
  retention: Retention;
  /** On the node that founds a fleet: as what, and under which name of its own. */
  founding?: { identity: FleetIdentity; name: string };
  onFatal: (error: unknown) => void;
}

/** Begins and ends with this node's terms as the leader what only a leader does, and answers what only a leader can. */
export class Leadership {
  readonly #world: Surroundings;
  readonly #init: LeadershipInit;
  #leading: LeaderLoop | undefined;
  #figuresDue: Cancel | undefined;

  constructor(world: Surroundings, init: LeadershipInit) {
    this.#world = world;
    this.#init = init;
    const { peers } = init;
    peers.answer("report", (from, report) => this.#lead().takeReport(from, report));
    peers.answer("workAt", async (_from, { nodeId }) => ({ items: this.#lead().workAt(nodeId) }));
    peers.answer("story", async (_from, { jobId }) => this.#lead().story(jobId));
    peers.answer("jobNews", async (_from, { jobId }) => this.#lead().news(jobId));
  }

  get isLeading(): boolean {
    return this.#leading !== undefined;
  }

  /** To be called when this node may speak for the log. */
  begin(term: number): void {
    const { ledger, proposer, peers, events, pipelines, inHand, nodes, founding, onFatal } = this.#init;
    const parts = { ledger, proposer, peers, events, pipelines, inHand, nodes };
    this.#leading = new LeaderLoop(this.#world, { term, ...parts });
    this.#init.copies.begin();
    this.#init.placement.begin(term);
    this.#init.retention.begin();
    events.emit("leadershipBegun", { term });
    if (ledger.fleetId === undefined && founding) void this.#found(founding);
    this.#leading.begin().catch(onFatal);
  }

  statusChanged({ role, term }: RaftStatus): void {
    if (role === "leader" || !this.#leading) return;
    this.#endAll();
    this.#leading = undefined;
    this.#init.events.emit("leadershipEnded", { term });
  }

  /** With the agent: nobody is told. */
  stop(): void {
    this.#figuresDue?.();
    this.#endAll();
  }

  ledgerMoved(event: LedgerEvent): void {
    this.#leading?.ledgerMoved(event);
    this.#init.copies.ledgerMoved(event);
    this.#init.placement.ledgerMoved(event);
  }

  fleetChanged(): void {
    this.#leading?.fleetChanged();
    this.#init.placement.fleetChanged();
  }

  /** Nothing but what some node said of itself. */
  figuresChanged(): void {
    if (!this.#leading) return;
    this.#figuresDue ??= this.#world.clock.after(FIGURES_MS, () => {
      this.#figuresDue = undefined;
      this.fleetChanged();
    });
  }

  /** Empty unless this node leads. */
  predictionErrorsOf(nodeId: NodeId): PredictionError[] {
    return this.#leading?.predictionErrorsOf(nodeId) ?? [];
  }

  assertSound(): void {
    this.#leading?.assertSound();
  }

  #endAll(): void {
    this.#leading?.end();
    this.#init.copies.end();
    this.#init.placement.end();
    this.#init.retention.end();
  }

  #lead(): LeaderLoop {
    if (!this.#leading) throw new SkeinError("NOT_LEADER", { leader: this.#init.standing.leader() });
    return this.#leading;
  }

  async #found({ identity, name }: NonNullable<LeadershipInit["founding"]>): Promise<void> {
    const { network } = this.#world;
    const founder = { nodeId: network.self, name, addresses: network.addresses() };
    const { fleetId, fleetName } = identity;
    try {
      await this.#init.proposer.propose({ kind: "fleetFounded", fleetId, name: fleetName, founder });
    } catch (error) {
      this.#init.onFatal(error);
    }
  }
}
