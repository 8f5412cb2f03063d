import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState, LogIndex, Term } from "../../../shared/raft.ts";
import { quorumHeard } from "./peers.ts";
import type { Progress } from "./progress.ts";
import type { ProgressStatus, RaftRole, RaftState, RaftStatus } from "./state.ts";

export const statusOf = (state: RaftState): RaftStatus => new Status(state);

/** Most who ask want to know who leads, and some ask at every message: what is dear is worked out when it is read. */
class Status implements RaftStatus {
  readonly id: NodeId;
  readonly term: Term;
  readonly vote: NodeId | "";
  readonly role: RaftRole;
  declare readonly leader?: NodeId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly conf: ConfState;
  readonly confPending: boolean;
  declare readonly transferee?: NodeId;
  readonly electionTicks: number;
  readonly #state: RaftState;

  constructor(state: RaftState) {
    const { log } = state;
    this.#state = state;
    this.id = state.id;
    this.term = state.term;
    this.vote = state.vote;
    this.role = state.role;
    if (state.leader !== undefined) this.leader = state.leader;
    this.commit = log.committed;
    this.applied = log.applied;
    this.lastIndex = log.last;
    this.lastTerm = log.lastTerm;
    this.conf = log.conf;
    this.confPending = log.confPending;
    if (state.transferee !== undefined) this.transferee = state.transferee;
    this.electionTicks = state.electionTicks;
  }

  get progress(): ReadonlyMap<NodeId, ProgressStatus> {
    return new Map([...this.#state.peers].map(([peer, progress]) => [peer, progressStatus(progress)]));
  }

  get quorumActive(): boolean {
    return this.role === "leader" ? quorumHeard(this.#state, "thisAndLast") : this.leader !== undefined;
  }
}

const progressStatus = (progress: Progress): ProgressStatus => ({
  match: progress.match,
  next: progress.next,
  state: progress.state,
  recentActive: progress.recentActive,
  isHeard: progress.recentActive || progress.wasActive,
  paused: progress.mustWait,
  inflightMessages: progress.inflights.count,
  pendingSnapshot: progress.pendingSnapshot,
});
