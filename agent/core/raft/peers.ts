/** Whom a leader replicates to. */
import type { LogIndex } from "../../../shared/raft.ts";
import { isVoter, isWitness, membersOf } from "./confchange.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { voteResult } from "./quorum.ts";
import type { RaftState } from "./state.ts";

/**
 * Brings the leader's peers in line with the configuration. A removed node stays until the entry that removed it is
 * committed, so that it hears of its removal; it is counted nowhere meanwhile.
 */
export function alignPeers(state: RaftState, newcomersNext: LogIndex = state.log.last + 1): void {
  const { confs, confPending } = state.log;
  const wanted = new Set(membersOf(confs.active));
  if (confPending && confs.previous) for (const id of membersOf(confs.previous)) wanted.add(id);
  wanted.add(state.id);
  for (const id of state.peers.keys()) if (!wanted.has(id)) state.peers.delete(id);
  for (const id of wanted) {
    if (state.peers.has(id)) continue;
    const { inflightMessagesMax, inflightBytesMax } = state.limits;
    const inflights = new Inflights(inflightMessagesMax, inflightBytesMax);
    // Not in the active configuration: on its way out, and still what it was.
    const isOne = isWitness(membersOf(confs.active).includes(id) ? confs.active : (confs.previous ?? confs.active), id);
    const progress = new Progress(newcomersNext, inflights, isOne);
    // A newcomer gets one full period to be heard before the quorum check counts its silence.
    progress.recentActive = true;
    state.peers.set(id, progress);
  }
  state.hasWitness = [...state.peers.values()].some(({ witness }) => witness);
  if (state.transferee && !isVoter(confs.active, state.transferee)) state.transferee = undefined;
}

/** Whether this leader heard a quorum: in this period of its check alone, or in this one and the last. */
export function quorumHeard(state: RaftState, period: "this" | "thisAndLast"): boolean {
  const heard = voteResult(state.log.conf, (id) => {
    const peer = state.peers.get(id);
    return (
      id === state.id || (peer !== undefined && (peer.recentActive || (period === "thisAndLast" && peer.wasActive)))
    );
  });
  return heard === "won";
}

/** Begins the next period of the quorum check. */
export function forgetActivity(state: RaftState): void {
  for (const peer of state.peers.values()) {
    peer.wasActive = peer.recentActive;
    peer.recentActive = false;
  }
}
