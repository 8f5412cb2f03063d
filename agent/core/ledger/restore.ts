import type { KeptDrill } from "../../../shared/drill.ts";
import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import { isOpen, type StageTask } from "../../../shared/job.ts";
import type {
  KeptHolders,
  KeptInvite,
  KeptItem,
  KeptJob,
  KeptSetting,
  LedgerHead,
  LedgerRecord,
} from "../../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { settingFault } from "../../../shared/settings.ts";
import { invalid } from "../../../shared/wire/codec.ts";
import { decodeLedgerPiece } from "../../../shared/wire/ledger-snapshot.ts";
import { outputHeld } from "./job.ts";
import type { LedgerContents } from "./ledger.ts";
import {
  addModel,
  addPipeline,
  aliasModel,
  changeRule,
  decidePlacement,
  keepDecision,
  noPlanning,
  type Planning,
} from "./planning.ts";
import { placeFault, stageFault, stagesOf } from "./stages.ts";
import type { GrowingJob } from "./tasks.ts";

function* blobsIn({ jobs, planning }: LedgerContents): Generator<{ input: BlobHash; output: BlobHash | undefined }> {
  for (const job of jobs.values())
    for (const [item, { blob }] of job.inputs.entries()) yield { input: blob, output: outputHeld(job, item) };
  for (const { manifest } of planning.models.values())
    for (const { blob } of manifest.files) yield { input: blob, output: undefined };
}

/** As if each were agreed on anew. */
function planned(planning: Planning, record: LedgerRecord, jobs: ReadonlyMap<JobId, unknown>): Planning | Error {
  if (record.kind === "model") return addModel(planning, record);
  if (record.kind === "alias") return aliasModel(planning, record);
  if (record.kind === "pipeline") return addPipeline(planning, record);
  if (record.kind === "rule") return changeRule(planning, record);
  if (record.kind === "placement") return decidePlacement(planning, record);
  if (record.kind === "decision" && jobs.has(record.jobId)) return keepDecision(planning, record);
  return invalid("a record has no place here");
}

/** Puts a ledger together from the pieces of a snapshot, in their order. Nothing is believed that no ledger could say. */
export class LedgerBuilder {
  #contents: LedgerContents | undefined;
  readonly #keys = new Set<string>();
  #job: GrowingJob | undefined;
  /** Items of that job that are still to come. */
  #itemsDue = 0;
  /** Tasks of that job, if it is a stage job. */
  readonly #tasks = new Set<string>();
  /** Walks over the items of all jobs once the last is here: whose holders come next. */
  #due: Iterator<{ input: BlobHash; output: BlobHash | undefined }> | undefined;

  /** @throws FRAME_INVALID */
  take(piece: Uint8Array): void {
    for (const record of decodeLedgerPiece(piece)) this.#take(record);
  }

  /** @throws FRAME_INVALID if something is missing, or this is not the ledger at `index`. */
  finish(index: number): LedgerContents {
    this.#closeJob();
    const contents = this.#begun();
    if (!this.#nextDue().done) throw invalid("the holders of an item are missing");
    for (const job of contents.jobs.values())
      if (job.form && stagesOf(contents, job).length < job.form.segments.length - 1)
        throw invalid(`${job.jobId} lacks a stage`);
    if (contents.appliedIndex !== index) throw invalid(`the ledger is that of entry ${contents.appliedIndex}`);
    return contents;
  }

  #take(record: LedgerRecord): void {
    if (record.kind === "head") this.#takeHead(record);
    else if (record.kind === "invites") this.#takeInvites(record.invites);
    else if (record.kind === "settings") this.#takeSettings(record.settings);
    else if (record.kind === "drills") this.#takeDrills(record.drills);
    else if (record.kind === "job") this.#takeJob(record);
    else if (record.kind === "items") for (const item of record.items) this.#takeItem(item);
    else if (record.kind === "holders") for (const holders of record.holders) this.#takeHolders(holders);
    else this.#takePlanning(record);
  }

  #takePlanning(record: LedgerRecord): void {
    const contents = this.#begun();
    if (this.#due) throw invalid("models and plans come before the holders");
    const changed = planned(contents.planning, record, contents.jobs);
    if (changed instanceof Error || changed === contents.planning) throw invalid("a model or a plan cannot be");
    contents.planning = changed;
  }

  #begun(): LedgerContents {
    if (!this.#contents) throw invalid("the ledger has no head");
    return this.#contents;
  }

  #takeHead({ appliedIndex, fleetId, fleetName, roster, lastRecovery, recordingTerm, drill }: LedgerHead): void {
    if (this.#contents) throw invalid("the ledger has two heads");
    const known = new Map(roster.map((node) => [node.nodeId, node]));
    if (known.size < roster.length) throw invalid("a node is on the roster twice");
    this.#contents = {
      appliedIndex,
      fleetId,
      fleetName,
      roster: known,
      lastRecovery,
      invites: new Map(),
      settings: new Map(),
      jobs: new Map(),
      holders: new Map(),
      drills: { running: drill, kept: [] },
      planning: noPlanning,
      recordingTerm,
    };
  }

  #takeInvites(invites: readonly KeptInvite[]): void {
    const known = this.#begun().invites;
    for (const invite of invites) {
      if (known.has(invite.inviteId)) throw invalid("an invitation is there twice");
      known.set(invite.inviteId, invite);
    }
  }

  #takeSettings(settings: readonly KeptSetting[]): void {
    const known = this.#begun().settings;
    for (const { name, value } of settings) {
      if (value === "" || settingFault(name, value)) throw invalid("a setting is none");
      if (known.has(name)) throw invalid("a setting is there twice");
      known.set(name, value);
    }
  }

  #takeDrills(drills: readonly KeptDrill[]): void {
    const contents = this.#begun();
    const kept = [...contents.drills.kept, ...drills];
    if (kept.length > LIMITS.drillsKept) throw invalid("more drills are kept than any ledger keeps");
    contents.drills = { ...contents.drills, kept };
  }

  #takeJob({ kind: _kind, items, ...kept }: KeptJob & { kind: "job" }): void {
    const { jobs, appliedIndex } = this.#begun();
    const before = this.#job?.submittedAtIndex ?? 0;
    this.#closeJob();
    if (this.#due) throw invalid(`${kept.jobId} comes after the holders`);
    if (jobs.has(kept.jobId) || (!kept.parent && this.#keys.has(kept.idempotencyKey)))
      throw invalid(`${kept.jobId} is there twice`);
    const isNext = kept.submittedAtIndex > before || (kept.parent && kept.submittedAtIndex === before);
    if (!isNext || kept.submittedAtIndex > appliedIndex) throw invalid(`${kept.jobId} is out of order`);
    if ((kept.endedAtMs === undefined) !== isOpen(kept.state)) throw invalid(`${kept.jobId} has ended and has not`);
    this.#job = {
      ...kept,
      endedAtMs: kept.endedAtMs,
      deadlineAtMs: kept.deadlineAtMs,
      staged: kept.staged === true,
      cut: kept.cut ?? "auto",
      form: kept.form,
      parent: kept.parent,
      inputs: [],
      tasks: [],
      results: [],
      recordedCount: 0,
      failedCount: 0,
    };
    this.#itemsDue = items;
    const fault = stageFault(jobs, this.#job);
    if (fault) throw invalid(`${kept.jobId} ${fault}`);
    if (!kept.parent) this.#keys.add(kept.idempotencyKey);
    jobs.set(kept.jobId, this.#job);
  }

  #takeItem({ result, task, ...input }: KeptItem): void {
    const job = this.#job;
    if (!job || this.#itemsDue === 0) throw invalid("an item belongs to no job");
    this.#itemsDue--;
    const fault = placeFault(this.#begun().jobs, job, task, input);
    if (fault) throw invalid(`an item of ${job.jobId} ${fault}`);
    if (task) this.#takeTask(job, task);
    const item = job.inputs.push(input) - 1;
    if (!result) {
      job.results.push(undefined);
      return;
    }
    if (result.recordedAtIndex <= job.submittedAtIndex || result.recordedAtIndex > this.#begun().appliedIndex)
      throw invalid(`item ${item} of ${job.jobId} was recorded out of order`);
    job.results.push({ ...result, item, name: input.name, input: input.blob });
    job.recordedCount++;
    if (result.error) job.failedCount++;
  }

  #takeTask(job: GrowingJob, task: StageTask): void {
    const name = `${task.item} ${task.slice?.from}`;
    if (this.#tasks.has(name)) throw invalid(`${job.jobId} has a task twice`);
    this.#tasks.add(name);
    job.tasks.push(task);
  }

  #takeHolders({ input, output }: KeptHolders): void {
    this.#closeJob();
    const due = this.#nextDue();
    if (due.done) throw invalid("these are the holders of no item");
    this.#hold(due.value.input, input);
    if (due.value.output) this.#hold(due.value.output, output);
    else if (output.length > 0) throw invalid("there is no output to be held");
  }

  #nextDue(): IteratorResult<{ input: BlobHash; output: BlobHash | undefined }> {
    this.#due ??= blobsIn(this.#begun());
    return this.#due.next();
  }

  #hold(blob: BlobHash, nodes: readonly NodeId[]): void {
    const { holders, roster } = this.#begun();
    const known = holders.get(blob);
    const told = new Set(nodes);
    if (told.size < nodes.length || !nodes.every((node) => roster.has(node))) throw invalid("a holder cannot be");
    if (known && (known.size !== told.size || !nodes.every((node) => known.has(node))))
      throw invalid("the holders of a blob are told in two ways");
    if (!known) holders.set(blob, told);
  }

  #closeJob(): void {
    const job = this.#job;
    if (!job) return;
    if (this.#itemsDue > 0) throw invalid(`${job.jobId} lacks ${this.#itemsDue} items`);
    const isWhole = job.recordedCount === job.inputs.length;
    if (!job.parent && isWhole !== (job.state === "done")) throw invalid(`${job.jobId} is ${job.state} and cannot be`);
    this.#job = undefined;
    this.#tasks.clear();
  }
}
