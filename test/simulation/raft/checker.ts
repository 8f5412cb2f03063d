/** Watches every step of a run. Each check is a sentence that must always hold; the first that does not ends the run. */
import { committedIndex, type Ready } from "../../../agent/core/raft/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { LogIndex, RaftEntry, RaftMessage, RaftSnapshot, Term } from "../../../shared/raft.ts";
import { digestOf } from "../../core/raft/builders.ts";
import { hashAfter, hashIn, numberBytes, type SimulatedNode } from "./node.ts";

export class Violation extends Error {
  override readonly name = "Violation";
}
const hold = (holds: boolean, sentence: string): void => {
  if (!holds) throw new Violation(sentence);
};

interface Agreed {
  term: Term;
  /** Of the leader that committed it. */
  committedIn: Term;
  data: Uint8Array;
  /** Of the state after it. */
  hash: number;
}

export class Checker {
  /** At index - 1: whatever any node ever called committed. */
  readonly agreed: Agreed[] = [];
  elections = 0;
  private readonly nodes: Map<NodeId, SimulatedNode>;
  private readonly leaders: Map<Term, NodeId> = new Map();
  private readonly votes: Map<string, NodeId> = new Map();
  private readonly written: Map<number, { data: Uint8Array; termBefore: Term | undefined }> = new Map();
  /** Commit index of the whole fleet when a read was asked, by the read's number. */
  private readonly reads: Map<number, LogIndex> = new Map();

  /** Numbers that clients asked to have agreed. */
  private readonly proposed: Set<number> = new Set();

  constructor(nodes: Map<NodeId, SimulatedNode>) {
    this.nodes = nodes;
  }

  /** What a node was given at its start is agreed. */
  founded({ disk }: SimulatedNode): void {
    for (const entry of disk.entries) this.agree(entry, entry.term);
  }

  /** After anything happened to this node's core. */
  afterStep(node: SimulatedNode): void {
    const { inner, seen } = node;
    if (!inner) return;
    node.raft!.assertSound();
    const { role, term, log } = inner;
    hold(term >= seen.term, "a term never goes back");
    hold(log.committed >= seen.commit, "a commit index never goes back");
    hold(log.applied <= log.committed && log.committed <= log.last, "applied, committed and last are in this order");
    hold(
      log.snapshotUnsaved !== undefined || (log.snapshot?.index ?? 0) <= log.applied,
      "a snapshot is of the applied",
    );
    if (role === "leader" && (seen.role !== "leader" || seen.term !== term)) this.elected(node);
    const led = seen.role === "leader" && seen.term === term;
    if (led && role === "leader") this.stillLeads(node);
    if (log.committed > seen.commit) this.committed(node, seen.commit, led);
    seen.role = role;
    seen.term = term;
    seen.commit = log.committed;
    seen.last = log.last;
    seen.lastTerm = log.term(log.last) ?? 0;
  }

  /** Election safety and leader completeness (Raft paper, Figure 3). */
  private elected(node: SimulatedNode): void {
    const { term, log } = node.inner!;
    const other = this.leaders.get(term);
    hold(other === undefined || other === node.id, `term ${term} has one leader`);
    this.leaders.set(term, node.id);
    this.elections += 1;
    for (let index = Math.max(1, log.offset); index <= this.agreed.length; index += 1) {
      const agreed = this.agreed[index - 1]!;
      // One elected late, in a term that is over, need not hold what a later term committed.
      if (agreed.committedIn >= term) break;
      hold(log.term(index) === agreed.term, `a new leader holds committed entry ${index}`);
    }
  }

  private stillLeads({ inner, seen }: SimulatedNode): void {
    const { log } = inner!;
    hold(log.last >= seen.last, "a leader never cuts its own log");
    hold((log.term(seen.last) ?? seen.lastTerm) === seen.lastTerm, "a leader never overwrites its own log");
    if (log.last === seen.last) return;
    // Committed by whoever led before counts, even if this leader does not know of it yet.
    const committed = Math.max(log.committed, this.agreed.length);
    const changes = log.slice(committed + 1, log.last + 1).filter(({ kind }) => kind === "configuration").length;
    hold(changes <= 1, "one change of membership at a time");
  }

  private committed(node: SimulatedNode, from: LogIndex, led: boolean): void {
    const { log, term } = node.inner!;
    hold(log.committed <= this.agreed.length || led, "only a leader finds out that an entry is committed");
    for (let index = Math.max(from, log.offset) + 1; index <= log.committed; index += 1)
      this.agree(log.slice(index, index + 1)[0]!, term);
    if (!led || log.term(log.committed) !== term) return;
    const onDisk = (id: NodeId): LogIndex => (this.holds(id, log.committed, term) ? log.committed : 0);
    hold(committedIndex(log.conf, onDisk) >= log.committed, `entry ${log.committed} is on a quorum's disks`);
  }

  private agree(entry: RaftEntry, committedIn: Term): void {
    const known = this.agreed[entry.index - 1];
    if (known) {
      hold(known.term === entry.term && stands(entry, known.data), `committed entry ${entry.index} never changes`);
      return;
    }
    hold(entry.kind !== "digest", `entry ${entry.index} is committed by someone who has it`);
    hold(entry.index === this.agreed.length + 1, "entries are committed in order");
    if (entry.kind === "normal" && entry.data.length > 0)
      hold(this.proposed.has(hashIn(entry.data)), `what entry ${entry.index} says was proposed by someone`);
    const hash = hashAfter(this.agreed.at(-1)?.hash ?? 0, entry.index, entry.data);
    this.agreed.push({ term: entry.term, committedIn, data: entry.data, hash });
  }

  private holds(id: NodeId, index: LogIndex, term: Term): boolean {
    const found = this.nodes.get(id)?.disk.term(index);
    // A snapshot past it was made of committed entries.
    return found === undefined || found === term;
  }

  /** Before a batch is written: log matching, and votes and terms that never go back. */
  beforeWrite({ disk }: SimulatedNode, { entries, hardState, snapshot }: Ready): void {
    const before = (entries[0]?.index ?? 1) - 1;
    let termBefore = snapshot?.index === before ? snapshot.term : disk.term(before);
    for (const entry of entries) {
      const key = entry.index * 1e6 + entry.term;
      const other = this.written.get(key);
      if (other) {
        hold(stands(entry, other.data), `entry ${entry.index} of term ${entry.term} is the same everywhere`);
        if (termBefore !== undefined && other.termBefore !== undefined)
          hold(
            other.termBefore === termBefore,
            `what precedes ${entry.index} of term ${entry.term} is the same everywhere`,
          );
      } else {
        hold(entry.kind !== "digest", `entry ${entry.index} of term ${entry.term} is on a disk before its digest is`);
        this.written.set(key, { data: entry.data, termBefore });
      }
      termBefore = entry.term;
    }
    if (!hardState) return;
    const { term, vote, commit } = disk.hardState;
    hold(hardState.commit >= commit, "the commit index on disk never goes back");
    hold(hardState.term >= term, "the term on disk never goes back");
    hold(
      hardState.term > term || vote === "" || hardState.vote === vote,
      "the vote on disk never changes within a term",
    );
  }

  /** Before a message leaves: what it promises is on disk. */
  beforeSend({ id, disk }: SimulatedNode, message: RaftMessage): void {
    if (message.type === "appendResponse" && !message.reject)
      hold(disk.last >= message.index, "an entry is on disk before it is acknowledged");
    const votesFor =
      message.type === "voteRequest" ? id : message.type === "voteResponse" && !message.reject ? message.to : undefined;
    if (votesFor === undefined) return;
    const { term, vote } = disk.hardState;
    hold(term > message.term || (term === message.term && vote === votesFor), "a vote is on disk before it is told");
    const key = `${id}/${message.term}`;
    hold((this.votes.get(key) ?? votesFor) === votesFor, "a node votes once in a term");
    this.votes.set(key, votesFor);
  }

  /** Before a core is handed it. */
  proposes(value: number): Uint8Array {
    this.proposed.add(value);
    return numberBytes(value);
  }

  /** State-machine safety. */
  applied(node: SimulatedNode, entry: RaftEntry): void {
    if (node.isWitness) {
      hold(entry.kind === "configuration" || entry.data.length === 0, "a witness is handed nothing that has data");
      return;
    }
    hold(entry.index === node.applied + 1, "entries are applied in order, each once");
    const agreed = this.agreed[entry.index - 1];
    hold(
      agreed !== undefined && agreed.term === entry.term && same(agreed.data, entry.data),
      "only what is agreed is applied",
    );
    node.hash = hashAfter(node.hash, entry.index, entry.data);
    node.applied = entry.index;
    hold(node.hash === agreed!.hash, `state after ${entry.index} is the same everywhere`);
  }

  installed(node: SimulatedNode, snapshot: RaftSnapshot): void {
    hold(snapshot.index > node.applied, "a snapshot never takes the state back");
    node.applied = snapshot.index;
    if (node.isWitness) {
      hold(snapshot.data.length === 0, "a witness gets snapshots without data");
      return;
    }
    node.hash = hashIn(snapshot.data);
    hold(node.hash === this.agreed[snapshot.index - 1]?.hash, `the snapshot at ${snapshot.index} is the agreed state`);
  }

  readAsked(read: number): void {
    this.reads.set(read, this.agreed.length);
  }

  /** Linearizability of reads: everything committed before the question is in the answer. */
  readAnswered(read: number, index: LogIndex): void {
    hold(
      index >= (this.reads.get(read) ?? Number.POSITIVE_INFINITY),
      "a read sees everything committed before it was asked",
    );
  }
}

/** An entry, or its digest, for this data. */
const stands = (entry: RaftEntry, data: Uint8Array): boolean =>
  same(entry.data, entry.kind === "digest" ? digestOf(data) : data);

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, at) => byte === b[at]));
}
