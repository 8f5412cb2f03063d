/** One core with its disk in memory, alone with its test, which plays the others. */
import { Raft, type RaftConfig, type RaftLimits, type ReadState } from "../../../agent/core/raft/index.ts";
import type { HardState, RaftEntry, RaftMessage, Term } from "../../../shared/raft.ts";
import { confOf, type Disk, digestOf, diskWith, idOf, messageOf, randomFrom, writeTo } from "./builders.ts";

export const ELECTION_TICKS = 10;

export type Options = Partial<RaftLimits> &
  Partial<Pick<RaftConfig, "random" | "electionTicks" | "heartbeatTicks" | "electionTicksMin" | "electionTicksMax">>;

export function makeRaft(n: number, disk: Disk, options: Options = {}): Raft {
  return new Raft({
    id: idOf(n),
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: 1,
    random: randomFrom(n),
    digest: digestOf,
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
