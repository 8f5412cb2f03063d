/** What must hold between any two inputs. A broken invariant is a fault of this program and stops the agent. */
import { invariant } from "../../../shared/errors.ts";
import { confFault, isWitness } from "./confchange.ts";
import type { RaftState } from "./state.ts";

export function assertSound(state: RaftState): void {
  const { log, durable } = state;
  invariant(log.applied <= log.committed, `applied ${log.applied} <= committed ${log.committed}`);
  invariant(log.committed <= log.last, `committed ${log.committed} <= last ${log.last}`);
  invariant(log.offset <= log.stable && log.stable <= log.last, `stable ${log.stable} is within the log`);
  invariant(log.offset <= log.committed, `offset ${log.offset} <= committed ${log.committed}`);
  invariant(!log.snapshot || log.snapshot.index >= log.offset, "the snapshot covers what was compacted");
  invariant(durable.term <= state.term, "the disk is not ahead in terms");
  invariant(
    durable.term < state.term || durable.vote === "" || durable.vote === state.vote,
    "a vote is cast once a term",
  );
  invariant(
    log.last === 0 || log.conf.voters.length === 0 || confFault(log.conf) === undefined,
    "the configuration can be",
  );
  invariant(state.role === "follower" || !isWitness(log.conf, state.id), "a witness never asks for votes");
  if (state.role === "leader") assertSoundLeader(state);
  else invariant(state.peers.size === 0 && state.reads.count === 0, "only a leader has peers and reads");
  if (state.role === "preCandidate" || state.role === "candidate")
    invariant(state.leader === undefined, "a candidate knows no leader");
  if (state.role === "candidate") invariant(state.vote === state.id, "a candidate votes for itself");
}

function assertSoundLeader(state: RaftState): void {
  const { log } = state;
  invariant(state.leader === state.id && state.vote === state.id, "a leader leads, and voted for itself");
  invariant(durableTermIsOwn(state), "a leader's term and vote are on disk");
  invariant(state.uncommittedBytes >= 0, "uncommitted bytes are counted down once");
  for (const [id, peer] of state.peers) {
    invariant(peer.match < peer.next && peer.next <= log.last + 1, `match < next <= last + 1 for ${id}`);
    invariant(peer.state === "snapshot" || peer.pendingSnapshot === 0, "only a snapshot is pending");
    invariant(peer.state === "replicate" || peer.inflights.count === 0, "only replication flies ahead");
  }
  invariant(state.peers.get(state.id)!.match <= log.stable, "the leader counts itself only for what is on its disk");
}

const durableTermIsOwn = ({ durable, term, id }: RaftState): boolean => durable.term === term && durable.vote === id;
