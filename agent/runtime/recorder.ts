import { LIMITS } from "../../shared/limits.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import type { Proposer } from "./proposer.ts";

interface Waiting {
  results: ReportedResult[];
  resolve: (index: number) => void;
  reject: (error: unknown) => void;
}

/** Gathers results for the ledger: one entry in flight, and all that arrived meanwhile in the next. */
export class Recorder {
  readonly #proposer: Proposer;
  readonly #term: number;
  readonly #appliedIndex: () => number;
  #queue: Waiting[] = [];
  #recording = false;

  constructor(proposer: Proposer, term: number, appliedIndex: () => number) {
    this.#proposer = proposer;
    this.#term = term;
    this.#appliedIndex = appliedIndex;
  }

  /** Resolves with an index at which these results are applied here. */
  record(results: ReportedResult[]): Promise<number> {
    if (results.length === 0) return Promise.resolve(this.#appliedIndex());
    return new Promise((resolve, reject) => {
      this.#queue.push({ results, resolve, reject });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#recording) return;
    this.#recording = true;
    while (this.#queue.length > 0) await this.#recordSome(this.#takeBatch());
    this.#recording = false;
  }

  async #recordSome(batch: Waiting[]): Promise<void> {
    try {
      const results = batch.flatMap((waiting) => waiting.results);
      await this.#proposer.propose({ kind: "resultsRecorded", term: this.#term, results });
      for (const { resolve } of batch) resolve(this.#appliedIndex());
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    let room: number = LIMITS.resultsPerEntryMax;
    for (
      let next = this.#queue[0];
      next && (batch.length === 0 || next.results.length <= room);
      next = this.#queue[0]
    ) {
      room -= next.results.length;
      batch.push(next);
      this.#queue.shift();
    }
    return batch;
  }
}
