/** A few Raft cores joined by a network that delivers at once, in order, unless told otherwise; disks in memory. */
import {
  type ConfChangeStep,
  EMPTY_CONF,
  Raft,
  type RaftConfig,
  type RaftLimits,
  type ReadState,
} from "../../../agent/core/raft/index.ts";
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

export const confOf = (parts: {
  voters: number[];
  outgoing?: number[];
  learners?: number[];
  learnersNext?: number[];
  autoLeave?: boolean;
}): ConfState => ({
  voters: parts.voters.map(idOf),
  votersOutgoing: (parts.outgoing ?? []).map(idOf),
  learners: (parts.learners ?? []).map(idOf),
  learnersNext: (parts.learnersNext ?? []).map(idOf),
  autoLeave: parts.autoLeave ?? false,
});
export const joiners = EMPTY_CONF;

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

export const ELECTION_TICKS = 10;

export type Options = Partial<RaftLimits> & Partial<Pick<RaftConfig, "random" | "electionTicks" | "heartbeatTicks">>;

export function makeRaft(n: number, disk: Disk, options: Options = {}): Raft {
  return new Raft({
    id: idOf(n),
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: 1,
    random: randomFrom(n),
    initial: {
      hardState: disk.hardState,
      entries: [...disk.entries],
      ...(disk.snapshot && { snapshot: disk.snapshot }),
    },
    ...options,
  });
}

/** One node with its disk and what it applied. */
export class Member {
  readonly n: number;
  readonly disk: Disk;
  readonly applied: RaftEntry[] = [];
  readonly reads: ReadState[] = [];
  raft: Raft;
  private readonly options: Options;

  constructor(n: number, disk: Disk, options: Options) {
    this.n = n;
    this.disk = disk;
    this.options = options;
    this.raft = makeRaft(n, disk, options);
  }

  /** Works off every Ready and returns what is to be sent. */
  settle(): RaftMessage[] {
    const messages = this.raft.takeMessages();
    while (this.raft.hasReady()) {
      const ready = this.raft.ready();
      writeTo(this.disk, ready);
      messages.push(...ready.messagesAfterPersist);
      this.applied.push(...ready.committedEntries);
      this.reads.push(...ready.readStates);
      this.raft.advance();
      messages.push(...this.raft.takeMessages());
      this.raft.assertSound();
    }
    return messages;
  }

  restart(): void {
    this.applied.length = 0;
    this.raft = makeRaft(this.n, this.disk, this.options);
  }
}

export class Cluster {
  readonly members: Map<number, Member> = new Map();
  /** Directed links that lose everything, as "from>to". */
  readonly cut: Set<string> = new Set();
  /** Sees every message on its way; false loses it. */
  filter: (message: RaftMessage) => boolean = () => true;
  /** Everything delivered, oldest first. */
  readonly delivered: RaftMessage[] = [];

  /** `size` voters numbered from 1, all with the same empty log after a snapshot at index 1. */
  static of(size: number, options: Options = {}): Cluster {
    const cluster = new Cluster();
    const conf = confOf({ voters: Array.from({ length: size }, (_, at) => at + 1) });
    for (let n = 1; n <= size; n += 1) cluster.add(n, diskWith(conf), options);
    return cluster;
  }

  add(n: number, disk: Disk = emptyDisk(), options: Options = {}): Member {
    const member = new Member(n, disk, options);
    this.members.set(n, member);
    return member;
  }

  at(n: number): Member {
    return this.members.get(n)!;
  }
  raft(n: number): Raft {
    return this.at(n).raft;
  }

  isolate(n: number): void {
    for (const other of this.members.keys()) if (other !== n) this.cutBetween(n, other);
  }
  cutBetween(a: number, b: number): void {
    this.cut.add(`${a}>${b}`);
    this.cut.add(`${b}>${a}`);
  }
  heal(): void {
    this.cut.clear();
    this.filter = () => true;
  }

  /** Delivers until nobody has anything to say. */
  settle(): void {
    for (let round = 0; round < 1_000; round += 1) {
      const messages = [...this.members.values()].flatMap((member) => member.settle());
      if (messages.length === 0) return;
      for (const message of messages) this.deliver(message);
    }
    throw new Error("the nodes never stopped talking");
  }

  deliver(message: RaftMessage): void {
    if (this.cut.has(`${numberOf(message.from)}>${numberOf(message.to)}`) || !this.filter(message)) return;
    this.delivered.push(message);
    const member = this.members.get(numberOf(message.to));
    member?.raft.step(message);
    member?.raft.assertSound();
  }

  elect(n: number): void {
    this.raft(n).campaign();
    this.settle();
    if (this.raft(n).status().role !== "leader") throw new Error(`node ${n} was not elected`);
  }

  tick(n: number, ticks = 1): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      this.raft(n).tick();
      this.settle();
    }
  }

  tickAll(ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      for (const member of this.members.values()) member.raft.tick();
      this.settle();
    }
  }

  leader(): number | undefined {
    const leaders = [...this.members.values()].map(({ raft }) => raft.status()).filter(({ role }) => role === "leader");
    const newest = leaders.sort((a, b) => b.term - a.term)[0];
    return newest && numberOf(newest.id);
  }

  propose(n: number, data: string): void {
    const answer = this.raft(n).propose(bytes(data));
    if (!answer.accepted) throw new Error(`the proposal was refused: ${answer.reason}`);
    this.settle();
  }

  change(n: number, ...steps: ConfChangeStep[]): void {
    const answer = this.raft(n).proposeConfChange({ steps, transition: "auto" });
    if (!answer.accepted) throw new Error(`the change was refused: ${answer.reason} ${answer.detail ?? ""}`);
    this.settle();
  }
}

export const addVoter = (n: number): ConfChangeStep => ({ kind: "addVoter", node: idOf(n) });
export const addLearner = (n: number): ConfChangeStep => ({ kind: "addLearner", node: idOf(n) });
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
    ...fields,
  };
}

/** Voter 1 of `size`, alone with its test, which plays the others; its log starts after a snapshot at index 1 of term 1. */
export function memberOf(
  size: number,
  terms: Term[] = [],
  hardState: Partial<HardState> = {},
  options: Options = {},
): Member {
  const conf = confOf({ voters: Array.from({ length: size }, (_, at) => at + 1) });
  return new Member(1, diskWith(conf, terms, hardState), options);
}

/** Steps messages into a member and returns everything it sends, its own work done. */
export function hears(member: Member, ...messages: RaftMessage[]): RaftMessage[] {
  for (const message of messages) member.raft.step(message);
  return member.settle();
}

const others = (size: number): number[] => Array.from({ length: size - 1 }, (_, at) => at + 2);

/** Brings a member through the pre-votes of a fleet of `size`; it then asks for votes. */
export function makeCandidate(member: Member, size: number): RaftMessage[] {
  member.raft.campaign();
  const asked = member.settle();
  if (size === 1) return asked;
  const { term } = member.raft.status();
  return hears(member, ...others(size).map((n) => messageOf("preVoteResponse", n, member.n, { term: term + 1 })));
}

/** And through the votes: what it sends as the new leader. */
export function makeLeader(member: Member, size: number): RaftMessage[] {
  const sent = makeCandidate(member, size);
  if (size === 1) return sent;
  const { term } = member.raft.status();
  return hears(member, ...others(size).map((n) => messageOf("voteResponse", n, member.n, { term })));
}

/** Everyone else acknowledges everything the leader has. */
export function acknowledgeAll(member: Member, size: number): RaftMessage[] {
  const { term, lastIndex } = member.raft.status();
  return hears(
    member,
    ...others(size).map((n) => messageOf("appendResponse", n, member.n, { term, index: lastIndex })),
  );
}
