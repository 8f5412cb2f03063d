/** Going on without a quorum: what `skein recover` asks of one node, and nobody else ever does. */
import type { LogIndex } from "../../../shared/raft.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";
import { EMPTY_CONF, isWitness } from "./confchange.ts";
import { resetFor } from "./roles.ts";
import type { RaftState } from "./state.ts";

/**
 * The lost side may still run somewhere and elect leaders in the terms that come next. Terms this far on are never theirs, so
 * that an index and a term go on naming one entry, in both.
 */
const TERM_LEAP = 1_000_000;

/**
 * Makes this node the only voter, and appends `data` as the first entry of its new reign. All of it (term, own vote, both
 * entries) is in the next Ready, which is written whole or not at all; only when that is on disk does the node lead.
 *
 * Safe for what any survivor knows to be committed if this node's log goes furthest among them (last term, then last
 * index): a committed entry is in every log whose last entry is of a later term, and in the longest of its own (paper 5.4).
 * What was committed and is in no survivor's log is lost; that is the price, and a person's to pay.
 *
 * Returns the index of `data`, or undefined where there is nothing to go on from: no log, a snapshot not yet on disk, or a witness' digests.
 */
export function forceConfiguration(state: RaftState, data: Uint8Array): LogIndex | undefined {
  const { log, id } = state;
  if (log.snapshotUnsaved || log.last === 0 || isWitness(log.conf, id)) return undefined;
  resetFor(state, state.term + TERM_LEAP);
  // Whatever it was before. A candidate that needs no vote but its own: it counts when it is on disk, as any vote does.
  state.role = "candidate";
  state.vote = id;
  const index = log.last + 1;
  const conf = encodeConfState({ ...EMPTY_CONF, voters: [id] });
  log.append([
    { index, term: state.term, kind: "configuration", data: conf },
    { index: index + 1, term: state.term, kind: "normal", data },
  ]);
  return index + 1;
}
