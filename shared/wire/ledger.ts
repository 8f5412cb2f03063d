import type { BlobHash, FleetId, InviteId, JobId } from "../ids.ts";
import { JOB_CUTS, type JobCut, type JobInput, type JobPriority } from "../job.ts";
import { type Labels, labelsFault } from "../labels.ts";
import type { DrillBegun, HoldersChanged, LedgerEntry, SettingChanged } from "../ledger-entry.ts";
import { LIMITS } from "../limits.ts";
import {
  checkCount,
  checkFinite,
  checkList,
  checkNodeId,
  checkNodeIds,
  checkText,
  checkVersion,
  codec,
  type Fields,
  hashFromBytes,
  hashToBytes,
  invalid,
} from "./codec.ts";
import {
  modelFields,
  pipelineFields,
  readAlias,
  readForm,
  readJobPlanned,
  readModel,
  readPipeline,
  readPlacement,
  readRule,
  ruleFields,
} from "./planning.ts";
import { checkResult, resultFields } from "./results.ts";

const VERSION = 1;
const ledgerEntry = codec("LedgerEntry");

export function encodeLedgerEntry(entry: LedgerEntry): Uint8Array {
  const { kind, ...body } = entry;
  return ledgerEntry.encode({ version: VERSION, [kind]: bodyFields(entry, body) });
}

function bodyFields(entry: LedgerEntry, body: object): object {
  switch (entry.kind) {
    case "jobSubmitted":
      return {
        ...body,
        inputs: entry.inputs.map((input) => ({ ...input, blob: hashToBytes(input.blob) })),
        priority: priorityNumber(entry.priority),
        cut: cutNumber(entry.cut),
      };
    case "jobFormed":
      return { jobId: entry.jobId, formJson: JSON.stringify(entry.form) };
    case "resultsRecorded":
      return { ...body, results: entry.results.map(resultFields) };
    case "nodeAdmitted":
      return { ...body, witness: entry.part === "witness" };
    case "nodeLabelled":
      return { ...body, labels: labelFields(entry.labels) };
    case "modelAdded":
      return modelFields(entry);
    case "pipelineAdded":
      return pipelineFields(entry);
    case "ruleChanged":
      return ruleFields(entry);
    case "holdersChanged":
      return { changes: entry.changes.map((change) => ({ ...change, blob: hashToBytes(change.blob) })) };
    default:
      return body;
  }
}

/** @throws FRAME_INVALID */
export function decodeLedgerEntry(bytes: Uint8Array): LedgerEntry {
  const fields = ledgerEntry.decode(bytes);
  checkVersion(fields, VERSION, "ledger entry");
  const kind = fields.kind as LedgerEntry["kind"] | undefined;
  if (!kind) throw invalid("ledger entry of an unknown kind");
  return { kind, ...READERS[kind](fields[kind] as Fields) } as LedgerEntry;
}

export const addresses = (value: unknown): string[] =>
  checkList(value, "addresses", 32, (item) => checkText(item, "address"));
const jobId = (value: unknown): JobId => checkText(value, "job id") as JobId;

const READERS: { [K in LedgerEntry["kind"]]: (f: Fields) => object } = {
  fleetFounded: (f) => {
    const founder = (f.founder ?? {}) as Fields;
    return {
      fleetId: checkText(f.fleetId, "fleet id") as FleetId,
      name: checkText(f.name, "fleet name"),
      founder: {
        nodeId: checkNodeId(founder.nodeId, "founder"),
        name: checkText(founder.name, "founder's name"),
        addresses: addresses(founder.addresses),
      },
    };
  },
  inviteIssued: (f) => ({
    inviteId: checkText(f.inviteId, "invite id") as InviteId,
    secretHash: checkText(f.secretHash, "secret hash"),
    expiresAtMs: checkFinite(f.expiresAtMs, "expiresAtMs"),
  }),
  nodeAdmitted: (f) => ({
    inviteId: checkText(f.inviteId, "invite id") as InviteId,
    nodeId: checkNodeId(f.nodeId, "node id"),
    name: checkText(f.name, "node name"),
    addresses: addresses(f.addresses),
    admittedAtMs: checkFinite(f.admittedAtMs, "admittedAtMs"),
    ...(f.witness ? { part: "witness" as const } : {}),
  }),
  nodeRemoved: (f) => ({ nodeId: checkNodeId(f.nodeId, "node id") }),
  nodeMoved: (f) => ({ nodeId: checkNodeId(f.nodeId, "node id"), addresses: addresses(f.addresses) }),
  nodeDrained: (f) => ({
    nodeId: checkNodeId(f.nodeId, "node id"),
    drained: f.drained as boolean,
    leaving: f.leaving as boolean,
  }),
  fleetRecovered: (f) => ({
    recoveredBy: checkNodeId(f.recoveredBy, "recoveredBy"),
    removed: checkNodeIds(f.removed, "removed"),
    recoveredAtMs: checkFinite(f.recoveredAtMs, "recoveredAtMs"),
  }),
  jobSubmitted: (f) => ({
    jobId: jobId(f.jobId),
    pipeline: checkText(f.pipeline, "pipeline"),
    idempotencyKey: checkText(f.idempotencyKey, "idempotency key"),
    inputs: checkList(f.inputs, "inputs", LIMITS.jobItemsMax, (item) => checkInput(item as Fields)),
    holders: checkNodeIds(f.holders, "holders"),
    submittedBy: checkNodeId(f.submittedBy, "submittedBy"),
    submittedAtMs: checkFinite(f.submittedAtMs, "submittedAtMs"),
    ...checkWishes(f),
    ...(f.staged ? { staged: true as const } : {}),
  }),
  jobCancelled: (f) => ({
    jobId: jobId(f.jobId),
    reason: checkText(f.reason, "reason"),
    cancelledAtMs: checkFinite(f.cancelledAtMs, "cancelledAtMs"),
  }),
  resultsRecorded: (f) => ({
    term: checkCount(f.term, "term"),
    results: checkList(f.results, "results", LIMITS.resultsPerEntryMax, (item) => checkResult(item as Fields)),
  }),
  holdersChanged: (f): HoldersChanged => ({
    changes: checkList(f.changes, "changes", LIMITS.resultsPerEntryMax, (item) => {
      const change = item as Fields;
      return {
        blob: hashFromBytes(change.blob, "blob"),
        added: checkNodeIds(change.added, "added"),
        dropped: checkNodeIds(change.dropped, "dropped"),
      };
    }),
  }),
  settingChanged: readSetting,
  jobPaused: (f) => ({ jobId: jobId(f.jobId), paused: f.paused as boolean }),
  jobExpired: (f) => ({ jobId: jobId(f.jobId), expiredAtMs: checkFinite(f.expiredAtMs, "expiredAtMs") }),
  jobsForgotten: (f) => ({ jobIds: checkList(f.jobIds, "jobIds", LIMITS.jobsForgottenPerEntryMax, jobId) }),
  nodeLabelled: (f) => ({ nodeId: checkNodeId(f.nodeId, "node id"), labels: checkLabels(f.labels) }),
  drillBegun: readDrill,
  drillEnded: (f) => ({ drillId: checkText(f.drillId, "drill id"), recordJson: checkDrillRecord(f.recordJson) }),
  modelAdded: readModel,
  modelRemoved: (f) => ({ name: checkText(f.name, "model"), version: checkCount(f.version, "version") }),
  modelAliased: readAlias,
  ruleChanged: readRule,
  placementDecided: readPlacement,
  jobPlanned: readJobPlanned,
  pipelineAdded: readPipeline,
  pipelineRemoved: (f) => ({ name: checkText(f.name, "pipeline"), version: checkCount(f.version, "version") }),
  jobFormed: (f) => ({ jobId: jobId(f.jobId), form: readForm(f.formJson) }),
  resultsLost: (f) => ({
    jobId: jobId(f.jobId),
    items: checkList(f.items, "items", LIMITS.jobTasksMax, (item) => checkCount(item, "item", LIMITS.jobTasksMax)),
  }),
};

/** By their number on the wire: what is absent is normal. */
const PRIORITIES: readonly JobPriority[] = ["normal", "low", "high"];

interface Wishes {
  priority: JobPriority;
  copies: number;
  deadlineAtMs?: number;
  cut?: JobCut;
}

/** What a job says of how it is to be done. */
export function checkWishes(f: Fields): Wishes {
  const priority = PRIORITIES[f.priority as number];
  if (!priority) throw invalid("a job of an unknown priority");
  const cut = JOB_CUTS[f.cut as number];
  if (!cut) throw invalid("a job that is cut in an unknown way");
  if (cut !== "auto" && !f.staged) throw invalid("a job that is of no stages and says how it is cut");
  return {
    priority,
    copies: checkCount(f.copies, "copies", LIMITS.copiesMax) || LIMITS.copiesDefault,
    ...(f.deadlineAtMs === undefined ? {} : { deadlineAtMs: checkFinite(f.deadlineAtMs, "deadlineAtMs") }),
    ...(cut === "auto" ? {} : { cut }),
  };
}

/** By their place in JOB_CUTS: what is absent is auto. */
export const cutNumber = (cut: JobCut = "auto"): number => JOB_CUTS.indexOf(cut);

export const priorityNumber = (priority: JobPriority): number => PRIORITIES.indexOf(priority);

export const labelFields = (labels: Labels): object[] => Object.entries(labels).map(([key, value]) => ({ key, value }));

export function checkLabels(value: unknown): Labels {
  const all = checkList(value, "labels", LIMITS.labelsPerNodeMax, (one) => {
    const f = one as Fields;
    return [checkText(f.key, "label"), checkText(f.value, "label's value")];
  });
  const labels = Object.fromEntries(all) as Labels;
  const reason = labelsFault(labels);
  if (reason) throw invalid(reason);
  return labels;
}

export function readDrill(f: Fields): DrillBegun {
  return {
    drillId: checkText(f.drillId, "drill id"),
    startedBy: checkNodeId(f.startedBy, "startedBy"),
    startedAtMs: checkFinite(f.startedAtMs, "startedAtMs"),
    untilMs: checkFinite(f.untilMs, "untilMs"),
  };
}

export const checkDrillRecord = (value: unknown): string =>
  checkText(value, "drill's record", LIMITS.drillRecordBytesMax);

export function readSetting(f: Fields): SettingChanged {
  return {
    name: checkText(f.name, "setting's name"),
    value: checkText(f.value, "setting's value", LIMITS.settingBytesMax),
  };
}

export function checkInput(f: Fields): JobInput {
  return {
    name: checkText(f.name, "input name"),
    blob: hashFromBytes(f.blob, "input blob") as BlobHash,
    bytes: checkCount(f.bytes, "input bytes", LIMITS.blobBytesMax),
  };
}
