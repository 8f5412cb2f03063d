import { quorumHeard } from "./peers.ts";
import type { Progress } from "./progress.ts";
import type { ProgressStatus, RaftState, RaftStatus } from "./state.ts";

export function statusOf(state: RaftState): RaftStatus {
  const { id, term, vote, role, leader, log, transferee } = state;
  return {
    id,
    term,
    vote,
    role,
    ...(leader !== undefined && { leader }),
    commit: log.committed,
    applied: log.applied,
    lastIndex: log.last,
    lastTerm: log.lastTerm,
    conf: log.conf,
    confPending: log.confPending,
    ...(transferee !== undefined && { transferee }),
    // Worked out when they are asked for: most who ask want to know who leads, and some ask at every message.
    get progress() {
      return new Map([...state.peers].map(([peer, progress]) => [peer, progressStatus(progress)]));
    },
    get quorumActive() {
      return role === "leader" ? quorumHeard(state, "thisAndLast") : leader !== undefined;
    },
    electionTicks: state.electionTicks,
  };
}

const progressStatus = (progress: Progress): ProgressStatus => ({
  match: progress.match,
  next: progress.next,
  state: progress.state,
  recentActive: progress.recentActive,
  paused: progress.mustWait,
  inflightMessages: progress.inflights.count,
  pendingSnapshot: progress.pendingSnapshot,
});
