/** The leader's side of the log: its own entries, what each peer is sent, and when an entry is committed. */
import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState, LogIndex, RaftEntry } from "../../../shared/raft.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";
import { isVoter, leaveJoint } from "./confchange.ts";
import { entryBytes } from "./log.ts";
import { send } from "./messages.ts";
import { alignPeers } from "./peers.ts";
import type { Progress } from "./progress.ts";
import { committedIndex } from "./quorum.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { witnessCeiling, witnessed, witnessSnapshot } from "./witness.ts";

/** Appends an entry of the leader's own. It counts for itself only once it is on disk. */
export function appendOwn(state: RaftState, kind: RaftEntry["kind"], data: Uint8Array): LogIndex {
  const entry: RaftEntry = { index: state.log.last + 1, term: state.term, kind, data };
  state.log.append([entry]);
  state.uncommittedBytes += entryBytes(entry);
  state.broadcastDue = true;
  return entry.index;
}

/** Appends a configuration and takes it up at once (thesis 4.1). */
export function appendConf(state: RaftState, conf: ConfState): LogIndex {
  const index = appendOwn(state, "configuration", encodeConfState(conf));
  // A newcomer is probed with this very entry.
  alignPeers(state, index);
  return index;
}

/** True once this leader committed an entry of its own term: only then are its commit index and configuration certain. */
export const hasCommittedInTerm = ({ log, term }: RaftState): boolean => log.term(log.committed) === term;

/** Everything that waits to be sent to anyone. */
export function broadcast(state: RaftState): void {
  if (state.broadcastDue) {
    state.broadcastDue = false;
    for (const [id, peer] of state.peers) if (id !== state.id) sendAppends(state, id, peer);
  } else if (state.hasWitness) {
    // Whatever happened may have lifted its ceiling: an answer, a write, silence.
    for (const [id, peer] of state.peers) if (peer.witness && peer.next <= state.log.last) sendAppends(state, id, peer);
  }
}

/** As many appends as the window takes; an empty one if only the commit index is news. */
export function sendAppends(state: RaftState, to: NodeId, peer: Progress): void {
  while (sendAppend(state, to, peer, false));
  const news = state.log.committed > peer.sentCommit && peer.sentCommit < peer.next - 1;
  if (news) sendAppend(state, to, peer, true);
}

/** Sends one append, or a snapshot where the log no longer reaches back. Returns whether entries went out. */
export function sendAppend(state: RaftState, to: NodeId, peer: Progress, evenEmpty: boolean): boolean {
  if (peer.mustWait) return false;
  const { log } = state;
  const index = peer.next - 1;
  const logTerm = log.term(index);
  if (logTerm === undefined) {
    sendSnapshot(state, to, peer);
    return false;
  }
  const blocked = peer.state === "replicate" && peer.inflights.full;
  const entries = blocked ? [] : entriesFor(state, peer);
  if (entries.length === 0 && !evenEmpty) return false;
  send(state, "appendRequest", to, { index, logTerm, entries, commit: log.committed });
  peer.sent(
    entries.length,
    entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0),
  );
  peer.sentCommit = log.committed;
  return entries.length > 0;
}

function entriesFor(state: RaftState, peer: Progress): RaftEntry[] {
  const { entriesPerMessageBytesMax } = state.limits;
  if (!peer.witness) return state.log.sliceWithin(peer.next, entriesPerMessageBytesMax);
  const entries = state.log.sliceWithin(peer.next, entriesPerMessageBytesMax, witnessCeiling(state) + 1);
  return entries.map((entry) => witnessed(state, entry));
}

function sendSnapshot(state: RaftState, to: NodeId, peer: Progress): void {
  // To a peer that is away it would be bytes for nothing, and it would then wait for a report that comes late.
  if (!peer.recentActive) return;
  const snapshot = peer.witness ? witnessSnapshot(state) : state.log.snapshot;
  if (!snapshot) return;
  peer.becomeSnapshot(snapshot.index);
  send(state, "snapshot", to, { snapshot });
}

/** Counts what is on a quorum's disks. Only an entry of the own term commits by counting; it takes the earlier ones along (paper 5.4.2). */
export function maybeCommit(state: RaftState): void {
  const { log } = state;
  for (;;) {
    const index = committedIndex(log.conf, (id) => state.peers.get(id)?.match ?? 0);
    if (index <= log.committed || log.term(index) !== state.term) return;
    const confWasPending = log.confPending;
    state.uncommittedBytes -= log.bytesBetween(log.committed, index);
    log.commitTo(index);
    state.broadcastDue = true;
    if (confWasPending && !log.confPending) confCommitted(state);
    if (state.role !== "leader") return;
    maybeAutoLeave(state);
  }
}

function confCommitted(state: RaftState): void {
  // Before they are let go, removed nodes hear that it is so.
  broadcast(state);
  if (isVoter(state.log.conf, state.id)) alignPeers(state);
  else becomeFollower(state, state.term, undefined);
}

/** Leaves a joint configuration that was to leave by itself, once it is committed; also one that an earlier leader left behind. */
export function maybeAutoLeave(state: RaftState): void {
  const { log } = state;
  if (!log.conf.autoLeave || log.confPending || state.transferee || !hasCommittedInTerm(state)) return;
  const outcome = leaveJoint(log.conf);
  if ("conf" in outcome) appendConf(state, outcome.conf);
}
