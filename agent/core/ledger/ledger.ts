import { invariant, SkeinError } from "../../../shared/errors.ts";
import type { FleetRecovery, RosterNode } from "../../../shared/fleet.ts";
import type { BlobHash, FleetId, InviteId, JobId, NodeId } from "../../../shared/ids.ts";
import { isOpen, type RecordedResult } from "../../../shared/job.ts";
import { labelsFault } from "../../../shared/labels.ts";
import type {
  FleetRecovered,
  HoldersChanged,
  InviteIssued,
  JobCancelled,
  JobFormed,
  JobPaused,
  JobSubmitted,
  LedgerEntry,
  ModelAdded,
  ModelRemoved,
  NodeAdmitted,
  NodeDrained,
  NodeLabelled,
  ResultsLost,
  ResultsRecorded,
  SettingChanged,
} from "../../../shared/ledger-entry.ts";
import type { KeptInvite } from "../../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { modelReference } from "../../../shared/model.ts";
import { settingFault } from "../../../shared/settings.ts";
import { beginDrill, type Drills, endDrill, noDrills } from "./drills.ts";
import { blobsOf, ignoreReport, type JobRecord, openJob, unrecordedItems } from "./job.ts";
import {
  addModel,
  addPipeline,
  aliasModel,
  changeRule,
  decidePlacement,
  forgetDecisions,
  keepDecision,
  noPlanning,
  type Planning,
  removeModel,
  removePipeline,
} from "./planning.ts";
import { assertStageSound, failedItem, formRefusal, stageJobs, stagesOf } from "./stages.ts";
import type { TaskChanges } from "./staging.ts";
import { type StagedPart, Stagings, taskEvents } from "./stagings.ts";
import { LedgerStill } from "./still.ts";
import { BlobUses } from "./uses.ts";

/** What happened, for those who listen to the ledger. */
export type LedgerEvent =
  | { kind: "fleetFounded" }
  | { kind: "rosterChanged" }
  | { kind: "fleetRecovered"; recovery: FleetRecovery }
  | { kind: "jobSubmitted"; job: JobRecord }
  | { kind: "resultsRecorded"; job: JobRecord; results: RecordedResult[] }
  /** With its stage jobs, of which nothing is told. */
  | { kind: "jobPaused"; job: JobRecord }
  | { kind: "jobEnded"; job: JobRecord }
  /** It is known how a staged job is cut. Its open tasks, and those of its stage jobs, are told by `tasksOpened`. */
  | { kind: "jobFormed"; job: JobRecord; stages: readonly JobRecord[] }
  /** Of a staged job or of a stage job: all that these start from is there, for the first time or again. */
  | { kind: "tasksOpened"; job: JobRecord; items: number[] }
  /** They are not to be leased, or no longer: a part is lost and comes again, or their item has ended. */
  | { kind: "tasksClosed"; job: JobRecord; items: number[] }
  /** Of a stage job: they are recorded no more. Nothing stands on these blobs any more. */
  | { kind: "resultsLost"; job: JobRecord; items: number[]; blobs: BlobHash[] }
  /** Of a job that has ended: what its stage jobs made. Nothing stands on these blobs any more. */
  | { kind: "stagesLetGo"; job: JobRecord; blobs: BlobHash[] }
  /** No job stands on these blobs any more. */
  | { kind: "jobsForgotten"; jobIds: JobId[]; blobs: BlobHash[] }
  | { kind: "drillChanged" }
  | { kind: "modelAdded"; model: ModelAdded }
  /** Nothing stands on these blobs any more. */
  | { kind: "modelRemoved"; model: ModelAdded; blobs: BlobHash[] }
  | { kind: "pipelinesChanged" }
  | { kind: "rulesChanged" }
  | { kind: "placementDecided" }
  /** `changes` says how, unless it was a node that went with all it held. */
  | { kind: "holdersChanged"; blobs: BlobHash[]; changes: HoldersChanged["changes"] };

/** The answer to whoever proposed an entry. A refusal is a recorded no-op: every node refuses alike. */
export type LedgerOutcome =
  | { applied: true; jobId?: JobId; existing?: boolean; events: LedgerEvent[] }
  | { applied: false; error: SkeinError; events: LedgerEvent[] };

/** All that a ledger holds; see shared/ledger-snapshot.ts for how it is written down. */
export interface LedgerContents {
  appliedIndex: number;
  fleetId: FleetId | undefined;
  fleetName: string;
  roster: Map<NodeId, RosterNode>;
  lastRecovery: FleetRecovery | undefined;
  invites: Map<InviteId, KeptInvite>;
  settings: Map<string, string>;
  jobs: Map<JobId, JobRecord>;
  holders: Map<BlobHash, Set<NodeId>>;
  drills: Drills;
  planning: Planning;
  recordingTerm: number;
}

/**
 * The replicated state machine: what the agreed log means. `apply` is total and deterministic: an entry that no longer
 * makes sense is a recorded no-op, never a throw, because every node must do the same. Time comes inside entries.
 */
export class Ledger implements LedgerContents {
  fleetId: FleetId | undefined;
  fleetName = "";
  roster = new Map<NodeId, RosterNode>();
  lastRecovery: FleetRecovery | undefined;
  invites = new Map<InviteId, KeptInvite>();
  /** In the order of submission; stage jobs among them, in the order in which their jobs were formed. */
  jobs = new Map<JobId, JobRecord>();
  /** Who holds a blob that a job or a model stands on, as recorded: these blobs and no others. */
  holders = new Map<BlobHash, Set<NodeId>>();
  /** Invariant: no value is empty. */
  settings = new Map<string, string>();
  drills = noDrills;
  planning = noPlanning;
  /** The latest term in which results were recorded. A leader of an earlier one is deposed: its entries are refused. */
  recordingTerm = 0;
  #jobByKey = new Map<string, JobId>();
  #uses = new BlobUses();
  #stagings = new Stagings();
  /** Index of the last entry applied. */
  appliedIndex = 0;
  #rosterIndex = 0;
  /** Is told of each change before it is made, while it is being written down. */
  #still: LedgerStill | undefined;

  apply(entry: LedgerEntry, index: number): LedgerOutcome {
    invariant(index > this.appliedIndex, `entries are applied in order: ${index} after ${this.appliedIndex}`);
    this.appliedIndex = index;
    const outcome = this.#take(entry, index);
    if (outcome.events.some(({ kind }) => kind === "rosterChanged")) this.#rosterIndex = index;
    return outcome;
  }

  #take(entry: LedgerEntry, index: number): LedgerOutcome {
    switch (entry.kind) {
      case "fleetFounded":
        return this.#found(entry, index);
      case "inviteIssued":
        return this.#issueInvite(entry);
      case "nodeAdmitted":
        return this.#admit(entry, index);
      case "nodeRemoved":
        return this.#remove(entry.nodeId);
      case "nodeMoved":
        return this.#move(entry.nodeId, entry.addresses);
      case "nodeDrained":
        return this.#drain(entry);
      case "fleetRecovered":
        return this.#recover(entry, index);
      case "jobSubmitted":
        return this.#submit(entry, index);
      case "jobCancelled":
        return this.#cancel(entry);
      case "resultsRecorded":
        return this.#record(entry, index);
      case "holdersChanged":
        return this.#changeHolders(entry);
      case "settingChanged":
        return this.#changeSetting(entry);
      case "jobPaused":
        return this.#pause(entry);
      case "jobExpired":
        return this.#expire(entry.jobId, entry.expiredAtMs);
      case "jobsForgotten":
        return this.#forget(entry.jobIds);
      case "nodeLabelled":
        return this.#label(entry);
      case "drillBegun":
        return this.#changeDrills(beginDrill(this.drills, entry));
      case "drillEnded":
        return this.#changeDrills(endDrill(this.drills, entry));
      case "modelAdded":
        return this.#addModel(entry);
      case "modelRemoved":
        return this.#removeModel(entry);
      case "modelAliased":
        return this.#changePlanning(aliasModel(this.planning, entry));
      case "pipelineAdded":
        return this.#changePipelines(addPipeline(this.planning, entry));
      case "pipelineRemoved":
        return this.#changePipelines(removePipeline(this.planning, entry));
      case "ruleChanged":
        return this.#changePlanning(changeRule(this.planning, entry), { kind: "rulesChanged" });
      case "placementDecided":
        return this.#changePlanning(decidePlacement(this.planning, entry), { kind: "placementDecided" });
      case "jobPlanned":
        return this.jobs.has(entry.jobId)
          ? this.#changePlanning(keepDecision(this.planning, entry))
          : unknown(entry.jobId);
      case "jobFormed":
        return this.#form(entry, index);
      case "resultsLost":
        return this.#lose(entry);
    }
  }

  /** Entries that carry nothing for the ledger (a leader's no-op, a configuration) still move it on. */
  pass(index: number): void {
    invariant(index > this.appliedIndex, `entries are applied in order: ${index} after ${this.appliedIndex}`);
    this.appliedIndex = index;
  }

  /** The ledger as it is now, for a snapshot; the one held before is let go. */
  hold(): LedgerStill {
    this.#still = new LedgerStill(this);
    return this.#still;
  }

  letGo(): void {
    this.#still = undefined;
  }

  /** Becomes what a snapshot says, whatever it was. */
  restore(contents: LedgerContents): void {
    this.#still = undefined;
    this.appliedIndex = contents.appliedIndex;
    this.#rosterIndex = contents.appliedIndex;
    this.fleetId = contents.fleetId;
    this.fleetName = contents.fleetName;
    this.roster = contents.roster;
    this.lastRecovery = contents.lastRecovery;
    this.invites = contents.invites;
    this.settings = contents.settings;
    this.jobs = contents.jobs;
    this.holders = contents.holders;
    this.drills = contents.drills;
    this.planning = contents.planning;
    this.recordingTerm = contents.recordingTerm;
    this.#uses = new BlobUses();
    for (const job of contents.jobs.values()) for (const blob of blobsOf(job)) this.#uses.add(blob, job.copies);
    for (const { manifest, copies } of this.planning.models.values())
      for (const { blob } of manifest.files) this.#uses.add(blob, copies);
    const submitted = [...contents.jobs.values()].filter(({ parent }) => !parent);
    this.#jobByKey = new Map(submitted.map((job) => [job.idempotencyKey, job.jobId]));
    this.#stagings = new Stagings(contents.jobs);
  }

  /** Index at which the roster became what it is, or a later one up to which it stayed so: two that are equal name one roster. */
  get rosterIndex(): number {
    return this.#rosterIndex;
  }

  jobOfKey(key: string): JobRecord | undefined {
    const jobId = this.#jobByKey.get(key);
    return jobId === undefined ? undefined : this.jobs.get(jobId);
  }

  holdersOf(blob: BlobHash): NodeId[] {
    return [...(this.holders.get(blob) ?? [])];
  }

  /** On how many nodes a blob shall be: the most that any job which stands on it wants; 0 if none does. */
  copiesOf(blob: BlobHash): number {
    return this.#uses.copiesOf(blob);
  }

  /** Jobs that have not ended, paused ones among them, oldest first; without their stage jobs. */
  openJobs(): JobRecord[] {
    return [...this.jobs.values()].filter((job) => isOpen(job.state) && !job.parent);
  }

  /** Of an open job in several segments, or of a stage job of one. */
  stagingOf(job: JobRecord): StagedPart | undefined {
    return this.#stagings.of(job);
  }

  #found(entry: LedgerEntry & { kind: "fleetFounded" }, index: number): LedgerOutcome {
    if (this.fleetId === entry.fleetId && this.fleetName === entry.name) return applied([]);
    if (this.fleetId !== undefined) return refused("the fleet has been founded already");
    this.fleetId = entry.fleetId;
    this.fleetName = entry.name;
    this.roster.set(entry.founder.nodeId, { ...entry.founder, admittedAtIndex: index });
    return applied([{ kind: "fleetFounded" }, { kind: "rosterChanged" }]);
  }

  #issueInvite({ inviteId, secretHash, expiresAtMs }: InviteIssued): LedgerOutcome {
    const known = this.invites.get(inviteId);
    // Offered twice: whoever proposed it could not see that the first was agreed.
    if (known?.secretHash === secretHash) return applied([]);
    if (known) return refused("an invitation of that id exists");
    this.invites.set(inviteId, { inviteId, secretHash, expiresAtMs });
    return applied([]);
  }

  #admit(entry: NodeAdmitted, index: number): LedgerOutcome {
    const invite = this.invites.get(entry.inviteId);
    const because = this.inviteFault(invite, entry);
    if (!invite || because)
      return { applied: false, error: new SkeinError("INVITE_INVALID", { reason: because }), events: [] };
    // The same node knocking twice with one invitation (its first welcome was lost on the way) is let in again.
    this.invites.set(entry.inviteId, { ...invite, usedBy: entry.nodeId });
    const admittedAtIndex = this.roster.get(entry.nodeId)?.admittedAtIndex ?? index;
    this.roster.set(entry.nodeId, {
      ...this.roster.get(entry.nodeId),
      nodeId: entry.nodeId,
      name: this.#freeName(entry.name, entry.nodeId),
      addresses: entry.addresses,
      admittedAtIndex,
      ...(entry.part === undefined ? {} : { part: entry.part }),
    });
    return applied([{ kind: "rosterChanged" }]);
  }

  /** Why this invitation lets this node in no more; undefined if it does. */
  inviteFault(
    invite: KeptInvite | undefined,
    entry: Pick<NodeAdmitted, "nodeId" | "admittedAtMs">,
  ): string | undefined {
    if (!invite) return "it is unknown to this fleet";
    if (invite.usedBy !== undefined && invite.usedBy !== entry.nodeId) return "it has been used already";
    if (entry.admittedAtMs > invite.expiresAtMs) return "it has expired";
    if (this.roster.size >= LIMITS.nodesMax && !this.roster.has(entry.nodeId)) return "the fleet is full";
    return undefined;
  }

  /** Names are for people, so two nodes never share one. */
  #freeName(wanted: string, nodeId: NodeId): string {
    const taken = new Set([...this.roster.values()].filter((n) => n.nodeId !== nodeId).map((n) => n.name));
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`;
    return name;
  }

  #remove(nodeId: NodeId): LedgerOutcome {
    if (!this.roster.delete(nodeId)) return applied([]);
    const touched: BlobHash[] = [];
    for (const [blob, holders] of this.holders) {
      if (!holders.has(nodeId)) continue;
      this.#still?.holdersChange(blob);
      holders.delete(nodeId);
      touched.push(blob);
    }
    return applied([{ kind: "rosterChanged" }, { kind: "holdersChanged", blobs: touched, changes: [] }]);
  }

  #move(nodeId: NodeId, addresses: string[]): LedgerOutcome {
    const node = this.roster.get(nodeId);
    if (!node) return refused("the node is not on the roster");
    this.roster.set(nodeId, { ...node, addresses });
    return applied([{ kind: "rosterChanged" }]);
  }

  #drain({ nodeId, drained, leaving }: NodeDrained): LedgerOutcome {
    const node = this.roster.get(nodeId);
    if (!node) return refused("the node is not on the roster");
    const { drained: _, leaving: __, ...plain } = node;
    this.roster.set(nodeId, drained ? { ...plain, drained, ...(leaving && { leaving }) } : plain);
    // Whose copies count may have changed with it.
    return applied([{ kind: "rosterChanged" }]);
  }

  #recover({ recoveredBy, recoveredAtMs, removed }: FleetRecovered, index: number): LedgerOutcome {
    const gone = removed.flatMap((nodeId) => this.roster.get(nodeId) ?? []);
    const events = gone.flatMap(({ nodeId }) => this.#remove(nodeId).events);
    const names = gone.map(({ nodeId, name }) => ({ nodeId, name }));
    this.lastRecovery = { recoveredBy, recoveredAtMs, removed: names, atIndex: index };
    return applied([...events, { kind: "fleetRecovered", recovery: this.lastRecovery }]);
  }

  #submit(entry: JobSubmitted, index: number): LedgerOutcome {
    const first = this.jobOfKey(entry.idempotencyKey);
    if (first) return this.#submitAgain(first, entry);
    if (this.openJobs().length >= LIMITS.jobsOpenMax)
      return { applied: false, error: tooMany("open jobs", LIMITS.jobsOpenMax), events: [] };
    if (this.jobs.has(entry.jobId)) return refused("a job of that id exists");
    const job = openJob(entry, index);
    this.jobs.set(job.jobId, job);
    this.#jobByKey.set(entry.idempotencyKey, job.jobId);
    for (const input of job.inputs) {
      this.#uses.add(input.blob, job.copies);
      this.#addHolders(input.blob, entry.holders);
    }
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

  #cancel(entry: JobCancelled): LedgerOutcome {
    const job = this.#submitted(entry.jobId);
    if (!job) return unknown(entry.jobId);
    if (job.state === "cancelled") return applied([]);
    if (!isOpen(job.state)) return refused("the job has ended already");
    return applied(this.#end(job, "cancelled", entry.cancelledAtMs));
  }

  #pause({ jobId, paused }: JobPaused): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (!isOpen(job.state)) return refused("the job has ended already");
    for (const one of this.#changing(job)) one.state = paused ? "paused" : "running";
    return applied([{ kind: "jobPaused", job }]);
  }

  #expire(jobId: JobId, expiredAtMs: number): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (!isOpen(job.state) || job.deadlineAtMs === undefined) return applied([]);
    return applied(this.#end(job, "expired", expiredAtMs));
  }

  /** Only of jobs that have ended, so that nothing open loses what it stands on. */
  #forget(jobIds: readonly JobId[]): LedgerOutcome {
    const ended = jobIds.flatMap((jobId) => this.#submitted(jobId) ?? []).filter((job) => !isOpen(job.state));
    const blobs: BlobHash[] = [];
    const stages = ended.flatMap((job) => stagesOf(this, job));
    for (const { jobId } of stages) this.jobs.delete(jobId);
    for (const job of ended) {
      if (!this.jobs.delete(job.jobId)) continue;
      this.#jobByKey.delete(job.idempotencyKey);
      for (const blob of blobsOf(job)) if (this.#letGo(blob, job.copies)) blobs.push(blob);
    }
    const forgotten = ended.map(({ jobId }) => jobId);
    this.planning = forgetDecisions(this.planning, [...forgotten, ...stages.map(({ jobId }) => jobId)]);
    return applied([{ kind: "jobsForgotten", jobIds: forgotten, blobs }]);
  }

  #label({ nodeId, labels }: NodeLabelled): LedgerOutcome {
    const node = this.roster.get(nodeId);
    if (!node) return refused("the node is not on the roster");
    const reason = labelsFault(labels);
    if (reason) return { applied: false, error: new SkeinError("BAD_REQUEST", { reason }), events: [] };
    const { labels: _, ...plain } = node;
    this.roster.set(nodeId, Object.keys(labels).length > 0 ? { ...plain, labels } : plain);
    return applied([{ kind: "rosterChanged" }]);
  }

  #changeDrills(changed: Drills | string): LedgerOutcome {
    if (typeof changed === "string")
      return { applied: false, error: new SkeinError("DRILL_REFUSED", { reason: changed }), events: [] };
    this.drills = changed;
    return applied([{ kind: "drillChanged" }]);
  }

  #addModel(entry: ModelAdded): LedgerOutcome {
    const before = this.planning;
    const outcome = this.#changePlanning(addModel(before, entry));
    if (!outcome.applied || this.planning === before) return outcome;
    for (const { blob } of entry.manifest.files) {
      this.#uses.add(blob, entry.copies);
      this.#addHolders(blob, entry.holders);
    }
    return applied([{ kind: "modelAdded", model: this.planning.models.get(modelReference(entry.manifest))! }]);
  }

  #removeModel(entry: ModelRemoved): LedgerOutcome {
    const model = this.planning.models.get(modelReference(entry));
    if (!model) return applied([]);
    const outcome = this.#changePlanning(removeModel(this.planning, entry));
    if (!outcome.applied) return outcome;
    const { manifest, copies } = model;
    const blobs = manifest.files.map(({ blob }) => blob).filter((blob) => this.#letGo(blob, copies));
    return applied([{ kind: "modelRemoved", model, blobs }]);
  }

  #changePipelines(changed: Planning | SkeinError): LedgerOutcome {
    return changed === this.planning ? applied([]) : this.#changePlanning(changed, { kind: "pipelinesChanged" });
  }

  #changePlanning(changed: Planning | SkeinError, ...events: LedgerEvent[]): LedgerOutcome {
    if (changed instanceof SkeinError) return { applied: false, error: changed, events: [] };
    this.planning = changed;
    return applied(events);
  }

  /** First record of an item wins; whatever comes later is counted and ignored. */
  #record(entry: ResultsRecorded, index: number): LedgerOutcome {
    if (entry.term < this.recordingTerm)
      return refused(
        `the leader of term ${entry.term} was deposed; results are recorded in term ${this.recordingTerm}`,
      );
    this.recordingTerm = entry.term;
    const fresh = new Map<JobRecord, RecordedResult[]>();
    const changes: TaskChanges = new Map();
    for (const { jobId, ...result } of entry.results) {
      const job = this.jobs.get(jobId);
      // Of a job that is not formed yet nobody can have done anything.
      if (!job?.inputs[result.item] || (job.staged && !job.form)) continue;
      this.#changing(job);
      const staged = this.#stagings.of(job);
      const task = staged?.staging.taskAt(staged.segment, result.item);
      if (!isOpen(job.state) || job.results[result.item] || (task && staged?.staging.hasEnded(task.item))) {
        const { item, node, shardId } = result;
        const because = job.results[item] ? "recorded" : "ended";
        ignoreReport(job, { item, node, shardId, because, atIndex: index });
        continue;
      }
      this.#keep(job, result, index, fresh);
      const fault = staged?.staging.recorded(staged.segment, result.item, changes);
      if (!staged || !task || !fault) continue;
      this.#keep(staged.staging.job, failedItem(result, task.item, fault), index, fresh);
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
    if (result.output) {
      this.#uses.add(result.output, job.copies);
      this.#addHolders(result.output, result.holders);
    }
    fresh.set(job, [...(fresh.get(job) ?? []), recorded]);
  }

  /** The first form holds. */
  #form({ jobId, form }: JobFormed, index: number): LedgerOutcome {
    const job = this.#submitted(jobId);
    if (!job) return unknown(jobId);
    if (job.form) return applied([]);
    const reason = formRefusal(job, form);
    if (reason)
      return { applied: false, error: new SkeinError("BAD_REQUEST", { reason: `form ${reason}` }), events: [] };
    const stages = stageJobs(job, form, index);
    if (stages.some((stage) => this.jobs.has(stage.jobId))) return refused("a job of a stage's id exists");
    this.#changing(job);
    job.form = form;
    const changes: TaskChanges = new Map();
    for (const stage of stages) this.jobs.set(stage.jobId, stage);
    if (stages.length > 0) this.#stagings.add(job, stages).begin(changes);
    else changes.set(job, new Map(unrecordedItems(job).map((item) => [item, true])));
    return applied([{ kind: "jobFormed", job, stages }, ...taskEvents(changes)]);
  }

  #lose({ jobId, items }: ResultsLost): LedgerOutcome {
    const job = this.jobs.get(jobId);
    const staged = job && this.#stagings.of(job);
    if (!job?.parent || !staged) return refused("there is no open stage job of that id");
    const { staging, segment } = staged;
    const lost = [...new Set(items)].filter((item) => staging.isNeeded(segment, item));
    if (lost.length === 0) return applied([]);
    this.#changing(job);
    const outputs = lost.map((item) => job.results[item]!.output!);
    const changes: TaskChanges = new Map();
    staging.lost(segment, lost, changes);
    const blobs = outputs.filter((output) => this.#letGo(output, job.copies));
    return applied([{ kind: "resultsLost", job, items: lost, blobs }, ...taskEvents(changes)]);
  }

  /** A job that somebody submitted: a stage job goes with its job, and nobody has a say in it. */
  #submitted(jobId: JobId): JobRecord | undefined {
    const job = this.jobs.get(jobId);
    return job?.parent ? undefined : job;
  }

  /** The job and all that hangs together with it, told to be about to change. */
  #changing(job: JobRecord): JobRecord[] {
    const first = job.parent ? this.jobs.get(job.parent.jobId)! : job;
    const all = [first, ...stagesOf(this, first)];
    for (const one of all) this.#still?.jobChanges(one);
    return all;
  }

  #changeHolders(entry: HoldersChanged): LedgerOutcome {
    const blobs: BlobHash[] = [];
    for (const { blob, added, dropped } of entry.changes) {
      const holders = this.holders.get(blob);
      if (!holders) continue;
      this.#still?.holdersChange(blob);
      for (const nodeId of added) if (this.roster.has(nodeId)) holders.add(nodeId);
      for (const nodeId of dropped) holders.delete(nodeId);
      blobs.push(blob);
    }
    return applied([{ kind: "holdersChanged", blobs, changes: entry.changes }]);
  }

  #changeSetting({ name, value }: SettingChanged): LedgerOutcome {
    const reason = settingFault(name, value);
    if (reason) return { applied: false, error: new SkeinError("BAD_REQUEST", { reason }), events: [] };
    if (value === "") this.settings.delete(name);
    else if (this.settings.size >= LIMITS.settingsMax && !this.settings.has(name))
      return { applied: false, error: tooMany("settings", LIMITS.settingsMax), events: [] };
    else this.settings.set(name, value);
    return applied([]);
  }

  /** True if nothing stands on the blob any more. */
  #letGo(blob: BlobHash, copies: number): boolean {
    if (!this.#uses.remove(blob, copies)) return false;
    this.#still?.holdersChange(blob);
    return this.holders.delete(blob);
  }

  #addHolders(blob: BlobHash, nodes: readonly NodeId[]): void {
    this.#still?.holdersChange(blob);
    const holders = this.holders.get(blob) ?? new Set();
    for (const nodeId of nodes) if (this.roster.has(nodeId)) holders.add(nodeId);
    this.holders.set(blob, holders);
  }

  #end(job: JobRecord, state: "done" | "cancelled" | "expired", atMs: number): LedgerEvent[] {
    const [, ...stages] = this.#changing(job);
    const outputs = stages.flatMap((stage) => [...blobsOf(stage)].map((blob) => ({ blob, copies: stage.copies })));
    for (const one of [job, ...stages]) {
      one.state = state;
      one.endedAtMs = atMs;
    }
    this.#stagings.delete(job.jobId);
    const blobs = outputs.flatMap(({ blob, copies }) => (this.#letGo(blob, copies) ? [blob] : []));
    const letGo: LedgerEvent[] = stages.length > 0 ? [{ kind: "stagesLetGo", job, blobs }] : [];
    return [{ kind: "jobEnded", job }, ...letGo];
  }

  /** Throws where the ledger contradicts itself about these jobs, or any. */
  assertSound(jobs: Iterable<JobRecord> = this.jobs.values()): void {
    for (const job of jobs) {
      const filled = job.results.filter((result) => result !== undefined);
      invariant(filled.length === job.recordedCount, `${job.jobId}: recordedCount counts the filled places`);
      invariant(
        filled.filter((r) => r.error).length === job.failedCount,
        `${job.jobId}: failedCount counts the failed`,
      );
      invariant(
        job.parent || job.state !== "done" || filled.length === job.inputs.length,
        `${job.jobId}: done means every item recorded`,
      );
      for (const blob of blobsOf(job)) invariant(this.holders.has(blob), `${job.jobId}: every blob has its holders`);
      if (job.parent) assertStageSound(this.jobs.get(job.parent.jobId), job);
    }
    invariant(
      this.holders.size === this.#uses.size,
      "who holds a blob is known of those that jobs and models stand on",
    );
  }
}

const unknown = (jobId: JobId): LedgerOutcome => ({
  applied: false,
  error: new SkeinError("JOB_UNKNOWN", { jobId }),
  events: [],
});
const applied = (events: LedgerEvent[]): LedgerOutcome => ({ applied: true, events });
const refused = (reason: string): LedgerOutcome => ({
  applied: false,
  error: new SkeinError("PROPOSAL_DROPPED", { reason }),
  events: [],
});
const tooMany = (what: string, limit: number): SkeinError =>
  new SkeinError("TOO_LARGE", { what: `the number of ${what}`, actual: limit + 1, limit });
