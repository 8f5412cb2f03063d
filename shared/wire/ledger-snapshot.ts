import type { KeptDrill } from "../drill.ts";
import type { FleetId, InviteId, JobId, NodeId } from "../ids.ts";
import { type IgnoredReport, JOB_STATES, type SignedTask, type StageTask } from "../job.ts";
import type {
  KeptHolders,
  KeptInvite,
  KeptItem,
  KeptJob,
  KeptResult,
  LedgerRecord,
  SnapshotPiece,
} from "../ledger-snapshot.ts";
import { LIMITS } from "../limits.ts";
import {
  checkCount,
  checkFinite,
  checkList,
  checkNodeId,
  checkText,
  checkVersion,
  codec,
  type Fields,
  hashFromBytes,
  hashToBytes,
  invalid,
} from "./codec.ts";
import { checkDrillRecord, checkWishes, cutNumber, priorityNumber, readDrill, readSetting } from "./ledger.ts";
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
import { checkErrorBody, checkProof, errorFields, proofFields } from "./results.ts";
import { checkRecovery, checkRoster, rosterFields } from "./roster.ts";

const VERSION = 1;
/** Begins every piece, so that one whose snapshot was never finished can be told from an input or a result. */
const MARK = "skein ledger piece";
/** Records in one piece, which are at least some bytes each. */
const RECORDS_MAX = 65_536;
export const INVITES_PER_RECORD = 64;
export const SETTINGS_PER_RECORD = 64;
export const ITEMS_PER_RECORD = 64;
export const HOLDERS_PER_RECORD = 512;
/** Node ids of one record: all who hold or made something in it. Boxes come and go in a fleet's life. */
const NODES_PER_RECORD_MAX = 4_096;

/** As many as an entry may name. */
const HOLDERS_MAX = 256;

const piece = codec("LedgerPiece");
const record = codec("LedgerRecord");
const manifest = codec("SnapshotManifest");

export const encodeLedgerRecord = (value: LedgerRecord): Uint8Array => {
  const { kind, ...body } = value;
  return record.encode({ [kind]: bodyFields(value, body) });
};

export const encodeLedgerPiece = (records: Uint8Array[]): Uint8Array =>
  piece.encode({ mark: MARK, version: VERSION, records });

/** @throws FRAME_INVALID */
export function decodeLedgerPiece(bytes: Uint8Array): LedgerRecord[] {
  const fields = piece.decode(bytes);
  if (fields.mark !== MARK) throw invalid("these bytes are no piece of a ledger");
  checkVersion(fields, VERSION, "ledger piece");
  return checkList(fields.records, "records", RECORDS_MAX, (one) => decodeRecord(one as Uint8Array));
}

/** Whether a blob begins as a piece does. */
export function looksLikeLedgerPiece(bytes: Uint8Array): boolean {
  const start = encodeLedgerPiece([]).subarray(0, MARK.length + 2);
  return start.every((byte, at) => bytes[at] === byte);
}

export const encodeManifest = (pieces: readonly SnapshotPiece[]): Uint8Array =>
  manifest.encode({
    version: VERSION,
    pieces: pieces.map(({ hash, bytes }) => ({ hash: hashToBytes(hash), bytes })),
  });

/** @throws FRAME_INVALID */
export function decodeManifest(bytes: Uint8Array): SnapshotPiece[] {
  const fields = manifest.decode(bytes);
  checkVersion(fields, VERSION, "snapshot manifest");
  const pieces = checkList(fields.pieces, "pieces", LIMITS.snapshotPiecesMax, (value) => {
    const one = value as Fields;
    return {
      hash: hashFromBytes(one.hash, "piece"),
      bytes: checkCount(one.bytes, "piece bytes", LIMITS.snapshotPieceBytesMax),
    };
  });
  if (pieces.length === 0) throw invalid("the snapshot has no pieces");
  return pieces;
}

function bodyFields(value: LedgerRecord, body: object): object {
  if (value.kind === "head") return { ...body, roster: rosterFields(value.roster) };
  if (value.kind === "items") return itemsFields(value.items);
  if (value.kind === "holders") return holdersFields(value.holders);
  if (value.kind === "drills") return { drills: value.drills.map(drillFields) };
  if (value.kind === "model") return modelFields(value);
  if (value.kind === "pipeline") return pipelineFields(value);
  if (value.kind === "rule") return ruleFields(value);
  if (value.kind === "job")
    return {
      ...body,
      ...stageFields(value),
      state: JOB_STATES.indexOf(value.state),
      priority: priorityNumber(value.priority),
      cut: cutNumber(value.cut),
      ignoredReports: value.ignoredReports.map((report) => ({ ...report, ended: report.because === "ended" })),
    };
  return body;
}

const stageFields = ({ form, parent }: KeptJob): object => ({
  ...(form && { formJson: JSON.stringify(form) }),
  ...(parent && { parent: parent.jobId, segment: parent.segment }),
});

/** The same few ids stand in every item, so a record lists each once and its items say which. */
class NodeList {
  readonly #places = new Map<NodeId, number>();

  get nodes(): NodeId[] {
    return [...this.#places.keys()];
  }

  readonly placeOf = (node: NodeId): number => {
    const place = this.#places.get(node) ?? this.#places.size;
    this.#places.set(node, place);
    return place;
  };
}

function itemsFields(kept: readonly KeptItem[]): object {
  const list = new NodeList();
  const items = kept.map(({ result, task, ...item }) => ({
    ...item,
    ...(task ? { task: { item: task.item, ...task.slice } } : {}),
    blob: hashToBytes(item.blob),
    ...(result ? { result: keptResultFields(result, list.placeOf) } : {}),
  }));
  return { nodes: list.nodes, items };
}

function holdersFields(kept: readonly KeptHolders[]): object {
  const list = new NodeList();
  const holders = kept.map(({ input, output }) => ({
    input: input.map(list.placeOf),
    output: output.map(list.placeOf),
  }));
  return { nodes: list.nodes, holders };
}

function keptResultFields(result: KeptResult, placeOf: (node: NodeId) => number): object {
  const { output, error, madeWith: _madeWith, signature: _signature, signedTask, ...rest } = result;
  return {
    ...rest,
    ...proofFields(result),
    ...(signedTask && { signedTask: signedTaskFields(signedTask) }),
    node: placeOf(result.node),
    holders: result.holders.map(placeOf),
    ...(output ? { output: hashToBytes(output) } : {}),
    ...(error ? { error: errorFields(error) } : {}),
  };
}

const signedTaskFields = ({ output, ...rest }: SignedTask): object => ({
  ...rest,
  ...(output && { output: hashToBytes(output) }),
});

const readSignedTask = (f: Fields): SignedTask => ({
  segment: checkCount(f.segment, "segment", LIMITS.pipelineStagesMax),
  item: checkCount(f.item, "item", LIMITS.jobTasksMax),
  outputBytes: checkCount(f.outputBytes, "output bytes", LIMITS.blobBytesMax),
  ...(f.output ? { output: hashFromBytes(f.output, "output") } : {}),
  ...(f.code === undefined ? {} : { code: checkText(f.code, "code") }),
});

function decodeRecord(bytes: Uint8Array): LedgerRecord {
  const fields = record.decode(bytes);
  const kind = fields.kind as LedgerRecord["kind"] | undefined;
  if (!kind) throw invalid("ledger record of an unknown kind");
  return { kind, ...READERS[kind](fields[kind] as Fields) } as LedgerRecord;
}

const READERS: { [K in LedgerRecord["kind"]]: (f: Fields) => object } = {
  head: (f) => ({
    appliedIndex: checkCount(f.appliedIndex, "applied index"),
    ...(f.fleetId === undefined ? {} : { fleetId: checkText(f.fleetId, "fleet id") as FleetId }),
    fleetName: checkText(f.fleetName, "fleet name"),
    roster: checkRoster(f.roster),
    ...(f.lastRecovery ? { lastRecovery: checkRecovery(f.lastRecovery as Fields) } : {}),
    recordingTerm: checkCount(f.recordingTerm, "recording term"),
    ...(f.drill ? { drill: readDrill(f.drill as Fields) } : {}),
  }),
  invites: (f) => ({
    invites: checkList(f.invites, "invites", INVITES_PER_RECORD, (one) => readInvite(one as Fields)),
  }),
  settings: (f) => ({
    settings: checkList(f.settings, "settings", SETTINGS_PER_RECORD, (one) => readSetting(one as Fields)),
  }),
  drills: (f) => ({ drills: checkList(f.drills, "drills", LIMITS.drillsKept, (one) => readKeptDrill(one as Fields)) }),
  model: readModel,
  alias: readAlias,
  pipeline: readPipeline,
  rule: readRule,
  placement: readPlacement,
  decision: readJobPlanned,
  job: readJob,
  items: (f) => {
    const nodes = checkList(f.nodes, "nodes", NODES_PER_RECORD_MAX, (id) => checkNodeId(id, "node"));
    const items = checkList(f.items, "items", ITEMS_PER_RECORD, (one) => readItem(one as Fields, nodes));
    return { items };
  },
  holders: (f) => {
    const nodes = checkList(f.nodes, "nodes", NODES_PER_RECORD_MAX, (id) => checkNodeId(id, "node"));
    const holders = checkList(f.holders, "holders", HOLDERS_PER_RECORD, (value): KeptHolders => {
      const one = value as Fields;
      return { input: nodesAt(one.input, nodes), output: nodesAt(one.output, nodes) };
    });
    return { holders };
  },
};

const readInvite = (f: Fields): KeptInvite => ({
  inviteId: checkText(f.inviteId, "invite id") as InviteId,
  secretHash: checkText(f.secretHash, "secret hash"),
  expiresAtMs: checkFinite(f.expiresAtMs, "expiresAtMs"),
  ...(f.usedBy === undefined ? {} : { usedBy: checkNodeId(f.usedBy, "usedBy") }),
});

function readJob(f: Fields): KeptJob {
  const state = JOB_STATES[f.state as number];
  if (!state) throw invalid("a job is in no known state");
  return {
    jobId: checkText(f.jobId, "job id") as JobId,
    pipeline: checkText(f.pipeline, "pipeline"),
    idempotencyKey: checkText(f.idempotencyKey, "idempotency key"),
    submittedBy: checkNodeId(f.submittedBy, "submittedBy"),
    submittedAtMs: checkFinite(f.submittedAtMs, "submittedAtMs"),
    submittedAtIndex: checkCount(f.submittedAtIndex, "submittedAtIndex"),
    state,
    ...(f.endedAtMs === undefined ? {} : { endedAtMs: checkFinite(f.endedAtMs, "endedAtMs") }),
    duplicatesIgnored: checkCount(f.duplicatesIgnored, "duplicatesIgnored"),
    ignoredReports: checkList(f.ignoredReports, "ignored reports", LIMITS.ignoredReportsKept, (one) =>
      readIgnored(one as Fields),
    ),
    ...checkWishes(f),
    ...(f.staged ? { staged: true as const } : {}),
    ...(f.formJson === undefined ? {} : { form: readForm(f.formJson) }),
    ...(f.parent === undefined ? {} : { parent: readParent(f) }),
    runsAgain: checkCount(f.runsAgain, "runsAgain"),
    items: checkCount(f.items, "items", f.parent === undefined ? LIMITS.jobItemsMax : LIMITS.jobTasksMax),
  };
}

const readParent = (f: Fields): KeptJob["parent"] & object => ({
  jobId: checkText(f.parent, "job id") as JobId,
  segment: checkCount(f.segment, "segment", LIMITS.pipelineStagesMax),
});

/** Of one that runs over no list, both ends of the slice are 0. */
function readTask(f: Fields): StageTask {
  const [from, to] = [checkCount(f.from, "from", LIMITS.fanOutMax), checkCount(f.to, "to", LIMITS.fanOutMax)];
  return { item: checkCount(f.item, "item", LIMITS.jobItemsMax), ...(to > 0 && { slice: { from, to } }) };
}

function readItem(f: Fields, nodes: readonly NodeId[]): KeptItem {
  return {
    name: checkText(f.name, "input name"),
    blob: hashFromBytes(f.blob, "input blob"),
    bytes: checkCount(f.bytes, "input bytes", LIMITS.blobBytesMax),
    ...(f.task ? { task: readTask(f.task as Fields) } : {}),
    ...(f.result === undefined ? {} : { result: readResult(f.result as Fields, nodes) }),
  };
}

function readResult(f: Fields, nodes: readonly NodeId[]): KeptResult {
  if (Boolean(f.output) === Boolean(f.error)) throw invalid("a result has either an output or an error");
  return {
    ...(f.output ? { output: hashFromBytes(f.output, "output") } : {}),
    outputBytes: checkCount(f.outputBytes, "output bytes", LIMITS.blobBytesMax),
    ...(f.error ? { error: checkErrorBody(f.error as Fields) } : {}),
    node: nodeAt(f.node, nodes),
    shardId: checkText(f.shardId, "shard id") as KeptResult["shardId"],
    durationMs: checkFinite(f.durationMs, "duration"),
    finishedAtMs: checkFinite(f.finishedAtMs, "finishedAtMs"),
    recordedAtIndex: checkCount(f.recordedAtIndex, "recordedAtIndex"),
    holders: nodesAt(f.holders, nodes),
    ...checkProof(f),
    ...(f.signedTask ? { signedTask: readSignedTask(f.signedTask as Fields) } : {}),
  };
}

const readIgnored = (f: Fields): IgnoredReport => ({
  item: checkCount(f.item, "item", LIMITS.jobTasksMax),
  node: checkNodeId(f.node, "node"),
  shardId: checkText(f.shardId, "shard id") as IgnoredReport["shardId"],
  because: f.ended ? "ended" : "recorded",
  atIndex: checkCount(f.atIndex, "atIndex"),
});

const drillFields = ({ recordJson, ...drill }: KeptDrill): object => ({ drill, recordJson });

const readKeptDrill = (f: Fields): KeptDrill => ({
  ...readDrill((f.drill ?? {}) as Fields),
  recordJson: checkDrillRecord(f.recordJson),
});

function nodeAt(place: unknown, nodes: readonly NodeId[]): NodeId {
  const node = nodes[place as number];
  if (!node) throw invalid("an item names a node that its record does not list");
  return node;
}

const nodesAt = (places: unknown, nodes: readonly NodeId[]): NodeId[] =>
  checkList(places, "holders", HOLDERS_MAX, (place) => nodeAt(place, nodes));
