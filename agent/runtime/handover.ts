import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { TIMING } from "../../shared/limits.ts";
import type { Answer } from "../../shared/peer-requests.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { isWitness, successorOf } from "../core/raft/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Surroundings } from "./surroundings.ts";
import { eventually } from "./waiting.ts";

/** For the successor to win and be heard of. Raft itself gives a transfer up after one election timeout and serves on. */
const HAND_OVER_MS = 3_000;
const LOOK_MS = 500;
/** Before a drained leader tries again: nothing is accepted while a transfer is under way. */
const AGAIN_MS = 5_000;

export interface HandoverParts {
  driver: RaftDriver;
  ledger: Ledger;
  peers: Peers;
  events: Events;
}

/** Who leads, as far as a person decides it: hands the leadership on when asked, and away from a node that is drained. */
export class Handover {
  readonly #world: Surroundings;
  readonly #parts: HandoverParts;
  #ticking: Cancel = () => {};
  #notBeforeMs = 0;

  constructor(world: Surroundings, parts: HandoverParts) {
    this.#world = world;
    this.#parts = parts;
    parts.peers.answer("handOver", async (_from, { to }) => this.#handOver(to));
  }

  start(): void {
    this.#ticking = this.#world.clock.every(LOOK_MS, () => this.#yieldIfDrained());
  }

  stop(): void {
    this.#ticking();
  }

  /**
   * Any node may be asked; the leader does it.
   * @throws NO_LEADER, HANDOVER_FAILED, PEER_UNREACHABLE
   */
  async transfer(to?: NodeId): Promise<Answer<"handOver">> {
    const { driver, peers } = this.#parts;
    const { leader } = driver.status();
    if (!leader) throw new SkeinError("NO_LEADER");
    const question = to === undefined ? {} : { to };
    const answer = await peers.ask(leader, "handOver", question, {
      deadlineMs: HAND_OVER_MS + TIMING.requestDeadlineMs,
    });
    // Whoever asked this node reads from it next.
    await eventually(this.#world.clock, HAND_OVER_MS, () => driver.status().leader === answer.leader);
    return answer;
  }

  /** The leader's part. Answered when it knows the new leader. */
  async #handOver(wanted: NodeId | undefined): Promise<Answer<"handOver">> {
    const { driver, events } = this.#parts;
    const { role, id, term, leader } = driver.status();
    if (role !== "leader") throw new SkeinError("NOT_LEADER", { leader });
    if (wanted === id) return { leader: id, term };
    const to = wanted ?? this.#successor();
    if (to === undefined) throw this.#failed("no other voter answers and has caught up");
    const fault = this.#unfit(to);
    if (fault) throw this.#failed(fault);
    driver.raft.transferLeadership(to);
    driver.after();
    events.emit("leadershipHandedOver", { to, name: this.#nameOf(to) });
    const taken = (): boolean => ![undefined, id].includes(driver.status().leader);
    await eventually(this.#world.clock, HAND_OVER_MS, taken);
    const now = driver.status();
    if (now.leader === to) return { leader: to, term: now.term };
    throw this.#failed(`${this.#nameOf(to)} did not take over within ${HAND_OVER_MS} ms`);
  }

  /** A drained one only from a leader that is leaving: somebody must lead. */
  #successor(): NodeId | undefined {
    const { driver, ledger } = this.#parts;
    const status = driver.status();
    const isLeaving = (node: NodeId): boolean => ledger.roster.get(node)?.leaving === true;
    const fit = successorOf(status, (node) => this.#isDrained(node));
    return fit ?? (isLeaving(status.id) ? successorOf(status, isLeaving) : undefined);
  }

  #unfit(to: NodeId): string | undefined {
    const { conf, progress } = this.#parts.driver.status();
    const name = this.#nameOf(to);
    if (!conf.voters.includes(to)) return `${name} is no voter`;
    if (isWitness(conf, to)) return `${name} is a witness, which votes and never leads`;
    if (this.#isDrained(to)) return `${name} is drained; \`skein drain ${name} --undo\` takes that back`;
    const link = this.#world.network.links().find((one) => one.nodeId === to);
    if (link?.state !== "up" || !progress.get(to)?.isHeard) return `${name} does not answer the leader`;
    return undefined;
  }

  #failed(reason: string): SkeinError {
    const { leader } = this.#parts.driver.status();
    return new SkeinError("HANDOVER_FAILED", { reason, leader: leader ? this.#nameOf(leader) : "nobody yet" });
  }

  #isDrained(node: NodeId): boolean {
    return this.#parts.ledger.roster.get(node)?.drained === true;
  }

  #nameOf(node: NodeId): string {
    return this.#parts.ledger.roster.get(node)?.name ?? node;
  }

  #yieldIfDrained(): void {
    const { clock, network } = this.#world;
    const status = this.#parts.driver.status();
    if (status.role !== "leader" || !this.#isDrained(network.self) || clock.monotonicMs() < this.#notBeforeMs) return;
    const to = successorOf(status, (node) => this.#isDrained(node));
    // Leading beats nobody leading: without a successor it goes on.
    if (to === undefined) return;
    this.#notBeforeMs = clock.monotonicMs() + AGAIN_MS;
    this.#parts.driver.raft.transferLeadership(to);
    this.#parts.driver.after();
    this.#parts.events.emit("leadershipHandedOver", { to, name: this.#nameOf(to) });
  }
}
