import { SkeinError } from "../../shared/errors.ts";
import { TIMING } from "../../shared/limits.ts";
import type { ReadState } from "../core/raft/index.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Surroundings } from "./surroundings.ts";

interface Waiting {
  endsAtMs: number;
  resolve(): void;
  reject(error: SkeinError): void;
}

/** A round without an answer is asked anew after this long: a message was lost, or the leader that took it is gone. */
const ASK_AGAIN_MS = 250;

/**
 * The read barrier of this node, leader or not: whoever has passed it reads from the ledger whatever was answered for
 * done before (ReadIndex). All who wait share a round, and those who come while one is under way share the next: a round
 * speaks only for those who were there when it began.
 */
export class Reader {
  readonly #driver: RaftDriver;
  readonly #world: Surroundings;
  readonly #noQuorum: () => SkeinError | undefined;
  /** Of this life: the answer to a question of an earlier one must not be taken for this one's. */
  readonly #life: string;
  #rounds = 0;
  #context = "";
  #askedAtMs = 0;
  #gathered: Waiting[] = [];
  #asking: Waiting[] = [];
  /** Answered, and waiting for the ledger to come as far; in the order of the indexes. */
  #behind: { index: number; readers: Waiting[] }[] = [];
  #appliedIndex = 0;
  #isWatching = false;

  constructor(driver: RaftDriver, world: Surroundings, noQuorum: () => SkeinError | undefined) {
    this.#driver = driver;
    this.#world = world;
    this.#noQuorum = noQuorum;
    this.#life = world.randomness.token(12);
  }

  /** @throws NO_QUORUM at once when too few voters are reachable, DEADLINE_EXCEEDED when no leader confirmed it in time. */
  barrier(): Promise<void> {
    const missing = this.#noQuorum();
    if (missing) return Promise.reject(missing);
    return new Promise((resolve, reject) => {
      const endsAtMs = this.#world.clock.monotonicMs() + TIMING.proposalDeadlineMs;
      this.#gathered.push({ endsAtMs, resolve, reject });
      this.#watch();
      this.#beginRound();
    });
  }

  /** Called for every entry that is applied here, in order. */
  applied(index: number): void {
    this.#appliedIndex = index;
    while (this.#behind.length > 0 && this.#behind[0]!.index <= index)
      for (const reader of this.#behind.shift()!.readers) reader.resolve();
  }

  answered({ context, index }: ReadState): void {
    if (this.#asking.length === 0 || new TextDecoder().decode(context) !== this.#context) return;
    // A leader never answers with less than an earlier one did, so these stay in order.
    this.#behind.push({ index, readers: this.#asking });
    this.#asking = [];
    this.applied(this.#appliedIndex);
    this.#beginRound();
  }

  /** Whoever was asked may not answer any more. */
  leaderChanged(): void {
    if (this.#asking.length > 0) this.#ask();
  }

  #beginRound(): void {
    if (this.#asking.length > 0 || this.#gathered.length === 0) return;
    this.#asking = this.#gathered;
    this.#gathered = [];
    this.#ask();
  }

  /** Never under a context used before: an answer to an earlier question came too early for this one. */
  #ask(): void {
    this.#context = `${this.#life}-${++this.#rounds}`;
    this.#askedAtMs = this.#world.clock.monotonicMs();
    // Not taken is as good as lost: it is asked again when a leader is known, or after a while.
    this.#driver.raft.readIndex(new TextEncoder().encode(this.#context));
    this.#driver.after();
  }

  /** One timer for all, and none when nobody waits. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#world.clock.after(ASK_AGAIN_MS, () => {
      this.#isWatching = false;
      this.#expire();
      const nowMs = this.#world.clock.monotonicMs();
      if (this.#asking.length > 0 && nowMs - this.#askedAtMs >= ASK_AGAIN_MS) this.#ask();
      this.#beginRound();
      if (this.#asking.length > 0 || this.#behind.length > 0) this.#watch();
    });
  }

  #expire(): void {
    const missing = this.#noQuorum();
    const nowMs = this.#world.clock.monotonicMs();
    const stillWaiting = (reader: Waiting): boolean => {
      const isLate = reader.endsAtMs <= nowMs;
      if (isLate || missing) reader.reject(missing ?? tooLate());
      return !isLate && !missing;
    };
    this.#gathered = this.#gathered.filter(stillWaiting);
    this.#asking = this.#asking.filter(stillWaiting);
    for (const behind of this.#behind) behind.readers = behind.readers.filter(stillWaiting);
    this.#behind = this.#behind.filter(({ readers }) => readers.length > 0);
  }
}

const tooLate = (): SkeinError =>
  new SkeinError("DEADLINE_EXCEEDED", { what: "The read", deadlineMs: TIMING.proposalDeadlineMs });
