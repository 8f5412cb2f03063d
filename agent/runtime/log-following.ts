import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { RaftEntry } from "../../shared/raft.ts";
import { decodeLedgerEntry } from "../../shared/wire/ledger.ts";
import type { JobRecord, Ledger, LedgerEvent, LedgerOutcome } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";
import type { FleetMoves } from "./fleet-moves.ts";
import type { Leadership } from "./leadership.ts";
import type { LedgerNews } from "./ledger-news.ts";
import type { ModelKeeper } from "./models/keeper.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Reader } from "./reader.ts";
import type { Standing } from "./standing.ts";
import type { Sweep } from "./sweep.ts";

export interface LogFollowingInit {
  ledger: Ledger;
  driver: RaftDriver;
  proposer: Proposer;
  reader: Reader;
  standing: Standing;
  events: Events;
  news: LedgerNews;
  leadership: Leadership;
  fleetMoves: FleetMoves;
  sweep: Sweep;
  keeper: ModelKeeper;
}

/** Brings what the log agreed on into the ledger, and tells every part that waits for it or acts on it. */
export class LogFollowing {
  readonly #init: LogFollowingInit;

  constructor(init: LogFollowingInit) {
    this.#init = init;
  }

  apply(entry: RaftEntry): void {
    const { ledger, proposer, reader, standing, driver, leadership, fleetMoves } = this.#init;
    if (entry.kind !== "normal" || entry.data.length === 0) {
      ledger.pass(entry.index);
      proposer.applied(entry.index, entry.term, undefined);
      if (entry.kind === "configuration") fleetMoves.rosterChanged();
    } else {
      this.#applyLedgerEntry(entry);
    }
    reader.applied(entry.index);
    standing.moved();
    if (leadership.isLeading) return;
    // A leader's first committed entry of its own term proves that it may speak for the log.
    const { role, term } = driver.status();
    if (role === "leader" && entry.term === term) leadership.begin(term);
  }

  /** A snapshot took the place of entries that were never applied here. */
  restored(index: number, before: ReadonlyMap<JobId, JobRecord>): void {
    const { ledger, proposer, reader, standing, news, fleetMoves, keeper } = this.#init;
    proposer.skippedTo(index);
    reader.applied(index);
    standing.moved();
    fleetMoves.rosterChanged();
    news.restored(ledger, before);
    keeper.moved();
  }

  #applyLedgerEntry(entry: RaftEntry): void {
    const { ledger, proposer, events } = this.#init;
    let outcome: LedgerOutcome;
    try {
      outcome = ledger.apply(decodeLedgerEntry(entry.data), entry.index);
    } catch (error) {
      // Undecodable here is undecodable everywhere: a recorded no-op, and never the end of an agent.
      const fault = SkeinError.from(error);
      if (fault.code !== "FRAME_INVALID") throw error;
      ledger.pass(entry.index);
      events.emit("ledgerEntryUnreadable", { index: entry.index, reason: fault.message }, "error");
      outcome = { applied: false, error: fault, events: [] };
    }
    for (const event of outcome.events) this.#moved(event);
    proposer.applied(entry.index, entry.term, outcome);
  }

  #moved(event: LedgerEvent): void {
    const { fleetMoves, news, leadership, sweep, keeper } = this.#init;
    if (event.kind === "rosterChanged") fleetMoves.rosterChanged();
    news.moved(event);
    leadership.ledgerMoved(event);
    sweep.ledgerMoved(event);
    if (event.kind === "placementDecided" || event.kind === "modelRemoved") keeper.moved();
  }
}
