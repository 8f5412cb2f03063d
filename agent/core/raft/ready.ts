/** What the state machine wants done, and what it makes of its being done. */
import { invariant } from "../../../shared/errors.ts";
import type { HardState, RaftEntry } from "../../../shared/raft.ts";
import { isFullMember } from "./confchange.ts";
import { ownVoteDurable } from "./elections.ts";
import { ownEntriesDurable } from "./leading.ts";
import type { RaftState, Ready, SoftState } from "./state.ts";

export function hasReady(state: RaftState): boolean {
  if (state.outstanding) return false;
  const { log } = state;
  return (
    log.stable < log.last ||
    log.snapshotUnsaved !== undefined ||
    log.applied < log.committed ||
    state.outboxAfterPersist.length > 0 ||
    state.readStates.length > 0 ||
    hardStateNews(state) !== undefined ||
    softStateNews(state) !== undefined
  );
}

export function takeReady(state: RaftState): Ready {
  invariant(!state.outstanding, "one Ready at a time");
  const { log } = state;
  const hardState = hardStateNews(state);
  const softState = softStateNews(state);
  const entries = log.unstable();
  const toApply = log.toApply(state.limits.committedPerReadyBytesMax);
  const promised =
    hardState !== undefined && (hardState.term !== state.durable.term || hardState.vote !== state.durable.vote);
  const ready: Ready = {
    ...(hardState && { hardState }),
    entries,
    ...(log.snapshotUnsaved && { snapshot: log.snapshotUnsaved }),
    mustSync: entries.length > 0 || promised || log.snapshotUnsaved !== undefined,
    messagesAfterPersist: state.outboxAfterPersist,
    committedEntries: withoutDigests(state, toApply),
    readStates: state.readStates,
    ...(softState && { softState }),
  };
  state.outboxAfterPersist = [];
  state.readStates = [];
  if (softState) state.announced = softState;
  state.outstanding = ready;
  state.applyingTo = toApply.at(-1)?.index ?? 0;
  return ready;
}

function withoutDigests({ log, id }: RaftState, entries: RaftEntry[]): RaftEntry[] {
  if (!entries.some(({ kind }) => kind === "digest")) return entries;
  invariant(!isFullMember(log.conf, id), "a node that was a witness never comes back under its id as anything else");
  return entries.filter(({ kind }) => kind !== "digest");
}

/** The outstanding Ready is written, sent and applied. Its promises now count for this node itself too. */
export function advance(state: RaftState): void {
  const ready = state.outstanding;
  invariant(ready, "advance() follows ready()");
  state.outstanding = undefined;
  state.diskTicks = 0;
  const { log } = state;
  if (ready.hardState) state.durable = ready.hardState;
  if (ready.snapshot && ready.snapshot === log.snapshotUnsaved) log.snapshotUnsaved = undefined;
  // A snapshot that came meanwhile replaced the log: what was written belongs to the one before.
  if (!log.snapshotUnsaved) log.stableTo(ready.entries);
  log.applied = Math.max(log.applied, ready.snapshot?.index ?? 0, state.applyingTo);
  if (state.role === "leader") ownEntriesDurable(state);
  else if (state.role === "candidate" && state.durable.term === state.term) ownVoteDurable(state);
}

function hardStateNews({ term, vote, log, durable }: RaftState): HardState | undefined {
  if (term === durable.term && vote === durable.vote && log.committed === durable.commit) return undefined;
  return { term, vote, commit: log.committed };
}

function softStateNews({ role, leader, announced }: RaftState): SoftState | undefined {
  if (role === announced.role && leader === announced.leader) return undefined;
  return leader === undefined ? { role } : { role, leader };
}
