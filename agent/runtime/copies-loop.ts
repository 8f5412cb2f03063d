import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { HoldersChanged } from "../../shared/ledger-entry.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { type CopyOrder, type CopyPlace, repairs } from "../core/replication/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

const TICK_MS = 2_000;
const ORDERS_MAX = 16;
const COPY_DEADLINE_MS = 60_000;

export interface CopiesInit {
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  events: Events;
  places: () => CopyPlace[];
}

/** While this node leads: makes up for copies that were lost with a node, and records where they are now. */
export class CopiesLoop {
  readonly #world: Surroundings;
  readonly #init: CopiesInit;
  #ticking: Cancel = () => {};
  #repairing = false;
  /** What was looked at last; an unchanged world is not scanned again. */
  #seen = "";

  constructor(world: Surroundings, init: CopiesInit) {
    this.#world = world;
    this.#init = init;
  }

  begin(): void {
    this.#ticking = this.#world.clock.every(TICK_MS, () => void this.#repair());
  }

  end(): void {
    this.#ticking();
  }

  async #repair(): Promise<void> {
    const { ledger } = this.#init;
    const places = this.#init.places();
    const seen = `${ledger.appliedIndex} ${places.map((place) => `${place.nodeId}${place.live}`).join()}`;
    if (this.#repairing || seen === this.#seen) return;
    this.#repairing = true;
    try {
      const { diskFreeBytesMin, copiesDefault } = LIMITS;
      const orders = repairs({
        holders: ledger.holders,
        places,
        wanted: copiesDefault,
        diskFreeBytesMin,
        ordersMax: ORDERS_MAX,
      });
      const made = (await Promise.all(orders.map((order) => this.#carryOut(order)))).filter(
        (order) => order !== undefined,
      );
      if (made.length > 0) await this.#record(made);
      // Something was left undone: look again next time even if nothing else changes.
      this.#seen = made.length === orders.length && orders.length < ORDERS_MAX ? seen : "";
    } catch (error) {
      this.#world.telemetry.log("warn", "repairDelayed", { reason: SkeinError.from(error).message });
    } finally {
      this.#repairing = false;
    }
  }

  async #carryOut(order: CopyOrder): Promise<CopyOrder | undefined> {
    const question = { blobs: [order.blob], inline: [], from: order.from };
    try {
      const { held } = await this.#init.peers.ask(order.to, "copy", question, { deadlineMs: COPY_DEADLINE_MS });
      return held.includes(order.blob) ? order : undefined;
    } catch (error) {
      this.#world.telemetry.log("debug", "copyRefused", { to: order.to, reason: SkeinError.from(error).message });
      return undefined;
    }
  }

  async #record(made: CopyOrder[]): Promise<void> {
    const changes: HoldersChanged["changes"] = made.map(({ blob, to }) => ({
      blob,
      added: [to],
      dropped: [] as NodeId[],
    }));
    await this.#init.proposer.propose({ kind: "holdersChanged", changes });
    this.#init.events.emit("copiesRepaired", { copies: made.length });
  }
}
