/** Ids, entries, configurations, messages and disks, each in a few letters. */
import type { ConfChangeStep } from "../../../agent/core/raft/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState, HardState, RaftEntry, RaftMessage, RaftSnapshot, Term } from "../../../shared/raft.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";

/** Base58 without the look-alikes; ascending, so that ids sort like their numbers. */
const DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** A well-formed id for node number n. */
export const idOf = (n: number): NodeId =>
  `12D3KooW${DIGITS[Math.floor(n / 58)]!.padStart(43, "1")}${DIGITS[n % 58]}` as NodeId;
export const numberOf = (id: NodeId): number => DIGITS.indexOf(id.at(-2)!) * 58 + DIGITS.indexOf(id.at(-1)!);

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** Not a hash that anyone should trust, but a short one. */
export function digestOf(data: Uint8Array): Uint8Array {
  let hash = 0x811c9dc5;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
  return new Uint8Array(Uint32Array.of(hash).buffer);
}

export const confOf = (parts: {
  voters: number[];
  outgoing?: number[];
  learners?: number[];
  learnersNext?: number[];
  autoLeave?: boolean;
  witnesses?: number[];
}): ConfState => ({
  voters: parts.voters.map(idOf),
  votersOutgoing: (parts.outgoing ?? []).map(idOf),
  learners: (parts.learners ?? []).map(idOf),
  learnersNext: (parts.learnersNext ?? []).map(idOf),
  autoLeave: parts.autoLeave ?? false,
  witnesses: (parts.witnesses ?? []).map(idOf),
});

export const normal = (index: number, term: Term, data = ""): RaftEntry => ({
  index,
  term,
  kind: "normal",
  data: bytes(data),
});
export const configuration = (index: number, term: Term, conf: ConfState): RaftEntry => ({
  index,
  term,
  kind: "configuration",
  data: encodeConfState(conf),
});
/** Entries after `first - 1` with these terms, e.g. `entriesOf([1, 1, 4])`. */
export const entriesOf = (terms: Term[], first = 1): RaftEntry[] => terms.map((term, at) => normal(first + at, term));

/** A small generator (mulberry32): tests and their cores draw everything from one seed. */
export function randomFrom(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Disk {
  hardState: HardState;
  entries: RaftEntry[];
  snapshot?: RaftSnapshot;
}
export const emptyDisk = (): Disk => ({ hardState: { term: 0, vote: "", commit: 0 }, entries: [] });
/** A disk whose node starts from a snapshot at index 1 of term 1 with this membership, as if the fleet had long stood. */
export const diskWith = (conf: ConfState, terms: Term[] = [], hardState: Partial<HardState> = {}): Disk => ({
  hardState: { term: Math.max(1, ...terms), vote: "", commit: 1, ...hardState },
  entries: entriesOf(terms, 2),
  snapshot: { index: 1, term: 1, conf, data: new Uint8Array(0) },
});

export function writeTo(
  disk: Disk,
  batch: { hardState?: HardState; entries: RaftEntry[]; snapshot?: RaftSnapshot },
): void {
  if (batch.snapshot) {
    const { index, term } = batch.snapshot;
    const follows = disk.entries.some((entry) => entry.index === index && entry.term === term);
    disk.entries = follows ? disk.entries.filter((entry) => entry.index > index) : [];
    disk.snapshot = batch.snapshot;
  }
  if (batch.entries.length > 0) {
    const from = batch.entries[0]!.index;
    disk.entries = [...disk.entries.filter((entry) => entry.index < from), ...batch.entries];
  }
  if (batch.hardState) disk.hardState = batch.hardState;
}

export const addVoter = (n: number): ConfChangeStep => ({ kind: "addVoter", node: idOf(n) });
export const addLearner = (n: number): ConfChangeStep => ({ kind: "addLearner", node: idOf(n) });
export const addWitness = (n: number): ConfChangeStep => ({ kind: "addWitness", node: idOf(n) });
export const remove = (n: number): ConfChangeStep => ({ kind: "remove", node: idOf(n) });

export function messageOf(
  type: RaftMessage["type"],
  from: number,
  to: number,
  fields: Partial<Omit<RaftMessage, "type" | "from" | "to">>,
): RaftMessage {
  return {
    type,
    from: idOf(from),
    to: idOf(to),
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    reject: false,
    rejectHint: 0,
    context: new Uint8Array(0),
    electionTicks: 0,
    ...fields,
  };
}
