import { LIMITS } from "../limits.ts";
import {
  type ConfState,
  type HardState,
  RAFT_MESSAGE_TYPES,
  type RaftEntry,
  type RaftMessage,
  type RaftSnapshot,
} from "../raft.ts";
import {
  checkCount,
  checkList,
  checkNodeId,
  checkNodeIds,
  checkVersion,
  codec,
  type Fields,
  invalid,
} from "./codec.ts";

const VERSION = 1;
/** More entries than a frame could hold at the smallest size. */
const ENTRIES_MAX = LIMITS.frameBytesMax / 4;
/** Reads are named by ids of a few bytes. */
const CONTEXT_BYTES_MAX = 256;

const confState = codec("ConfState");
const entry = codec("RaftEntry");
const hardState = codec("HardState");
const snapshot = codec("RaftSnapshot");
const message = codec("RaftMessage");

export const encodeConfState = (conf: ConfState): Uint8Array => confState.encode(conf);
export const decodeConfState = (bytes: Uint8Array): ConfState => checkConf(confState.decode(bytes));

export const encodeEntry = (value: RaftEntry): Uint8Array => entry.encode(entryFields(value));
export const decodeEntry = (bytes: Uint8Array): RaftEntry => checkEntry(entry.decode(bytes));

export const encodeHardState = (value: HardState): Uint8Array => hardState.encode({ version: VERSION, ...value });
export function decodeHardState(bytes: Uint8Array): HardState {
  const fields = hardState.decode(bytes);
  checkVersion(fields, VERSION, "hard state");
  return {
    term: checkCount(fields.term, "term"),
    vote: fields.vote === "" ? "" : checkNodeId(fields.vote, "vote"),
    commit: checkCount(fields.commit, "commit"),
  };
}

export const encodeSnapshot = (value: RaftSnapshot): Uint8Array => snapshot.encode(value);
export const decodeSnapshot = (bytes: Uint8Array): RaftSnapshot => checkSnapshot(snapshot.decode(bytes));

export function encodeRaftMessage(value: RaftMessage): Uint8Array {
  return message.encode({
    ...value,
    version: VERSION,
    type: RAFT_MESSAGE_TYPES.indexOf(value.type),
    entries: value.entries.map(entryFields),
  });
}

/** @throws FRAME_INVALID: shape, ids and ranges are checked here; what a message may do is the core's business. */
export function decodeRaftMessage(bytes: Uint8Array): RaftMessage {
  const fields = message.decode(bytes);
  checkVersion(fields, VERSION, "raft message");
  const type = RAFT_MESSAGE_TYPES[fields.type as number];
  if (!type) throw invalid(`raft message type ${fields.type} is unknown`);
  return {
    type,
    from: checkNodeId(fields.from, "from"),
    to: checkNodeId(fields.to, "to"),
    term: checkCount(fields.term, "term"),
    logTerm: checkCount(fields.logTerm, "logTerm"),
    index: checkCount(fields.index, "index"),
    entries: checkList(fields.entries, "entries", ENTRIES_MAX, (item) => checkSmallEntry(item as Fields)),
    commit: checkCount(fields.commit, "commit"),
    reject: fields.reject as boolean,
    rejectHint: checkCount(fields.rejectHint, "rejectHint"),
    electionTicks: checkCount(fields.electionTicks, "electionTicks"),
    context: checkBytes(fields.context, "context", CONTEXT_BYTES_MAX),
    ...(fields.snapshot ? { snapshot: checkSnapshot(fields.snapshot as Fields) } : {}),
  };
}

const entryFields = (value: RaftEntry): object => ({
  ...value,
  configuration: value.kind === "configuration",
  digest: value.kind === "digest",
});

/** One that any node could have proposed. */
function checkSmallEntry(fields: Fields): RaftEntry {
  checkBytes(fields.data, "entry", LIMITS.entryBytesMax);
  return checkEntry(fields);
}

function checkBytes(value: unknown, what: string, max: number): Uint8Array {
  const bytes = value as Uint8Array;
  if (bytes.length > max) throw invalid(`${what} is longer than ${max} bytes`);
  return bytes;
}

function checkEntry(fields: Fields): RaftEntry {
  return {
    index: checkCount(fields.index, "entry index"),
    term: checkCount(fields.term, "entry term"),
    kind: fields.configuration ? "configuration" : fields.digest ? "digest" : "normal",
    data: fields.data as Uint8Array,
  };
}

export function checkConf(fields: Fields): ConfState {
  return {
    voters: checkNodeIds(fields.voters, "voters"),
    votersOutgoing: checkNodeIds(fields.votersOutgoing, "votersOutgoing"),
    learners: checkNodeIds(fields.learners, "learners"),
    learnersNext: checkNodeIds(fields.learnersNext, "learnersNext"),
    autoLeave: fields.autoLeave as boolean,
    witnesses: checkNodeIds(fields.witnesses, "witnesses"),
  };
}

export function checkSnapshot(fields: Fields): RaftSnapshot {
  if (!fields.conf) throw invalid("snapshot has no configuration");
  return {
    index: checkCount(fields.index, "snapshot index"),
    term: checkCount(fields.term, "snapshot term"),
    conf: checkConf(fields.conf as Fields),
    data: fields.data as Uint8Array,
  };
}
