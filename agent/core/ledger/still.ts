import type { KeptDrill } from "../../../shared/drill.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import type {
  KeptHolders,
  KeptInvite,
  KeptItem,
  KeptJob,
  KeptSetting,
  LedgerHead,
  LedgerRecord,
} from "../../../shared/ledger-snapshot.ts";
import {
  encodeLedgerPiece,
  encodeLedgerRecord,
  HOLDERS_PER_RECORD,
  INVITES_PER_RECORD,
  ITEMS_PER_RECORD,
  SETTINGS_PER_RECORD,
} from "../../../shared/wire/ledger-snapshot.ts";
import { type JobRecord, outputHeld } from "./job.ts";
import type { LedgerContents } from "./ledger.ts";
import type { Planning } from "./planning.ts";

/** A piece is read in one go; an item's holders are few bytes and take as long as so many more of anything else. */
const HOLDERS_WEIGHT_BYTES = 100;

/**
 * The ledger as it was at one index, to be written down piece by piece while the ledger itself moves on. The ledger says
 * what it is about to change, and the old is kept the first time. Whatever is small is copied at once.
 */
export class LedgerStill {
  readonly index: number;
  readonly #head: LedgerHead;
  readonly #invites: readonly KeptInvite[];
  readonly #settings: readonly KeptSetting[];
  readonly #drills: readonly KeptDrill[];
  readonly #planning: Planning;
  readonly #jobs: readonly JobRecord[];
  readonly #holders: ReadonlyMap<BlobHash, ReadonlySet<NodeId>>;
  readonly #jobsBefore = new Map<JobRecord, JobRecord>();
  readonly #holdersBefore = new Map<BlobHash, readonly NodeId[]>();

  constructor(ledger: LedgerContents) {
    const { appliedIndex, fleetId, fleetName, lastRecovery, drills, recordingTerm } = ledger;
    this.index = appliedIndex;
    const roster = [...ledger.roster.values()];
    this.#head = {
      appliedIndex,
      fleetName,
      roster,
      ...(fleetId === undefined ? {} : { fleetId }),
      ...(lastRecovery === undefined ? {} : { lastRecovery }),
      recordingTerm,
      ...(drills.running === undefined ? {} : { drill: drills.running }),
    };
    this.#drills = drills.kept;
    this.#planning = ledger.planning;
    this.#invites = [...ledger.invites.values()];
    this.#settings = [...ledger.settings].map(([name, value]) => ({ name, value }));
    this.#jobs = [...ledger.jobs.values()];
    this.#holders = ledger.holders;
  }

  jobChanges(job: JobRecord): void {
    if (job.submittedAtIndex > this.index || this.#jobsBefore.has(job)) return;
    const { results, ignoredReports, inputs, tasks } = job;
    const growing = job.parent && { inputs: inputs.slice(), tasks: tasks.slice() };
    const kept = { results: results.slice(), ignoredReports: ignoredReports.slice() };
    this.#jobsBefore.set(job, { ...job, ...kept, ...growing });
  }

  holdersChange(blob: BlobHash): void {
    if (!this.#holdersBefore.has(blob)) this.#holdersBefore.set(blob, [...(this.#holders.get(blob) ?? [])]);
  }

  /** Pieces of about this size. Between two of them the ledger may move on. */
  *pieces(bytesMin: number): Generator<Uint8Array> {
    let [records, bytes] = [[] as Uint8Array[], 0];
    for (const record of this.#records()) {
      const encoded = encodeLedgerRecord(record);
      records.push(encoded);
      bytes += encoded.length + (record.kind === "holders" ? HOLDERS_WEIGHT_BYTES * record.holders.length : 0);
      // The head differs from snapshot to snapshot; apart from it, what did not change makes the same pieces again.
      if (bytes < bytesMin && record.kind !== "head") continue;
      yield encodeLedgerPiece(records);
      [records, bytes] = [[], 0];
    }
    if (records.length > 0) yield encodeLedgerPiece(records);
  }

  *#records(): Generator<LedgerRecord> {
    yield { kind: "head", ...this.#head };
    for (let at = 0; at < this.#invites.length; at += INVITES_PER_RECORD)
      yield { kind: "invites", invites: this.#invites.slice(at, at + INVITES_PER_RECORD) };
    for (let at = 0; at < this.#settings.length; at += SETTINGS_PER_RECORD)
      yield { kind: "settings", settings: this.#settings.slice(at, at + SETTINGS_PER_RECORD) };
    for (const drill of this.#drills) yield { kind: "drills", drills: [drill] };
    yield* planningRecords(this.#planning);
    for (const job of this.#jobs) {
      yield { kind: "job", ...keptJob(this.#asItWas(job)) };
      for (let at = 0; at < this.#asItWas(job).inputs.length; at += ITEMS_PER_RECORD)
        yield { kind: "items", items: keptItems(this.#asItWas(job), at) };
    }
    for (const [jobId, decisions] of this.#planning.decisions)
      for (const decisionJson of decisions) yield { kind: "decision", jobId, decisionJson };
    let holders: KeptHolders[] = [];
    for (const held of this.#held()) {
      holders.push(held);
      if (holders.length < HOLDERS_PER_RECORD) continue;
      yield { kind: "holders", holders };
      holders = [];
    }
    if (holders.length > 0) yield { kind: "holders", holders };
  }

  *#held(): Generator<KeptHolders> {
    // It may come to change between two of its items.
    for (const job of this.#jobs)
      for (let item = 0; item < this.#asItWas(job).inputs.length; item++) {
        const output = outputHeld(this.#asItWas(job), item);
        const { blob } = job.inputs[item]!;
        yield { input: this.#holdersOf(blob), output: output ? this.#holdersOf(output) : [] };
      }
    for (const { manifest } of this.#planning.models.values())
      for (const { blob } of manifest.files) yield { input: this.#holdersOf(blob), output: [] };
  }

  #asItWas(job: JobRecord): JobRecord {
    return this.#jobsBefore.get(job) ?? job;
  }

  #holdersOf(blob: BlobHash): NodeId[] {
    return [...(this.#holdersBefore.get(blob) ?? this.#holders.get(blob) ?? [])];
  }
}

/** But for the decisions about jobs, which come behind the jobs. */
function* planningRecords({ models, aliases, pipelines, rules, placements }: Planning): Generator<LedgerRecord> {
  for (const model of models.values()) yield { kind: "model", ...model };
  for (const [key, version] of aliases) {
    const [name = "", alias = ""] = key.split(":");
    yield { kind: "alias", name, alias, version };
  }
  for (const pipeline of pipelines.values()) yield { kind: "pipeline", ...pipeline };
  for (const [ruleId, rule] of rules) yield { kind: "rule", ruleId, rule };
  for (const placement of placements) yield { kind: "placement", ...placement };
}

const keptItems = (job: JobRecord, from: number): KeptItem[] =>
  job.inputs.slice(from, from + ITEMS_PER_RECORD).map((input, i) => {
    const task = job.tasks[from + i];
    const kept = task ? { ...input, task } : input;
    const recorded = job.results[from + i];
    if (!recorded) return kept;
    const { item: _item, name: _name, input: _input, ...result } = recorded;
    return { ...kept, result };
  });

function keptJob(job: JobRecord): KeptJob {
  const {
    endedAtMs,
    deadlineAtMs,
    inputs,
    staged,
    cut,
    form,
    parent,
    tasks: _tasks,
    results: _results,
    recordedCount: _recorded,
    failedCount: _failed,
    ...kept
  } = job;
  return {
    ...kept,
    items: inputs.length,
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(deadlineAtMs === undefined ? {} : { deadlineAtMs }),
    ...(staged && { staged }),
    ...(cut !== "auto" && { cut }),
    ...(form && { form }),
    ...(parent && { parent }),
  };
}
