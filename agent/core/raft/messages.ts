import type { NodeId } from "../../../shared/ids.ts";
import {
  type ConfState,
  RAFT_MESSAGE_TYPES,
  type RaftEntry,
  type RaftMessage,
  type RaftMessageType,
} from "../../../shared/raft.ts";
import { decodeConfState } from "../../../shared/wire/raft.ts";
import { confFault } from "./confchange.ts";
import type { RaftState } from "./state.ts";

const NOTHING = new Uint8Array(0);

/** On a vote request: the leader itself asked for this election, so nobody refuses because that leader is alive. */
const TRANSFER = new TextEncoder().encode("transfer");

export const transferContext = (): Uint8Array => TRANSFER;
export const isTransfer = (message: RaftMessage): boolean =>
  message.context.length === TRANSFER.length && message.context.every((byte, at) => byte === TRANSFER[at]);

/** Terms and indexes beyond it are not reached in any fleet's life; believing one would use up the numbers. */
const NUMBER_MAX = 2 ** 48;

/** A long hash. More would be data. */
const DIGEST_BYTES_MAX = 64;

const TYPES: ReadonlySet<string> = new Set(RAFT_MESSAGE_TYPES);

/** Types that say "this is on disk": a vote cast for oneself or another, entries taken. */
const PROMISES: ReadonlySet<RaftMessageType> = new Set(["appendResponse", "voteRequest", "voteResponse"]);

type Fields = Partial<Omit<RaftMessage, "type" | "from" | "to">>;

/** Queues a message. Fields not given are at zero; the term is this node's unless given. */
export function send(state: RaftState, type: RaftMessageType, to: NodeId, fields: Fields = {}): void {
  const message: RaftMessage = {
    type,
    from: state.id,
    to,
    term: state.term,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    reject: false,
    rejectHint: 0,
    context: NOTHING,
    electionTicks: 0,
    ...fields,
  };
  if (PROMISES.has(type)) state.outboxAfterPersist.push(message);
  else state.outbox.push(message);
}

/** Why a message cannot come from a sound peer, or undefined. Everything here is checked before any state is touched. */
export function messageFault(message: RaftMessage, self: NodeId): string | undefined {
  if (!TYPES.has(message.type)) return "is of no known type";
  if (message.to !== self) return "is for another node";
  if (message.from === self || message.from === ("" as NodeId)) return "has no proper sender";
  // A node that has never heard of a term may still refuse a pre-vote.
  if (!isCount(message.term) || (message.term === 0 && message.type !== "preVoteResponse")) return "has no proper term";
  for (const field of [message.logTerm, message.index, message.commit, message.rejectHint, message.electionTicks])
    if (!isCount(field)) return "has a number out of range";
  if (message.logTerm > message.term) return "knows an entry of a later term";
  if (message.type === "appendRequest") return entriesFault(message);
  if (message.type === "snapshot") return snapshotFault(message);
  return message.entries.length > 0 ? "carries entries it should not" : undefined;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= NUMBER_MAX;

function entriesFault(message: RaftMessage): string | undefined {
  let index = message.index;
  let term = message.logTerm;
  if ((index === 0) !== (term === 0)) return "has a term without an entry";
  for (const entry of message.entries) {
    index += 1;
    if (entry.index !== index) return "has a gap in its entries";
    if (!isCount(entry.term) || entry.term < term || entry.term === 0) return "has entries out of order";
    term = entry.term;
    if (entry.kind === "digest" && (entry.data.length === 0 || entry.data.length > DIGEST_BYTES_MAX))
      return "has a digest that is none";
    if (entry.kind === "configuration" && !readConf(entry)) return "has a configuration that cannot be";
  }
  return term > message.term ? "has an entry of a later term" : undefined;
}

function snapshotFault({ snapshot, term }: RaftMessage): string | undefined {
  if (!snapshot) return "carries no snapshot";
  if (!isCount(snapshot.index) || snapshot.index === 0) return "has a snapshot of nothing";
  if (!isCount(snapshot.term) || snapshot.term === 0 || snapshot.term > term) return "has a snapshot of a later term";
  return confFault(snapshot.conf);
}

/** The configuration in an entry, or undefined if its bytes are not one. */
function readConf(entry: RaftEntry): ConfState | undefined {
  try {
    const conf = decodeConfState(entry.data);
    return confFault(conf) ? undefined : conf;
  } catch {
    // The bytes came from a peer: not being a configuration is an answer, not an error of ours.
    return undefined;
  }
}
