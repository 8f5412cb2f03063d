import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LeasedItem } from "../../shared/peer-requests.ts";
import { startOf } from "../../shared/task-start.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import {
  type JobRecord,
  type Ledger,
  type LedgerEvent,
  type SomeTasks,
  Speculation,
  stagesOf,
  taskOf,
} from "../core/ledger/index.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RecorderInit {
  term: number;
  ledger: Ledger;
  proposer: Pick<Proposer, "propose">;
  /** May be leased ahead of what is being recorded. */
  onExpected: (tasks: SomeTasks) => void;
  /** Leased ahead of something that came otherwise. */
  onVain: (tasks: SomeTasks) => void;
}

interface Place {
  jobId: JobId;
  item: number;
}

interface Waiting {
  results: { result: ReportedResult; basis: BlobHash | undefined }[];
  resolve: (index: number) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers results for the ledger: one entry in flight, and all that arrived meanwhile in the next, in the order in which they
 * arrived. What they will open is told at once. A result of a task that was leased ahead waits here until the ledger has opened
 * that task, and is put into an entry only if it opened it as it was leased; so no entry rests on one that is not agreed on, and
 * whoever applies them need not know of any of this.
 */
export class Recorder {
  readonly #sha256: Surroundings["sha256"];
  readonly #init: RecorderInit;
  readonly #speculation: Speculation;
  /** Bases of tasks that the ledger opened as they were leased ahead, until they are recorded: what they start from may be lost since. */
  readonly #agreed = new Map<JobId, Map<number, BlobHash>>();
  readonly #digests = new WeakMap<LeasedItem, BlobHash>();
  #queue: Waiting[] = [];
  #recording = false;

  constructor({ sha256 }: Pick<Surroundings, "sha256">, init: RecorderInit) {
    this.#sha256 = sha256;
    this.#init = init;
    this.#speculation = new Speculation(init.ledger);
  }

  /** Resolves with an index at which these results are applied here; one that rests on what did not come to be is left out. */
  record(results: ReportedResult[], bases: readonly (BlobHash | undefined)[] = []): Promise<number> {
    const { ledger } = this.#init;
    if (results.length === 0) return Promise.resolve(ledger.appliedIndex);
    return new Promise((resolve, reject) => {
      const based = results.map((result, n) => ({ result, basis: bases[n] ?? this.#expected(result) }));
      this.#queue.push({ results: based, resolve, reject });
      this.#tellExpected(results);
      void this.#drain();
    });
  }

  /** Resolves when the ledger has opened all that is expected now, as far as it does. @throws as `record`, of what comes before */
  async reached(): Promise<void> {
    if (this.#recording)
      await new Promise((resolve, reject) => {
        this.#queue.push({ results: [], resolve, reject });
      });
  }

  /** Whether the task of such a lease is open or recorded, or expected still. */
  holds(place: Place, basis: BlobHash): boolean {
    return this.#isOpened(place, basis) || this.#isExpected(place, basis);
  }

  /** A task as it is to be leased ahead; undefined for one that is open, or that nobody expects. */
  ahead({ jobId, item }: Place): LeasedItem | undefined {
    const task = this.#speculation.taskAt(jobId, item);
    return task && { ...task, basis: this.#basisOf(task) };
  }

  /** As the ledger says; of what it knows nobody to hold, those of results that are on their way to it. */
  holdersOf(jobId: JobId, blob: BlobHash): readonly NodeId[] {
    const known = this.#init.ledger.holdersOf(blob);
    return known.length > 0 ? known : this.#speculation.holdersOf(jobId, blob);
  }

  /** To be called before anything is leased for what the ledger says. */
  ledgerMoved(event: LedgerEvent): void {
    if (event.kind === "resultsRecorded") this.#recorded(event.job, itemsOf(event.results));
    if (event.kind === "jobEnded") this.#ended(event.job);
    if (event.kind === "tasksOpened") this.#opened(event.job, event.items);
  }

  #recorded(job: JobRecord, items: readonly number[]): void {
    this.#speculation.recorded(job, items);
    const agreed = this.#agreed.get(job.jobId);
    for (const item of items) agreed?.delete(item);
  }

  #ended(job: JobRecord): void {
    this.#speculation.forget(job.jobId);
    for (const { jobId } of [job, ...stagesOf(this.#init.ledger, job)]) this.#agreed.delete(jobId);
  }

  #opened(job: JobRecord, items: readonly number[]): void {
    const { jobId } = job;
    const { agreed, vain } = this.#speculation.opened(job, items);
    if (agreed.length > 0) {
      const known = this.#agreed.get(jobId) ?? new Map<number, BlobHash>();
      this.#agreed.set(jobId, known);
      for (const task of agreed) known.set(task.item, this.#basisOf(task));
    }
    if (vain.length > 0) this.#init.onVain({ jobId, items: vain });
  }

  /** SHA-256. */
  #basisOf(task: LeasedItem): BlobHash {
    const digest = this.#digests.get(task) ?? this.#sha256(new TextEncoder().encode(startOf(task)));
    this.#digests.set(task, digest);
    return digest;
  }

  /** Together, so that they are shared out together. */
  #tellExpected(results: readonly ReportedResult[]): void {
    const byJob = new Map<JobId, number[]>();
    for (const { jobId, items } of results.flatMap((result) => this.#speculation.expect(result))) {
      const known = byJob.get(jobId);
      if (known) known.push(...items);
      else byJob.set(jobId, items);
    }
    for (const [jobId, items] of byJob) this.#init.onExpected({ jobId, items });
  }

  async #drain(): Promise<void> {
    if (this.#recording) return;
    this.#recording = true;
    while (this.#queue.length > 0) await this.#recordSome(this.#takeBatch());
    this.#recording = false;
  }

  async #recordSome(batch: Waiting[]): Promise<void> {
    const { proposer, term, ledger } = this.#init;
    try {
      const results = batch.flatMap((waiting) =>
        waiting.results.filter(({ result, basis }) => this.#isOpened(result, basis)),
      );
      if (results.length > 0)
        await proposer.propose({ kind: "resultsRecorded", term, results: results.map(({ result }) => result) });
      for (const { resolve } of batch) resolve(ledger.appliedIndex);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    for (const { results } of batch) for (const { result } of results) this.#settle(result);
  }

  #settle(result: ReportedResult): void {
    for (const tasks of this.#speculation.settled(result)) this.#init.onVain(tasks);
  }

  /** The first never wait: all that they rest on is behind them, for better or worse. */
  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    let room: number = LIMITS.resultsPerEntryMax;
    for (
      let next = this.#queue[0];
      next &&
      (batch.length === 0 ||
        (next.results.length <= room && !next.results.some(({ result, basis }) => this.#isExpected(result, basis))));
      next = this.#queue[0]
    ) {
      room -= next.results.length;
      batch.push(next);
      this.#queue.shift();
    }
    return batch;
  }

  #expected({ jobId, item }: Place): BlobHash | undefined {
    const expected = this.#speculation.taskAt(jobId, item);
    return expected && this.#basisOf(expected);
  }

  #isExpected(place: Place, basis: BlobHash | undefined): boolean {
    return basis !== undefined && basis === this.#expected(place);
  }

  /** The ledger says of its task what its lease said, or did when it opened it. */
  #isOpened({ jobId, item }: Place, basis: BlobHash | undefined): boolean {
    if (basis === undefined || basis === this.#agreed.get(jobId)?.get(item)) return true;
    const { ledger } = this.#init;
    const job = ledger.jobs.get(jobId);
    const task = job && taskOf(ledger, job, item);
    return task !== undefined && basis === this.#basisOf(task);
  }
}

const itemsOf = (results: readonly { item: number }[]): number[] => results.map(({ item }) => item);
