/** ReadIndex: linearizable reads without writing anything (thesis 6.4). No clocks: a lease would trust one. */
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { isWitness } from "./confchange.ts";
import { send } from "./messages.ts";
import type { Read } from "./read-queue.ts";
import { hasCommittedInTerm } from "./replication.ts";
import type { RaftState } from "./state.ts";

const READ_ID_BYTES = 8;

/** Takes a read in: at the leader, or passed on to it. Returns false if nobody is known to lead or too many wait. */
export function askRead(state: RaftState, context: Uint8Array): boolean {
  if (state.role === "leader") return takeRead(state, state.id, context);
  // A witness has no data to read, at whatever index.
  if (state.leader === undefined || isWitness(state.log.conf, state.id)) return false;
  send(state, "readIndex", state.leader, { context });
  return true;
}

/** A leader takes a read for itself or for a peer. */
export function takeRead(state: RaftState, from: NodeId, context: Uint8Array): boolean {
  if (state.reads.count >= state.limits.readsWaitingMax) return false;
  if (hasCommittedInTerm(state)) {
    state.reads.add(from, context, state.log.committed);
    answerReads(state);
  } else {
    state.reads.addEarly(from, context);
  }
  return true;
}

/** The commit index has become certain: reads that came before can begin their round. */
export function answerEarlyReads(state: RaftState): void {
  if (!hasCommittedInTerm(state)) return;
  const early = state.reads.takeEarly();
  if (early.length === 0) return;
  for (const { from, context } of early) state.reads.add(from, context, state.log.committed);
  answerReads(state);
}

/** Answers what is confirmed and begins the next round if reads are left without one. */
export function answerReads(state: RaftState): void {
  for (const read of state.reads.takeConfirmed(state.log.conf, state.id)) answer(state, read);
  if (state.reads.roundDue) sendHeartbeats(state);
}

function answer(state: RaftState, { from, context, index }: Read): void {
  if (from === state.id) state.readStates.push({ context, index });
  else send(state, "readIndexResponse", from, { index, context });
}

/** Keeps the peers from campaigning; their answers confirm that this node still leads, and with that its reads. */
export function sendHeartbeats(state: RaftState): void {
  state.heartbeatElapsed = 0;
  const context = readContext(state);
  const { electionTicks } = state;
  for (const [id, peer] of state.peers) {
    // Not beyond what the peer is known to hold: its log may differ there.
    if (id !== state.id)
      send(state, "heartbeat", id, { commit: Math.min(peer.match, state.log.committed), context, electionTicks });
  }
}

/** The newest read that the answers to this heartbeat will confirm. */
function readContext(state: RaftState): Uint8Array {
  const id = state.reads.newestId;
  const context = new Uint8Array(id === 0 ? 0 : READ_ID_BYTES);
  if (id === 0) return context;
  state.reads.asked(id);
  new DataView(context.buffer).setFloat64(0, id);
  return context;
}

export function heardRead(state: RaftState, { from, context }: RaftMessage): void {
  if (context.length !== READ_ID_BYTES) return;
  const id = new DataView(context.buffer, context.byteOffset).getFloat64(0);
  if (Number.isSafeInteger(id) && id > 0) state.reads.acknowledge(from, id);
}
