import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, JobId } from "../../../shared/ids.ts";
import { isOpen, type RecordedResult } from "../../../shared/job.ts";
import type {
  JobCancelled,
  JobFormed,
  JobPaused,
  JobSubmitted,
  ResultsLost,
  ResultsRecorded,
} from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { BlobHolders } from "./holders.ts";
import { blobsOf, ignoreReport, type JobRecord, openJob, unrecordedItems } from "./job.ts";
import type { LedgerContents } from "./ledger.ts";
import { applied, type LedgerEvent, type LedgerOutcome, refused, tooMany, unknown } from "./outcome.ts";
import { forgetDecisions } from "./planning.ts";
import { failedItem, formRefusal, stageJobs, stagesOf } from "./stages.ts";
import type { TaskChanges } from "./staging.ts";
import { type StagedPart, Stagings, taskEvents } from "./stagings.ts";
import type { LedgerStill } from "./still.ts";

/** What the entries about jobs do to a ledger. */
export class Jobs {
  readonly #ledger: LedgerContents;
  readonly #held: BlobHolders;
  readonly #still: () => LedgerStill | undefined;
  #byKey = new Map<string, JobId>();
  #stagings = new Stagings();

  constructor(ledger: LedgerContents, held: BlobHolders, still: () => LedgerStill | undefined) {
    this.#ledger = ledger;
    this.#held = held;
    this.#still = still;
  }

  get #jobs(): Map<JobId, JobRecord> {
    return this.#ledger.jobs;
  }

  restore(): void {
    const submitted = [...this.#jobs.values()].filter(({ parent }) => !parent);
    this.#byKey = new Map(submitted.map((job) => [job.idempotencyKey, job.jobId]));
    this.#stagings = new Stagings(this.#jobs);
  }

  ofKey(key: string): JobRecord | undefined {
    const jobId = this.#byKey.get(key);
    return jobId === undefined ? undefined : this.#jobs.get(jobId);
  }

  /** Without their stage jobs. */
  open(): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => isOpen(job.state) && !job.parent);
  }

  stagingOf(job: JobRecord): StagedPart | undefined {
    return this.#stagings.of(job);
  }

  submit(entry: JobSubmitted, index: number): LedgerOutcome {
    const first = this.ofKey(entry.idempotencyKey);
    if (first) return this.#submitAgain(first, entry);
    if (this.open().length >= LIMITS.jobsOpenMax)
      return { applied: false, error: tooMany("open jobs", LIMITS.jobsOpenMax), events: [] };
    if (this.#jobs.has(entry.jobId)) return refused("a job of that id exists");
    const job = openJob(entry, index);
    this.#jobs.set(job.jobId, job);
    this.#byKey.set(entry.idempotencyKey, job.jobId);
    for (const input of job.inputs) this.#held.add(input.blob, job.copies, entry.holders);
    const events: LedgerEvent[] = [{ kind: "jobSubmitted", job }];
    if (job.inputs.length === 0) events.push(...this.#end(job, "done", entry.submittedAtMs));
    return { applied: true, jobId: job.jobId, existing: false, events };
  }

  /** Two submits under one key are one job, if they ask for the same. */
  #submitAgain(first: JobRecord, entry: JobSubmitted): LedgerOutcome {
    const same =
      first.pipeline === entry.pipeline &&
      first.inputs.length === entry.inputs.length &&
      first.inputs.every((input, i) => input.blob === entry.inputs[i]?.blob && input.name === entry.inputs[i]?.name);
    if (same) return { applied: true, jobId: first.jobId, existing: true, events: [] };
    const facts = { key: entry.idempotencyKey, jobId: first.jobId };
    return { applied: false, error: new SkeinError("IDEMPOTENCY_CONFLICT", facts), events: [] };
  }

  cancel(entry: JobCancelled): LedgerOutcome {
    const job = this.#submitted(entry.jobId);
    if (!job) return unknown(entry.jobId);
    if (job.state === "cancelled") return applied([]);
    if (!isOpen(job.state)) return refused("the job has ended already");
    return applied(this.#end(job, "cancelled", entry.cancelledAtMs));
  }

  pause({ jobId, paused }: JobPaused): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (!isOpen(job.state)) return refused("the job has ended already");
    for (const one of this.#changing(job)) one.state = paused ? "paused" : "running";
    return applied([{ kind: "jobPaused", job }]);
  }

  expire(jobId: JobId, expiredAtMs: number): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (!isOpen(job.state) || job.deadlineAtMs === undefined) return applied([]);
    return applied(this.#end(job, "expired", expiredAtMs));
  }

  /** Only of jobs that have ended, so that nothing open loses what it stands on. */
  forget(jobIds: readonly JobId[]): LedgerOutcome {
    const ended = jobIds.flatMap((jobId) => this.#submitted(jobId) ?? []).filter((job) => !isOpen(job.state));
    const blobs: BlobHash[] = [];
    const stages = ended.flatMap((job) => stagesOf(this.#ledger, job));
    for (const { jobId } of stages) this.#jobs.delete(jobId);
    for (const job of ended) {
      if (!this.#jobs.delete(job.jobId)) continue;
      this.#byKey.delete(job.idempotencyKey);
      for (const blob of blobsOf(job)) if (this.#held.letGo(blob, job.copies)) blobs.push(blob);
    }
    const forgotten = ended.map(({ jobId }) => jobId);
    this.#ledger.planning = forgetDecisions(this.#ledger.planning, [...forgotten, ...stages.map(({ jobId }) => jobId)]);
    return applied([{ kind: "jobsForgotten", jobIds: forgotten, blobs }]);
  }

  /** First record of an item wins; whatever comes later is counted and ignored. */
  record(entry: ResultsRecorded, index: number): LedgerOutcome {
    if (entry.term < this.#ledger.recordingTerm)
      return refused(
        `the leader of term ${entry.term} was deposed; results are recorded in term ${this.#ledger.recordingTerm}`,
      );
    this.#ledger.recordingTerm = entry.term;
    const fresh = new Map<JobRecord, RecordedResult[]>();
    const changes: TaskChanges = new Map();
    for (const { jobId, ...result } of entry.results) {
      const job = this.#jobs.get(jobId);
      // Of a job that is not formed yet nobody can have done anything.
      if (!job?.inputs[result.item] || (job.staged && !job.form)) continue;
      this.#changing(job);
      const staged = this.#stagings.of(job);
      const task = staged?.staging.tasks.taskAt(staged.segment, result.item);
      if (!isOpen(job.state) || job.results[result.item] || (task && staged?.staging.tasks.hasEnded(task.item))) {
        const { item, node, shardId } = result;
        const because = job.results[item] ? "recorded" : "ended";
        ignoreReport(job, { item, node, shardId, because, atIndex: index });
        continue;
      }
      this.#keep(job, result, index, fresh);
      const fault = staged?.staging.recorded(staged.segment, result.item, changes);
      if (!staged || !task || !fault) continue;
      this.#keep(staged.staging.job, failedItem(result, staged.segment, task.item, fault), index, fresh);
      staged.staging.ended(task.item, changes);
    }
    const events: LedgerEvent[] = [];
    for (const [job, results] of fresh) events.push({ kind: "resultsRecorded", job, results });
    const ends: LedgerEvent[] = [];
    for (const [job, results] of fresh)
      if (job.recordedCount === job.inputs.length && !job.parent)
        ends.push(...this.#end(job, "done", Math.max(...results.map((result) => result.finishedAtMs))));
    return applied([...events, ...taskEvents(changes), ...ends]);
  }

  #keep(
    job: JobRecord,
    result: Omit<ResultsRecorded["results"][number], "jobId">,
    index: number,
    fresh: Map<JobRecord, RecordedResult[]>,
  ): void {
    const input = job.inputs[result.item]!;
    const recorded: RecordedResult = { ...result, name: input.name, input: input.blob, recordedAtIndex: index };
    job.results[result.item] = recorded;
    job.recordedCount++;
    if (result.error) job.failedCount++;
    if (result.output) this.#held.add(result.output, job.copies, result.holders);
    fresh.set(job, [...(fresh.get(job) ?? []), recorded]);
  }

  /** The first form holds. */
  form({ jobId, form }: JobFormed, index: number): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (job.form) return applied([]);
    const reason = formRefusal(job, form);
    if (reason)
      return { applied: false, error: new SkeinError("BAD_REQUEST", { reason: `form ${reason}` }), events: [] };
    const stages = stageJobs(job, form, index);
    if (stages.some((stage) => this.#jobs.has(stage.jobId))) return refused("a job of a stage's id exists");
    this.#changing(job);
    job.form = form;
    const changes: TaskChanges = new Map();
    for (const stage of stages) this.#jobs.set(stage.jobId, stage);
    if (stages.length > 0) this.#stagings.add(job, stages).begin(changes);
    else changes.set(job, new Map(unrecordedItems(job).map((item) => [item, true])));
    return applied([{ kind: "jobFormed", job, stages }, ...taskEvents(changes)]);
  }

  lose({ jobId, items }: ResultsLost): LedgerOutcome {
    const job = this.#jobs.get(jobId);
    const staged = job && this.#stagings.of(job);
    if (!job?.parent || !staged) return refused("there is no open stage job of that id");
    const { staging, segment } = staged;
    const lost = [...new Set(items)].filter((item) => staging.isNeeded(segment, item));
    if (lost.length === 0) return applied([]);
    this.#changing(job);
    const outputs = lost.map((item) => job.results[item]!.output!);
    const changes: TaskChanges = new Map();
    staging.lost(segment, lost, changes);
    const blobs = outputs.filter((output) => this.#held.letGo(output, job.copies));
    return applied([{ kind: "resultsLost", job, items: lost, blobs }, ...taskEvents(changes)]);
  }

  /** A job that somebody submitted: a stage job goes with its job, and nobody has a say in it. */
  #submitted(jobId: JobId): JobRecord | undefined {
    const job = this.#jobs.get(jobId);
    return job?.parent ? undefined : job;
  }

  /** The job and all that hangs together with it, told to be about to change. */
  #changing(job: JobRecord): JobRecord[] {
    const first = job.parent ? this.#jobs.get(job.parent.jobId)! : job;
    const all = [first, ...stagesOf(this.#ledger, first)];
    for (const one of all) this.#still()?.jobChanges(one);
    return all;
  }

  #end(job: JobRecord, state: "done" | "cancelled" | "expired", atMs: number): LedgerEvent[] {
    const [, ...stages] = this.#changing(job);
    const outputs = stages.flatMap((stage) => [...blobsOf(stage)].map((blob) => ({ blob, copies: stage.copies })));
    for (const one of [job, ...stages]) {
      one.state = state;
      one.endedAtMs = atMs;
    }
    this.#stagings.delete(job.jobId);
    const blobs = outputs.flatMap(({ blob, copies }) => (this.#held.letGo(blob, copies) ? [blob] : []));
    const letGo: LedgerEvent[] = stages.length > 0 ? [{ kind: "stagesLetGo", job, blobs }] : [];
    return [{ kind: "jobEnded", job }, ...letGo];
  }
}
