/** A node's state in the words of etcd-io/raft's raft-state, raft-log and status. */
import { isVoter, type ProgressStatus, type Raft } from "../../agent/core/raft/index.ts";
import type { RaftEntry } from "../../shared/raft.ts";
import { numberOf, text } from "../core/raft/cluster.ts";
import type { ScenarioNode } from "./scenario-node.ts";

export const ROLES = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
} as const;
const STATES = { probe: "StateProbe", replicate: "StateReplicate", snapshot: "StateSnapshot" } as const;

/** Our entries hold the configuration that a change leads to; the scenarios print the change. */
const changes = new WeakMap<Uint8Array, string>();

export function rememberChange(raft: Raft, index: number, v1: boolean, input: string): void {
  const [entry] = raft.entries(index, index + 1);
  if (entry) changes.set(entry.data, changeText(v1, input));
}

export const changeText = (v1: boolean, input: string): string =>
  `EntryConfChange${v1 ? "" : "V2"} ${input.replace(/\s+/g, " ")}`.trim();

/** One without a remembered change is a joint configuration left by itself: an empty change. */
export function entryText({ term, index, kind, data }: RaftEntry): string {
  const what =
    kind === "normal" ? `EntryNormal ${JSON.stringify(text(data))}` : (changes.get(data) ?? "EntryConfChangeV2");
  return `${term}/${index} ${what}`;
}

export const roleText = ({ inner }: ScenarioNode): string => ROLES[inner.role];
export const leadText = ({ inner }: ScenarioNode): string =>
  inner.leader === undefined ? "0" : numberOf(inner.leader).toString(16);

export function raftStateText(nodes: ScenarioNode[]): string {
  return nodes
    .map((node) => {
      const voter = isVoter(node.inner.log.conf, node.inner.id) ? "Voter" : "Non-Voter";
      return `${node.n}: ${roleText(node)} (${voter}) Term:${node.inner.term} Lead:${leadText(node)}`;
    })
    .join("\n");
}

export function raftLogText({ stable, stableOffset }: ScenarioNode): string {
  if (stable.length === 0) return `log is empty: first index=${stableOffset + 1}, last index=${stableOffset}`;
  return stable.map(entryText).join("\n");
}

/** Of a leader; nothing of others. */
export function statusText(node: ScenarioNode): string {
  const { progress, conf } = node.raft.status();
  const learners = new Set(conf.learners);
  return [...progress]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, peer]) => {
      const full = node.inner.peers.get(id)!.inflights.full;
      return `${numberOf(id)}: ${progressText(peer, learners.has(id), full)}`;
    })
    .join("\n");
}

function progressText(peer: ProgressStatus, learner: boolean, full: boolean): string {
  const words = [STATES[peer.state], `match=${peer.match}`, `next=${peer.next}`];
  if (learner) words.push("learner");
  if (peer.paused) words.push("paused");
  if (peer.pendingSnapshot > 0) words.push(`pendingSnap=${peer.pendingSnapshot}`);
  if (!peer.recentActive) words.push("inactive");
  if (peer.inflightMessages > 0) words.push(`inflight=${peer.inflightMessages}${full ? "[full]" : ""}`);
  return words.join(" ");
}
