/** What a leader does: take office, keep it, and hear its peers' answers. */
import { invariant } from "../../../shared/errors.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { send } from "./messages.ts";
import { alignPeers, forgetActivity, quorumHeard } from "./peers.ts";
import type { Progress } from "./progress.ts";
import { answerEarlyReads, answerReads, heardRead, sendHeartbeats, takeRead } from "./reads.ts";
import {
  appendOwn,
  broadcast,
  hasCommittedInTerm,
  maybeAutoLeave,
  maybeCommit,
  sendAppend,
  sendAppends,
} from "./replication.ts";
import { becomeFollower, resetFor } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { announced } from "./timing.ts";

export function becomeLeader(state: RaftState): void {
  invariant(state.role === "candidate", "only a candidate becomes leader");
  const supporters = new Set([...state.votes].filter(([, granted]) => granted).map(([id]) => id));
  resetFor(state, state.term);
  state.role = "leader";
  state.leader = state.id;
  alignPeers(state);
  for (const [id, peer] of state.peers) {
    peer.recentActive = id === state.id;
    peer.wasActive = supporters.has(id);
    // A witness waits for who did not vote for one heartbeat's time, unless its link is known to be broken.
    if (!peer.wasActive) peer.lateTicks = Math.max(0, state.electionTicks - state.heartbeatTicks);
  }
  const self = state.peers.get(state.id)!;
  self.match = state.log.stable;
  self.becomeReplicate();
  state.uncommittedBytes = state.log.bytesBetween(state.log.committed, state.log.last);
  // An empty entry of the new term: committing it commits what earlier leaders left, and makes the commit index certain.
  appendOwn(state, "normal", new Uint8Array(0));
}

export function tickLeader(state: RaftState): void {
  state.heartbeatElapsed += 1;
  state.electionElapsed += 1;
  for (const peer of state.peers.values()) peer.lateTicks += 1;
  if (state.electionElapsed >= state.electionTicks) {
    state.electionElapsed = 0;
    if (!quorumHeard(state, "this")) {
      becomeFollower(state, state.term, undefined);
      return;
    }
    forgetActivity(state);
    // A transfer that took this long has failed: serve again.
    state.transferee = undefined;
  }
  if (state.heartbeatElapsed >= state.heartbeatTicks) {
    sendHeartbeats(state);
    announced(state);
    maybeAutoLeave(state);
  }
}

export function stepLeader(state: RaftState, message: RaftMessage): void {
  const peer = state.peers.get(message.from);
  if (!peer) return;
  if (message.type === "appendResponse") {
    // It speaks of entries that this leader does not have.
    if (message.index > state.log.last) return;
    peer.recentActive = true;
    if (message.reject) heardReject(state, message, peer);
    else heardAcknowledge(state, message, peer);
  } else if (message.type === "heartbeatResponse") {
    peer.recentActive = true;
    if (peer.match >= state.peers.get(state.id)!.match) peer.lateTicks = 0;
    heardHeartbeatAnswer(state, message, peer);
  } else if (message.type === "readIndex") {
    takeRead(state, message.from, message.context);
  }
}

function heardReject(state: RaftState, message: RaftMessage, peer: Progress): void {
  const hint =
    message.logTerm > 0 ? state.log.conflictByTerm(message.rejectHint, message.logTerm).index : message.rejectHint;
  if (!peer.stepBack(message.index, hint)) return;
  if (peer.state === "replicate") peer.becomeProbe();
  sendAppend(state, message.from, peer, true);
}

function heardAcknowledge(state: RaftState, message: RaftMessage, peer: Progress): void {
  const news = peer.acknowledge(message.index);
  if (news) peer.lateTicks = 0;
  // An answer that is no news still brings a probed peer back: reported unreachable while it had everything.
  if (!news && !(peer.state === "probe" && peer.match === message.index)) return;
  if (peer.state === "probe") peer.becomeReplicate();
  else if (peer.state === "replicate") peer.inflights.freeTo(message.index);
  // Any acknowledgement from which the log can go on ends the snapshot, be it an older one than was sent.
  else if (peer.match >= state.log.offset) peer.becomeReplicate();
  const committed = state.log.committed;
  maybeCommit(state);
  if (state.role !== "leader") return;
  if (state.log.committed > committed) answerEarlyReads(state);
  if (state.peers.get(message.from) !== peer) return;
  sendAppends(state, message.from, peer);
  if (state.transferee === message.from && peer.match === state.log.last) send(state, "timeoutNow", message.from);
}

function heardHeartbeatAnswer(state: RaftState, message: RaftMessage, peer: Progress): void {
  peer.paused = false;
  // Even an empty append: its answer shows whether what was in flight arrived.
  if (peer.match < state.log.last || peer.state === "probe") sendAppend(state, message.from, peer, true);
  heardRead(state, message);
  answerReads(state);
}

/** The leader's own entries are on disk up to the log's stable index. */
export function ownEntriesDurable(state: RaftState): void {
  const self = state.peers.get(state.id)!;
  if (!self.acknowledge(state.log.stable)) return;
  maybeCommit(state);
  if (state.role === "leader" && hasCommittedInTerm(state)) answerEarlyReads(state);
}

/** Leadership as the disk sees it is over: others can serve, this one cannot. */
export function stepDown(state: RaftState): void {
  if (state.role !== "leader") return;
  broadcast(state);
  becomeFollower(state, state.term, undefined);
}
