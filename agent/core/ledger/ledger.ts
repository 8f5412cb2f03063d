import { invariant, SkeinError } from "../../../shared/errors.ts";
import type { FleetRecovery, RosterNode } from "../../../shared/fleet.ts";
import type { BlobHash, FleetId, InviteId, JobId, NodeId } from "../../../shared/ids.ts";
import { labelsFault } from "../../../shared/labels.ts";
import type {
  FleetRecovered,
  InviteIssued,
  LedgerEntry,
  ModelAdded,
  ModelRemoved,
  NodeAdmitted,
  NodeDrained,
  NodeLabelled,
  SettingChanged,
} from "../../../shared/ledger-entry.ts";
import type { KeptInvite } from "../../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { modelReference } from "../../../shared/model.ts";
import { settingFault } from "../../../shared/settings.ts";
import { beginDrill, type Drills, endDrill, noDrills } from "./drills.ts";
import { BlobHolders } from "./holders.ts";
import type { JobRecord } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { applied, type LedgerEvent, type LedgerOutcome, refused, tooMany, unknown } from "./outcome.ts";
import {
  addModel,
  addPipeline,
  aliasModel,
  changeRule,
  decidePlacement,
  keepDecision,
  noPlanning,
  type Planning,
  removeModel,
  removePipeline,
} from "./planning.ts";
import { assertJobsSound } from "./sound.ts";
import type { StagedPart } from "./stagings.ts";
import { LedgerStill } from "./still.ts";

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
  /** Index of the last entry applied. */
  appliedIndex = 0;
  #rosterIndex = 0;
  /** Is told of each change before it is made, while it is being written down. */
  #still: LedgerStill | undefined;
  readonly #held = new BlobHolders(this, () => this.#still);
  readonly #jobEntries = new Jobs(this, this.#held, () => this.#still);

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
        return this.#jobEntries.submit(entry, index);
      case "jobCancelled":
        return this.#jobEntries.cancel(entry);
      case "resultsRecorded":
        return this.#jobEntries.record(entry, index);
      case "holdersChanged":
        return applied([{ kind: "holdersChanged", blobs: this.#held.change(entry.changes), changes: entry.changes }]);
      case "settingChanged":
        return this.#changeSetting(entry);
      case "jobPaused":
        return this.#jobEntries.pause(entry);
      case "jobExpired":
        return this.#jobEntries.expire(entry.jobId, entry.expiredAtMs);
      case "jobsForgotten":
        return this.#jobEntries.forget(entry.jobIds);
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
        return this.#jobEntries.form(entry, index);
      case "resultsLost":
        return this.#jobEntries.lose(entry);
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
    this.#held.restore();
    this.#jobEntries.restore();
  }

  /** Index at which the roster became what it is, or a later one up to which it stayed so: two that are equal name one roster. */
  get rosterIndex(): number {
    return this.#rosterIndex;
  }

  jobOfKey(key: string): JobRecord | undefined {
    return this.#jobEntries.ofKey(key);
  }

  holdersOf(blob: BlobHash): NodeId[] {
    return [...(this.holders.get(blob) ?? [])];
  }

  /** On how many nodes a blob shall be: the most that any job which stands on it wants; 0 if none does. */
  copiesOf(blob: BlobHash): number {
    return this.#held.copiesOf(blob);
  }

  /** Jobs that have not ended, paused ones among them, oldest first; without their stage jobs. */
  openJobs(): JobRecord[] {
    return this.#jobEntries.open();
  }

  /** Of an open job in several segments, or of a stage job of one. */
  stagingOf(job: JobRecord): StagedPart | undefined {
    return this.#jobEntries.stagingOf(job);
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
    const blobs = this.#held.leave(nodeId);
    return applied([{ kind: "rosterChanged" }, { kind: "holdersChanged", blobs, changes: [] }]);
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
    for (const { blob } of entry.manifest.files) this.#held.add(blob, entry.copies, entry.holders);
    return applied([{ kind: "modelAdded", model: this.planning.models.get(modelReference(entry.manifest))! }]);
  }

  #removeModel(entry: ModelRemoved): LedgerOutcome {
    const model = this.planning.models.get(modelReference(entry));
    if (!model) return applied([]);
    const outcome = this.#changePlanning(removeModel(this.planning, entry));
    if (!outcome.applied) return outcome;
    const { manifest, copies } = model;
    const blobs = manifest.files.map(({ blob }) => blob).filter((blob) => this.#held.letGo(blob, copies));
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

  #changeSetting({ name, value }: SettingChanged): LedgerOutcome {
    const reason = settingFault(name, value);
    if (reason) return { applied: false, error: new SkeinError("BAD_REQUEST", { reason }), events: [] };
    if (value === "") this.settings.delete(name);
    else if (this.settings.size >= LIMITS.settingsMax && !this.settings.has(name))
      return { applied: false, error: tooMany("settings", LIMITS.settingsMax), events: [] };
    else this.settings.set(name, value);
    return applied([]);
  }

  /** Throws where the ledger contradicts itself about these jobs, or any. */
  assertSound(jobs: Iterable<JobRecord> = this.jobs.values()): void {
    assertJobsSound(this, jobs);
    invariant(
      this.holders.size === this.#held.size,
      "who holds a blob is known of those that jobs and models stand on",
    );
  }
}
