/** Messages and Readys in the words of etcd-io/raft's traces. */
import type { Ready } from "../../agent/core/raft/index.ts";
import type { ConfState, RaftMessage, RaftMessageType, RaftSnapshot } from "../../shared/raft.ts";
import { numberOf } from "../core/raft/cluster.ts";
import { entryText, ROLES } from "./state-text.ts";

export const TYPES: Record<string, RaftMessageType> = {
  MsgApp: "appendRequest",
  MsgAppResp: "appendResponse",
  MsgHeartbeat: "heartbeat",
  MsgHeartbeatResp: "heartbeatResponse",
  MsgVote: "voteRequest",
  MsgVoteResp: "voteResponse",
  MsgPreVote: "preVoteRequest",
  MsgPreVoteResp: "preVoteResponse",
  MsgSnap: "snapshot",
  MsgTimeoutNow: "timeoutNow",
  MsgReadIndex: "readIndex",
  MsgReadIndexResp: "readIndexResponse",
};
const NAMES = Object.fromEntries(Object.entries(TYPES).map(([name, type]) => [type, name]));

const hex = (id: RaftMessage["from"]): string => numberOf(id).toString(16);

export function messageText(message: RaftMessage): string {
  const { type, from, to, term, logTerm, index, reject, rejectHint, commit, entries, snapshot } = message;
  let line = `${hex(from)}->${hex(to)} ${NAMES[type]} Term:${term} Log:${logTerm}/${index}`;
  if (reject) line += ` Rejected (Hint: ${rejectHint})`;
  if (commit !== 0) line += ` Commit:${commit}`;
  if (entries.length === 1) line += ` Entries:[${entryText(entries[0]!)}]`;
  else if (entries.length > 1) line += ` Entries:[${entries.map((entry) => `\n  ${entryText(entry)}`).join("")}\n]`;
  if (snapshot) line += `\n  Snapshot: ${snapshotText(snapshot)}`;
  return line;
}

/** `ready` is undefined if all there is are messages that wait for nothing. */
export function readyText(ready: Ready | undefined, messages: RaftMessage[]): string {
  const lines: string[] = [];
  if (ready?.softState) {
    const { leader, role } = ready.softState;
    lines.push(`Lead:${leader === undefined ? 0 : numberOf(leader)} State:${ROLES[role]}`);
  }
  if (ready?.hardState) {
    const { term, vote, commit } = ready.hardState;
    lines.push(`HardState Term:${term}${vote === "" ? "" : ` Vote:${numberOf(vote)}`} Commit:${commit}`);
  }
  if (ready && ready.entries.length > 0) lines.push("Entries:", ...ready.entries.map(entryText));
  if (ready?.snapshot) lines.push(`Snapshot ${snapshotText(ready.snapshot)}`);
  if (ready && ready.committedEntries.length > 0)
    lines.push("CommittedEntries:", ...ready.committedEntries.map(entryText));
  if (messages.length > 0) lines.push("Messages:", ...messages.map(messageText));
  if (lines.length === 0) return "<empty Ready>";
  return [`Ready MustSync=${ready?.mustSync ?? false}:`, ...lines].join("\n");
}

function snapshotText({ index, term, conf }: RaftSnapshot): string {
  return `Index:${index} Term:${term} ConfState:${confStateText(conf)}`;
}

function confStateText({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  const list = (ids: ConfState["voters"]): string => `[${ids.map(numberOf).join(" ")}]`;
  return (
    `Voters:${list(voters)} VotersOutgoing:${list(votersOutgoing)} Learners:${list(learners)} ` +
    `LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`
  );
}
