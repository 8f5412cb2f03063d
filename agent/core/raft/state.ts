import { invariant } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type {
  ConfState,
  HardState,
  LogIndex,
  RaftEntry,
  RaftMessage,
  RaftSnapshot,
  Term,
} from "../../../shared/raft.ts";
import { RaftLog } from "./log.ts";
import type { Progress, ProgressState } from "./progress.ts";
import { ReadQueue } from "./read-queue.ts";

export interface RaftLimits {
  /** Entries of one append message. A single entry above it goes alone. */
  entriesPerMessageBytesMax: number;
  /** Appends in flight to one peer. A short window makes larger batches, which one fsync then covers. */
  inflightMessagesMax: number;
  inflightBytesMax: number;
  /** Proposed and not committed: a leader cut off from its quorum must not grow without end. */
  uncommittedBytesMax: number;
  /** Handed out to be applied at once, so that applying never holds up the thread for long. */
  committedPerReadyBytesMax: number;
  /** Reads that wait for a quorum. */
  readsWaitingMax: number;
}

export const RAFT_LIMITS: Readonly<RaftLimits> = {
  entriesPerMessageBytesMax: 256 * 1024,
  inflightMessagesMax: 16,
  inflightBytesMax: 2 * 1024 * 1024,
  uncommittedBytesMax: 16 * 1024 * 1024,
  committedPerReadyBytesMax: 1024 * 1024,
  readsWaitingMax: 4_096,
};

export interface RaftConfig extends Partial<RaftLimits> {
  id: NodeId;
  /** To begin with; {@link RaftTiming}. */
  electionTicks: number;
  heartbeatTicks: number;
  /** What a leader may announce, and a follower take over. Both are `electionTicks` unless given. */
  electionTicksMin?: number;
  electionTicksMax?: number;
  /** Uniform in [0, 1). */
  random: () => number;
  /** What a witness keeps of an entry's data: a cryptographic hash. */
  digest: (data: Uint8Array) => Uint8Array;
  /** From the journal. The core keeps the log after the snapshot in memory. */
  initial: { hardState: HardState; entries: RaftEntry[]; snapshot?: RaftSnapshot };
}

export type RaftRole = "follower" | "preCandidate" | "candidate" | "leader";

/** An answered read: linearizable once everything up to `index` is applied. */
export interface ReadState {
  context: Uint8Array;
  index: LogIndex;
}

export interface SoftState {
  role: RaftRole;
  leader?: NodeId;
}

/**
 * One bundle of work. In this order: write `entries`, `hardState` and `snapshot` as one batch; send
 * `messagesAfterPersist`; install `snapshot`, then apply `committedEntries`; call `advance()`.
 */
export interface Ready {
  hardState?: HardState;
  /** Replace everything on disk from the first one's index on. */
  entries: RaftEntry[];
  /** Received from a leader. Replaces what was applied so far. */
  snapshot?: RaftSnapshot;
  /** False if only the commit index moved: it may be lost, so no fsync is owed. */
  mustSync: boolean;
  /** They promise that a vote or an entry is on disk. */
  messagesAfterPersist: RaftMessage[];
  /** A witness is not handed what it has only a digest of; its applied index moves all the same. */
  committedEntries: RaftEntry[];
  readStates: ReadState[];
  /** Present if it changed. */
  softState?: SoftState;
}

export interface ProgressStatus {
  match: LogIndex;
  next: LogIndex;
  state: ProgressState;
  /** Heard in this period of the leader's quorum check, of which each begins with nobody heard. */
  recentActive: boolean;
  /** Heard in this period or the one before: it answers. */
  isHeard: boolean;
  paused: boolean;
  inflightMessages: number;
  pendingSnapshot: LogIndex;
}

/** What is so now. `progress` and `quorumActive` are worked out when they are read. */
export interface RaftStatus {
  id: NodeId;
  term: Term;
  vote: NodeId | "";
  role: RaftRole;
  leader?: NodeId;
  commit: LogIndex;
  applied: LogIndex;
  lastIndex: LogIndex;
  lastTerm: Term;
  /** The newest in the log, committed or not. */
  conf: ConfState;
  /** True while that newest configuration is not known to be committed. */
  confPending: boolean;
  transferee?: NodeId;
  /** Empty unless this node leads. */
  progress: ReadonlyMap<NodeId, ProgressStatus>;
  /** A leader: it heard a quorum lately. Others: they know a leader. */
  quorumActive: boolean;
  /** Its present patience with a silent leader. */
  electionTicks: number;
}

/**
 * Everything one node knows, shared by the functions of this room; `Raft` owns it and nobody else changes it.
 * Promises to others wait in `outboxAfterPersist` until what they promise is on disk; the rest goes out at once.
 */
export class RaftState {
  readonly id: NodeId;
  electionTicks: number;
  heartbeatTicks: number;
  readonly electionTicksMin: number;
  readonly electionTicksMax: number;
  /** A leader's, once its slower heartbeats were announced so many more times. */
  heartbeatTicksNext: number;
  announcementsLeft = 0;
  readonly random: () => number;
  readonly digest: (data: Uint8Array) => Uint8Array;
  readonly limits: RaftLimits;
  readonly log: RaftLog;

  term: Term;
  vote: NodeId | "";
  role: RaftRole = "follower";
  leader: NodeId | undefined;

  /** Ticks since a leader was heard, an election began, or (as leader) the quorum was last checked. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Drawn from [electionTicks, 2 * electionTicks). */
  electionTimeout = 0;

  /** Answers to this node's own (pre-)candidacy. */
  readonly votes: Map<NodeId, boolean> = new Map();

  // A leader's part; empty otherwise.
  readonly peers: Map<NodeId, Progress> = new Map();
  hasWitness = false;
  readonly reads: ReadQueue = new ReadQueue();
  transferee: NodeId | undefined;
  uncommittedBytes = 0;
  /** Entries or a commit index wait to be sent: appends are made when the messages are taken, so that what came in meanwhile shares one. */
  broadcastDue = false;

  outbox: RaftMessage[] = [];
  outboxAfterPersist: RaftMessage[] = [];
  readStates: ReadState[] = [];

  /** Handed out and not yet advanced past. */
  outstanding: Ready | undefined;
  /** Ticks for which the outstanding Ready has waited for the disk. */
  diskTicks = 0;
  /** How far the outstanding Ready applies the log. */
  applyingTo: LogIndex = 0;
  /** The newest that is on disk. */
  durable: HardState;
  announced: SoftState = { role: "follower" };

  constructor(config: RaftConfig) {
    const { hardState, entries, snapshot } = config.initial;
    invariant(
      config.heartbeatTicks > 0 && config.electionTicks > config.heartbeatTicks,
      "an election outlasts a heartbeat",
    );
    this.id = config.id;
    this.electionTicks = config.electionTicks;
    this.heartbeatTicks = config.heartbeatTicks;
    this.heartbeatTicksNext = config.heartbeatTicks;
    this.electionTicksMin = config.electionTicksMin ?? config.electionTicks;
    this.electionTicksMax = config.electionTicksMax ?? config.electionTicks;
    invariant(
      this.electionTicksMin <= config.electionTicks && config.electionTicks <= this.electionTicksMax,
      "patience begins within its bounds",
    );
    this.random = config.random;
    this.digest = config.digest;
    this.limits = limitsFrom(config);
    this.log = new RaftLog(entries, snapshot);
    this.log.commitTo(hardState.commit);
    this.log.applied = this.log.offset;
    this.term = hardState.term;
    this.vote = hardState.vote;
    // A snapshot on disk says as much as a commit index up to it.
    this.durable = { ...hardState, commit: this.log.committed };
  }
}

function limitsFrom(config: RaftConfig): RaftLimits {
  const limits = { ...RAFT_LIMITS };
  for (const key of Object.keys(RAFT_LIMITS) as (keyof RaftLimits)[]) {
    limits[key] = config[key] ?? limits[key];
    invariant(limits[key] > 0, `${key} is above zero`);
  }
  return limits;
}
