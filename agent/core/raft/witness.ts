/**
 * A witness votes and acknowledges on digests, so that two boxes with the data and a third without it survive the loss of
 * either. It can help elect only whoever holds what it acknowledged, so the whole art is never to let it get ahead:
 *
 * - of the leader's own disk, and of any voter's, if the leader is being removed: an entry that only a witness still
 *   knows of could never be led again;
 * - of a full voter that keeps up: should the leader die, that voter is to win the witness' vote.
 *
 * The price is that a fleet of two commits at the pace of the slower of its boxes while both keep up. One that does not keep up (silent,
 * unreachable, its disk stuck, a snapshot or more than a window behind) holds nothing up, and the witness gets everything.
 *
 * What remains: B is away, A and the witness commit, B comes back, and A dies before B has caught up. Then nobody can lead
 * until A is back: only A has the data. Nothing is lost or contradicted; it is safe, not available.
 */
import type { LogIndex, RaftEntry, RaftSnapshot } from "../../../shared/raft.ts";
import { isFullVoter } from "./confchange.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./state.ts";

const NOTHING = new Uint8Array(0);

/** The last entry that a witness may be sent now. */
export function witnessCeiling(state: RaftState): LogIndex {
  const own = state.peers.get(state.id)!.match;
  let ceiling = own;
  let heldByVoter = isFullVoter(state.log.conf, state.id) ? own : 0;
  for (const [id, peer] of state.peers) {
    if (id === state.id || !isFullVoter(state.log.conf, id)) continue;
    if (keepsUp(state, peer)) ceiling = Math.min(ceiling, peer.match);
    heldByVoter = Math.max(heldByVoter, peer.match);
  }
  return Math.min(ceiling, heldByVoter);
}

/** In step, or so close that everything committed is on its way to it: then waiting for it ends soon, either way. */
function keepsUp({ electionTicks, log }: RaftState, peer: Progress): boolean {
  if (peer.lateTicks >= electionTicks || peer.state === "snapshot") return false;
  return peer.state === "probe" || peer.next > log.committed;
}

/** What a witness is sent of an entry. Configurations go whole: it counts by them. */
export function witnessed({ digest }: RaftState, entry: RaftEntry): RaftEntry {
  if (entry.kind !== "normal" || entry.data.length === 0) return entry;
  return { ...entry, kind: "digest", data: digest(entry.data) };
}

/** A place for a witness' log to go on from; without data it costs nothing, so it is made where it is needed. */
export function witnessSnapshot(state: RaftState): RaftSnapshot | undefined {
  const { log } = state;
  const index = Math.min(log.applied, witnessCeiling(state));
  const term = log.term(index);
  return term ? { index, term, conf: log.confs.at(index), data: NOTHING } : undefined;
}
