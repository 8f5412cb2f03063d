/**
 * Faults that real implementations had, planted one at a time in a copy of the core. Numbers 1 to 30 are those of the
 * published study this gate follows, three of them (marked) replaced where this core has no place for the original.
 */
export interface Mutant {
  number: number;
  name: string;
  file: string;
  /** What stands once in the file, and what takes its place. */
  changes: [from: string, to: string][];
  /** A layer that must catch it too, whichever catches it first. */
  alsoBy?: LayerName;
  /** Why no layer catches it. */
  survives?: string;
}
export type LayerName = "data" | "unit" | "property" | "search" | "simulator";

export const STUDY_COUNT = 30;

const mutant = (
  name: string,
  file: string,
  from: string,
  to: string,
  more: Partial<Pick<Mutant, "alsoBy" | "survives">> & { and?: [from: string, to: string] } = {},
): Omit<Mutant, "number"> => {
  const { and, ...rest } = more;
  return { name, file, changes: and ? [[from, to], and] : [[from, to]], ...rest };
};

const IN_ORDER: Omit<Mutant, "number">[] = [
  mutant(
    "grants votes without the log check",
    "elections.ts",
    "if (!free || !state.log.isUpToDate(message.index, message.logTerm)) {",
    "if (!free) {",
  ),
  mutant(
    "has no pre-vote round",
    "elections.ts",
    "  becomePreCandidate(state);\n",
    "  if (state.id) return standForElection(state, false);\n",
  ),
  mutant(
    "has no vote stickiness",
    "elections.ts",
    "return state.leader !== undefined && state.electionElapsed < state.electionTicks && !isTransfer(message);",
    "return false;",
  ),
  mutant(
    "raises its term on a pre-vote",
    "step.ts",
    'type === "preVoteRequest" || (type === "preVoteResponse" && !reject)',
    'type === "preVoteResponse" && !reject',
  ),
  mutant(
    "appends no entry at the start of a term",
    "leading.ts",
    '  appendOwn(state, "normal", new Uint8Array(0));\n',
    "",
  ),
  mutant(
    "does not clamp the commit index in heartbeats",
    "reads.ts",
    "commit: Math.min(peer.match, state.log.committed)",
    "commit: state.log.committed",
  ),
  mutant(
    "campaigns after it was removed",
    "elections.ts",
    "  if (isFullVoter(log.conf, id)) return true;\n",
    "  if (id) return true;\n",
  ),
  mutant(
    "refuses to vote as a learner",
    "elections.ts",
    "  const free =\n",
    "  const free = isVoter(state.log.conf, state.id) && (\n",
    { and: ["message.term > state.term);", "message.term > state.term));"] },
  ),
  mutant(
    "answers reads without asking a quorum (in place of: honours forget-leader with lease reads)",
    "read-queue.ts",
    "const confirmed = this.waiting.findIndex((read) => read.id > upTo);",
    "const confirmed = this.waiting.findIndex(() => upTo < 0);",
  ),
  mutant("stays paused after a heartbeat's answer", "leading.ts", "  peer.paused = false;\n", ""),
  mutant(
    "sends nothing into a full window",
    "replication.ts",
    "const entries = blocked ? [] :",
    "if (blocked) return false;\n  const entries =",
  ),
  mutant(
    "does not free bytes in flight",
    "inflights.ts",
    "this.bytes -= this.flights.shift()!.bytes",
    "this.flights.shift()",
  ),
  mutant(
    "never steps down for lack of a quorum",
    "leading.ts",
    'if (!quorumHeard(state, "this")) {',
    'if (!quorumHeard(state, "this") && state.term < 0) {',
  ),
  mutant(
    "counts itself as a removed leader",
    "replication.ts",
    "committedIndex(log.conf, (id)",
    "committedIndex({ ...log.conf, voters: [...new Set([...log.conf.voters, state.id])] }, (id)",
  ),
  mutant(
    "commits with the new half alone",
    "quorum.ts",
    "return Math.min(majorityIndex(conf.voters, ackedBy), majorityIndex(conf.votersOutgoing, ackedBy));",
    "return majorityIndex(conf.voters, ackedBy);",
  ),
  mutant("probes entry by entry", "log.ts", "if (ours <= term) return", "return"),
  mutant(
    "does not answer a leader of an old term",
    "step.ts",
    'if (FROM_LEADER.has(message.type)) send(state, "appendResponse", message.from);\n  else if',
    "if",
  ),
  mutant(
    "names the wrong term in a pre-vote response",
    "elections.ts",
    "send(state, type, message.from, { term: message.term });",
    "send(state, type, message.from);",
  ),
  mutant(
    "votes twice in a term",
    "elections.ts",
    '(state.vote === "" && state.leader === undefined)',
    "state.leader === undefined",
  ),
  mutant(
    "takes a second change while one is pending",
    "membership.ts",
    "if (state.log.confPending || state.transferee)",
    "if (state.transferee)",
  ),
  mutant(
    "truncates on a stale append",
    "following.ts",
    "if (conflict) log.append(message.entries.slice(conflict.index - message.index - 1));",
    "if (message.entries.length > 0) log.append(message.entries);",
  ),
  mutant(
    "leaves a joint configuration before it is committed (in place of: leaves it repeatedly)",
    "replication.ts",
    "!log.conf.autoLeave || log.confPending ||",
    "!log.conf.autoLeave ||",
  ),
  mutant(
    "is elected by the new half alone",
    "quorum.ts",
    "  if (incoming === outgoing) return incoming;\n",
    "  if (outgoing) return incoming;\n",
  ),
  mutant(
    "commits an earlier term's entry by counting",
    "replication.ts",
    "if (index <= log.committed || log.term(index) !== state.term) return;",
    "if (index <= log.committed) return;",
    // Figure 8 of the paper: a random walk meets it too seldom, so the exhaustive search must.
    { alsoBy: "search" },
  ),
  mutant(
    "keeps a configuration whose entry was cut off (in place of: campaigns with an unapplied change)",
    "log.ts",
    "      this.confs.truncate(after);\n",
    "      this.confs.truncate(after + this.confs.activeIndex);\n",
  ),
  mutant(
    "commits up to its last entry, not its last new one",
    "following.ts",
    "log.commitTo(Math.min(message.commit, lastNew));",
    "log.commitTo(Math.min(message.commit, log.last));",
  ),
  mutant("lets the stickiness block a transfer", "elections.ts", " && !isTransfer(message);", " && message.term > 0;"),
  mutant(
    "takes a late disk acknowledgement for rewritten entries",
    "log.ts",
    "const same = written.findLast((entry) => entry.index > this.offset && this.matches(entry.index, entry.term));",
    "const same = written.findLast((entry) => entry.index > this.offset && entry.index <= this.last);",
  ),
  mutant("sends a snapshot to a peer that is away", "replication.ts", "  if (!peer.recentActive) return;\n", ""),
  mutant(
    "votes after hearing from the term's leader",
    "elections.ts",
    '(state.vote === "" && state.leader === undefined)',
    'state.vote === ""',
  ),
  // Of our own: what this core does beyond the study's.
  mutant(
    "tells of entries before they are on disk",
    "messages.ts",
    'new Set(["appendResponse", "voteRequest", "voteResponse"])',
    'new Set(["voteRequest", "voteResponse"])',
  ),
  mutant(
    "tells of votes before they are on disk",
    "messages.ts",
    'new Set(["appendResponse", "voteRequest", "voteResponse"])',
    'new Set(["appendResponse", "voteRequest"])',
  ),
  mutant(
    "asks for votes before its own is on disk",
    "messages.ts",
    'new Set(["appendResponse", "voteRequest", "voteResponse"])',
    'new Set(["appendResponse", "voteResponse"])',
  ),
  mutant(
    "leads before its own vote is on disk",
    "elections.ts",
    'result === "won" && state.votes.has(state.id)',
    'result === "won"',
  ),
  mutant(
    "counts its own entries before they are on disk",
    "leading.ts",
    "if (!self.acknowledge(state.log.stable)) return;",
    "if (!self.acknowledge(state.log.last)) return;",
  ),
  mutant(
    "takes a change before an entry of its own term is committed",
    "membership.ts",
    "if (!hasCommittedInTerm(state)) return",
    "if (state.term < 0) return",
  ),
  mutant(
    "leads on after its removal is committed",
    "replication.ts",
    "else becomeFollower(state, state.term, undefined);",
    "else alignPeers(state);",
  ),
  mutant(
    "loses patience with no leader while it may not campaign",
    "elections.ts",
    "  if (state.electionElapsed < state.electionTimeout || !mayCampaign(state)) return;",
    "  if (state.electionElapsed < state.electionTimeout) return;\n  if (!mayCampaign(state)) {\n    state.electionElapsed = 0;\n    return;\n  }",
  ),
  mutant(
    "does not campaign while its removal may be uncommitted",
    "elections.ts",
    "return log.confPending && log.confs.previous !== undefined && isFullVoter(log.confs.previous, id);",
    "return false;",
  ),
  mutant(
    "answers reads before the commit index is certain",
    "reads.ts",
    "  if (hasCommittedInTerm(state)) {\n",
    "  if (state.term > 0) {\n",
  ),
  mutant(
    "applies before a received snapshot is on disk",
    "log.ts",
    "if (this.snapshotUnsaved || this.applied >= this.committed) return [];",
    "if (this.applied >= this.committed) return [];",
  ),
  mutant(
    "campaigns while a snapshot is being saved",
    "elections.ts",
    "if (log.snapshotUnsaved || diskTicks >= electionTicks) return false;",
    "if (diskTicks >= electionTicks) return false;",
  ),
  mutant(
    "stays in snapshot state after an acknowledgement",
    "leading.ts",
    "else if (peer.match >= state.log.offset) peer.becomeReplicate();",
    "else if (peer.match < 0) peer.becomeReplicate();",
  ),
  mutant(
    "counts uncommitted bytes up and never down",
    "replication.ts",
    "    state.uncommittedBytes -= log.bytesBetween(log.committed, index);\n",
    "",
  ),
  mutant(
    "sends a witness every entry at once",
    "witness.ts",
    "  return Math.min(ceiling, heldByVoter);\n",
    "  return state.log.last;\n",
  ),
  mutant(
    "lets a witness campaign",
    "elections.ts",
    "  if (isFullVoter(log.conf, id)) return true;\n",
    "  if (isVoter(log.conf, id)) return true;\n",
  ),
  mutant(
    "sends a witness what is not on its own disk",
    "witness.ts",
    "const own = state.peers.get(state.id)!.match;",
    "const own = state.log.last;",
  ),
  mutant(
    "sends a witness what only a leader that is being removed has",
    "witness.ts",
    "  return Math.min(ceiling, heldByVoter);\n",
    "  return ceiling;\n",
  ),
  mutant(
    "lets the witness wait for a voter whose disk is stuck",
    "witness.ts",
    "peer.lateTicks >= electionTicks || ",
    "",
  ),
  mutant(
    "lets the witness wait for a voter that is far behind",
    "witness.ts",
    'return peer.state === "probe" || peer.next > log.committed;',
    "return true;",
  ),
  mutant(
    "gives a witness the data",
    "witness.ts",
    "entry.data.length === 0) return entry;",
    "entry.index > 0) return entry;",
  ),
  mutant(
    "hands a witness digests to apply",
    "ready.ts",
    'return entries.filter(({ kind }) => kind !== "digest");',
    "return entries;",
  ),
  mutant(
    "sends a witness a snapshot of more than it may have",
    "witness.ts",
    "Math.min(log.applied, witnessCeiling(state))",
    "log.applied",
  ),
  mutant(
    "as a new leader lets the witness get ahead of the voter that elected it",
    "leading.ts",
    "if (!peer.wasActive) peer.lateTicks = Math.max(0, state.electionTicks - state.heartbeatTicks);",
    "peer.lateTicks = state.electionTicks;",
  ),
  mutant(
    "does not wake a witness that waited",
    "replication.ts",
    "} else if (state.hasWitness) {",
    "} else if (state.term < 0) {",
  ),
  mutant(
    "does not bound the patience that a leader announces",
    "timing.ts",
    "takeUp(state, Math.min(Math.max(electionTicks, state.electionTicksMin), state.electionTicksMax));",
    "takeUp(state, electionTicks);",
  ),
  mutant(
    "slows its heartbeats before the followers know",
    "timing.ts",
    'state.role === "leader" && heartbeatTicks > state.heartbeatTicks ? ANNOUNCEMENTS : 0;',
    "0;",
  ),
  mutant(
    "gives no election more time than the last",
    "elections.ts",
    '  if (state.role === "candidate") allowMoreTime(state);\n',
    "",
  ),
  mutant(
    "stands for election with a disk that answers no more",
    "elections.ts",
    "if (log.snapshotUnsaved || diskTicks >= electionTicks) return false;",
    "if (log.snapshotUnsaved) return false;",
  ),
];

export const MUTANTS: readonly Mutant[] = IN_ORDER.map((item, at) => ({ number: at + 1, ...item }));
