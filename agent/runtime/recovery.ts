import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { RecoverAnswer, RecoverRequest, RecoveryView, Standing, Survivor } from "../../shared/recovery.ts";
import { encodeLedgerEntry } from "../../shared/wire/ledger.ts";
import { type Ledger, lossesWithout } from "../core/ledger/index.ts";
import { isWitness, membersOf } from "../core/raft/index.ts";
import { type RecoveryFacts, refusalOf, survivorsInOrder } from "../core/recovery/index.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Surroundings } from "./surroundings.ts";
import { eventually } from "./waiting.ts";

/** For one node to say how far its log goes. */
const STANDING_MS = 2_000;
/** For the forced configuration to be on disk, and applied: a slow card and all that was left to apply. */
const RECOVERED_MS = 20_000;

export interface RecoveryParts {
  driver: RaftDriver;
  ledger: Ledger;
  peers: Peers;
  nodes: () => NodeView[];
  fleetName: string;
}

/** A fleet that lost its quorum for good: tells what is left of it, and goes on from this node's log when a person says so. */
export class Recovery {
  readonly #world: Surroundings;
  readonly #parts: RecoveryParts;

  constructor(world: Surroundings, parts: RecoveryParts) {
    this.#world = world;
    this.#parts = parts;
    parts.peers.answer("standing", async () => this.#standing());
  }

  async view(): Promise<RecoveryView> {
    const { ledger, fleetName } = this.#parts;
    const facts = await this.#ask();
    const { survivors, missing, self } = facts;
    const losses = lossesWithout(ledger, new Set(missing.map((node) => node.nodeId)));
    const refusal = refusalOf(facts)?.toJSON();
    const view = { fleetName, self, survivors: survivorsInOrder(survivors), missing: [...missing], losses };
    return refusal ? { ...view, refusal } : view;
  }

  /** @throws BAD_REQUEST if another fleet was meant, RECOVERY_REFUSED, DEADLINE_EXCEEDED if the disk did not take it in time */
  async recover({ fleetName, missing: meant }: RecoverRequest): Promise<RecoverAnswer> {
    const { driver, ledger } = this.#parts;
    if (fleetName !== this.#parts.fleetName)
      throw new SkeinError("BAD_REQUEST", {
        reason: `this fleet is called ${this.#parts.fleetName}, not ${fleetName}`,
      });
    const facts = await this.#ask();
    const refusal = refusalOf(facts);
    if (refusal) throw refusal;
    const removed = facts.missing.map((node) => node.nodeId).sort();
    if (removed.join() !== [...meant].sort().join())
      throw new SkeinError("RECOVERY_REFUSED", { reason: "others are missing now than were shown; look again" });
    const { self } = this.#world.network;
    const entry = { kind: "fleetRecovered", recoveredBy: self, removed } as const;
    const recoveredAtMs = this.#world.clock.nowMs();
    const index = driver.raft.forceConfiguration(encodeLedgerEntry({ ...entry, recoveredAtMs }));
    if (index === undefined) throw new SkeinError("RECOVERY_REFUSED", { reason: "this box's log is not whole yet" });
    this.#world.telemetry.log("warn", "recoveryBegun", { removed, index });
    // It may have lost its seat before the others were lost.
    driver.rest(false);
    driver.after();
    const { clock } = this.#world;
    if (!(await eventually(clock, RECOVERED_MS, () => ledger.lastRecovery?.atIndex === index)))
      throw new SkeinError("DEADLINE_EXCEEDED", { what: "The recovery", deadlineMs: RECOVERED_MS });
    return { recoveredBy: self, removed, term: driver.status().term, atIndex: index };
  }

  #standing(): Standing {
    const { term, lastTerm, lastIndex, commit, applied, role, conf, id } = this.#parts.driver.status();
    const keepsLog = lastIndex > 0 && !isWitness(conf, id);
    return { term, lastTerm, lastIndex, commit, applied, leads: role === "leader", keepsLog };
  }

  /** Everyone of the roster and of the newest configuration, asked now. */
  async #ask(): Promise<RecoveryFacts> {
    const { self } = this.#world.network;
    const { conf } = this.#parts.driver.status();
    const known = this.#parts.nodes();
    const isHere = (node: NodeView): boolean => node.isSelf || (node.link !== undefined && node.link.state !== "down");
    const survivors = await Promise.all(known.filter(isHere).map((node) => this.#askOne(node)));
    const missing = known
      .filter((node) => !isHere(node))
      .map(({ nodeId, name, role, link, report }) => ({
        nodeId,
        name,
        role,
        // Without a report nothing was heard of it in this life, however long the link has been down.
        ...(link && report && { silentMs: link.silentMs }),
      }));
    const listed = new Set(known.map((node) => node.nodeId));
    const unlisted = membersOf(conf).filter((nodeId) => !listed.has(nodeId));
    return { self, conf, survivors, missing: [...missing, ...unlisted.map(unknownVoter)] };
  }

  async #askOne({ nodeId, name, role }: NodeView): Promise<Survivor> {
    const asked = this.#parts.peers.ask(nodeId, "standing", {}, { deadlineMs: STANDING_MS });
    const standing = await asked.catch((error: unknown) => {
      this.#world.telemetry.log("warn", "standingUntold", { node: nodeId, reason: SkeinError.from(error).message });
      return undefined;
    });
    return { nodeId, name, role, ...(standing && { standing }) };
  }
}

const unknownVoter = (nodeId: NodeId) => ({ nodeId, name: nodeId, role: "voter" as const });
