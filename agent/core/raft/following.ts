/** What a follower does with its leader's messages. */
import type { RaftMessage } from "../../../shared/raft.ts";
import { isFullMember } from "./confchange.ts";
import { send } from "./messages.ts";
import type { RaftState } from "./state.ts";
import { adoptTiming } from "./timing.ts";

/** Messages that only the leader of the term sends. */
export function heardLeader(state: RaftState, message: RaftMessage): void {
  state.electionElapsed = 0;
  state.leader = message.from;
  if (message.type === "appendRequest") takeAppend(state, message);
  else if (message.type === "heartbeat") takeHeartbeat(state, message);
  else if (message.type === "snapshot") takeSnapshot(state, message);
}

function takeAppend(state: RaftState, message: RaftMessage): void {
  const { log } = state;
  // Whoever leads took this node for a witness, and it is none: without the data it could never go on.
  if (message.entries.some(({ kind }) => kind === "digest") && isFullMember(log.conf, state.id)) return;
  if (message.index < log.committed) {
    // Late or repeated. What is committed here is the leader's too, so say that, and never touch it.
    send(state, "appendResponse", message.from, { index: log.committed });
    return;
  }
  if (!log.matches(message.index, message.logTerm)) {
    const hint = log.conflictByTerm(Math.min(message.index, log.last), message.logTerm);
    send(state, "appendResponse", message.from, {
      index: message.index,
      reject: true,
      rejectHint: hint.index,
      logTerm: hint.term,
    });
    return;
  }
  // Truncate only where an entry differs: a late append that the log already holds must not cut off what came after it.
  const conflict = log.firstConflict(message.entries);
  if (conflict) log.append(message.entries.slice(conflict.index - message.index - 1));
  const lastNew = message.index + message.entries.length;
  // Beyond the last new entry the log may still differ from the leader's.
  log.commitTo(Math.min(message.commit, lastNew));
  send(state, "appendResponse", message.from, { index: lastNew });
}

function takeHeartbeat(state: RaftState, message: RaftMessage): void {
  // A leader never names more than it knows this log to hold; a number beyond it is not believed.
  if (message.commit <= state.log.last) state.log.commitTo(message.commit);
  adoptTiming(state, message.electionTicks);
  send(state, "heartbeatResponse", message.from, { context: message.context });
}

function takeSnapshot(state: RaftState, message: RaftMessage): void {
  const { log } = state;
  const snapshot = message.snapshot!;
  if (snapshot.index > log.committed) {
    // A log that holds the snapshot's last entry holds all before it: committing is enough, and nothing is thrown away.
    if (log.matches(snapshot.index, snapshot.term)) log.commitTo(snapshot.index);
    else log.restore(snapshot);
  }
  send(state, "appendResponse", message.from, { index: log.committed });
}
