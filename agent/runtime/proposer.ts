import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LedgerEntry } from "../../shared/ledger-entry.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Answer } from "../../shared/peer-requests.ts";
import { decodeLedgerEntry, encodeLedgerEntry } from "../../shared/wire/ledger.ts";
import type { LedgerOutcome } from "../core/ledger/index.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay, within } from "./waiting.ts";

export interface ProposerInit {
  noQuorum: () => SkeinError | undefined;
  /** False: outcomes cannot be seen here. */
  holdsLedger: () => boolean;
  /** Linked members, the leader first. */
  members: () => NodeId[];
}

interface Place {
  index: number;
  term: number;
}
type Settled = { term: number; outcome: LedgerOutcome | undefined };

/** Outcomes kept for an answer that arrives after its entry was applied here. */
const OUTCOMES_KEPT = 1_024;
/** Pause before a proposal is offered again: about what an election takes. */
const RETRY_MS = 100;

/**
 * Gets an entry into the ledger from any node: offers it to the leader, whoever that is, and waits until it is applied on
 * this node's own ledger, so that whoever asked reads what it wrote. An entry that is idempotent by its ids may be offered
 * twice when a leader dies in between; one that is not is offered again only when it is certain that it was not taken.
 */
export class Proposer {
  readonly #driver: RaftDriver;
  readonly #peers: Peers;
  readonly #world: Surroundings;
  readonly #init: ProposerInit;
  readonly #waiting = new Map<number, ((settled: Settled | undefined) => void)[]>();
  readonly #recent = new Map<number, Settled>();
  #underWay = 0;
  #offered: { leader: NodeId; given: AbortController } | undefined;

  constructor(driver: RaftDriver, peers: Peers, world: Surroundings, init: ProposerInit) {
    this.#driver = driver;
    this.#peers = peers;
    this.#world = world;
    this.#init = init;
    peers.answer("propose", async (_from, { entry }) => {
      // What does not decode is refused before it can enter the log.
      decodeLedgerEntry(entry);
      return this.#proposeHere(entry);
    });
    peers.answer("record", (_from, { entry }) => this.#recordFor(entry));
  }

  /** Called for every entry that is applied here, in order. */
  applied(index: number, term: number, outcome: LedgerOutcome | undefined): void {
    this.#recent.set(index, { term, outcome });
    this.#recent.delete(index - OUTCOMES_KEPT);
    for (const settle of this.#waiting.get(index) ?? []) settle({ term, outcome });
    this.#waiting.delete(index);
  }

  /** A snapshot took the place of everything up to here: whoever waits for an entry in it cannot see what became of it. */
  skippedTo(index: number): void {
    this.#recent.clear();
    for (const [at, settles] of [...this.#waiting]) {
      if (at > index) continue;
      this.#waiting.delete(at);
      for (const settle of settles) settle(undefined);
    }
  }

  /** Nobody waits any longer for the answer of a leader that is frozen or unplugged once another leads. */
  leaderChanged(leader: NodeId): void {
    if (!this.#offered || this.#offered.leader === leader) return;
    const { leader: peer, given } = this.#offered;
    this.#offered = undefined;
    given.abort(new SkeinError("PEER_UNREACHABLE", { peer, reason: "another node leads now" }));
  }

  /**
   * @returns what the ledger made of it.
   * @throws TOO_LARGE, NO_QUORUM at once when too few voters are reachable, PROPOSAL_DROPPED when nothing was agreed in time,
   *   OUTCOME_UNKNOWN when an entry that must not be offered twice may have been taken, PEER_BUSY when too many are under
   *   way here already, and whatever the ledger refused it with.
   */
  async propose(entry: LedgerEntry): Promise<LedgerOutcome & { applied: true }> {
    if (this.#underWay >= LIMITS.proposalsMax)
      throw new SkeinError("PEER_BUSY", {
        peer: this.#peers.self,
        reason: `${this.#underWay} proposals are under way`,
      });
    this.#underWay++;
    try {
      return await this.#seeThrough(entry);
    } finally {
      this.#underWay--;
    }
  }

  get underWay(): number {
    return this.#underWay;
  }

  async #seeThrough(entry: LedgerEntry): Promise<LedgerOutcome & { applied: true }> {
    const { clock } = this.#world;
    const endsAtMs = clock.monotonicMs() + TIMING.proposalDeadlineMs;
    const bytes = encodeLedgerEntry(entry);
    if (bytes.length > LIMITS.entryBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: "The list of inputs",
        actual: bytes.length,
        limit: LIMITS.entryBytesMax,
      });
    let lastFault = "no leader";
    while (clock.monotonicMs() < endsAtMs) {
      const missing = this.#init.noQuorum();
      if (missing) throw missing;
      try {
        if (!this.#init.holdsLedger()) return await this.#recordElsewhere(bytes);
        const place = await this.#offer(bytes);
        const settled = await within(clock, endsAtMs - clock.monotonicMs(), this.#settled(place.index));
        // Another term at that index: the leader that took it was deposed and the entry overwritten.
        if (settled?.term === place.term && settled.outcome) return this.#unwrap(settled.outcome);
        lastFault = settled ? "the leader changed" : "what became of it was not seen here in time";
        if (!settled && !isIdempotent(entry)) throw unknown(lastFault);
      } catch (error) {
        if (!isWorthRetrying(error)) throw error;
        lastFault = SkeinError.from(error).message;
        if (!isRefusal(error) && !isIdempotent(entry)) throw unknown(lastFault);
      }
      await delay(clock, RETRY_MS);
    }
    throw this.#init.noQuorum() ?? new SkeinError("PROPOSAL_DROPPED", { reason: lastFault });
  }

  #unwrap(outcome: LedgerOutcome): LedgerOutcome & { applied: true } {
    if (!outcome.applied) throw outcome.error;
    return outcome;
  }

  /** Without a ledger of its own this node cannot see what becomes of the entry; a member sees it through. */
  async #recordElsewhere(entry: Uint8Array): Promise<LedgerOutcome & { applied: true }> {
    const deadlineMs = TIMING.proposalDeadlineMs + TIMING.requestDeadlineMs;
    for (const member of this.#init.members()) {
      try {
        return { applied: true, events: [], ...(await this.#peers.ask(member, "record", { entry }, { deadlineMs })) };
      } catch (error) {
        if (SkeinError.from(error).code !== "NOT_A_MEMBER") throw error;
      }
    }
    throw new SkeinError("NO_LEADER");
  }

  async #recordFor(entry: Uint8Array): Promise<Answer<"record">> {
    if (!this.#init.holdsLedger()) throw new SkeinError("NOT_A_MEMBER", { peer: this.#peers.self });
    const { jobId, existing } = await this.propose(decodeLedgerEntry(entry));
    return { ...(jobId === undefined ? {} : { jobId, existing: existing ?? false }) };
  }

  async #offer(entry: Uint8Array): Promise<Place> {
    const { leader } = this.#driver.status();
    if (!leader) throw new SkeinError("NO_LEADER");
    if (leader === this.#peers.self) return this.#proposeHere(entry);
    this.leaderChanged(leader);
    this.#offered ??= { leader, given: new AbortController() };
    return this.#peers.ask(leader, "propose", { entry }, { signal: this.#offered.given.signal });
  }

  #proposeHere(entry: Uint8Array): Place {
    const result = this.#driver.raft.propose(entry);
    this.#driver.after();
    if (result.accepted) return { index: result.index, term: result.term };
    if (result.reason === "notLeader") throw new SkeinError("NOT_LEADER", { leader: this.#driver.status().leader });
    throw new SkeinError("PROPOSAL_DROPPED", { reason: result.reason });
  }

  #settled(index: number): Promise<Settled | undefined> {
    const known = this.#recent.get(index);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => {
      this.#waiting.set(index, [...(this.#waiting.get(index) ?? []), resolve]);
    });
  }
}

/** Two writes of one setting, or of one alias, with another's between them would undo that one. */
const isIdempotent = (entry: LedgerEntry): boolean => entry.kind !== "settingChanged" && entry.kind !== "modelAliased";

/** Said before anything entered a log. Of an answer that did not arrive nobody knows. */
const isRefusal = (error: unknown): boolean =>
  ["NO_LEADER", "NOT_LEADER", "NOT_A_MEMBER", "PEER_BUSY", "PROPOSAL_DROPPED"].includes(SkeinError.from(error).code);

const unknown = (reason: string): SkeinError => new SkeinError("OUTCOME_UNKNOWN", { reason });

const isWorthRetrying = (error: unknown): boolean =>
  [
    "NO_LEADER",
    "NOT_LEADER",
    "NOT_A_MEMBER",
    "PEER_UNREACHABLE",
    "PEER_BUSY",
    "DEADLINE_EXCEEDED",
    "PROPOSAL_DROPPED",
  ].includes(SkeinError.from(error).code);
