/**
 * Three nodes and a few large moves, for a search that tries them in every order. An election is one move, with one
 * voter; a message and what it is answered with is one move; disks write at once. Messages carry one entry each.
 */
import type { RaftState } from "../../../agent/core/raft/state.ts";
import type { LogIndex, RaftMessage, Term } from "../../../shared/raft.ts";
import { bytes, confOf, diskWith, Member, numberOf } from "../../core/raft/cluster.ts";
import { Violation } from "./checker.ts";

export interface Bounds {
  elections: number;
  proposals: number;
  crashes: number;
  /** Messages that may be lost beside those of an election. */
  losses: number;
}

const NODES = [1, 2, 3];
const ELECTION_TYPES = new Set(["preVoteRequest", "preVoteResponse", "voteRequest", "voteResponse"]);
const innerOf = (member: Member): RaftState => (member.raft as unknown as { state: RaftState }).state;

export class SmallWorld {
  private readonly members: Map<number, Member> = new Map();
  /** Under way, by link; the oldest first. */
  private readonly links: Map<string, RaftMessage[]> = new Map();
  /** By index: the entry's term, and the term of the leader that committed it. */
  private readonly agreed: { term: Term; committedIn: Term }[] = [];
  private readonly leaders: Map<Term, number> = new Map();
  private left: Bounds;

  constructor(bounds: Bounds) {
    this.left = bounds;
    const options = { entriesPerMessageBytesMax: 1, inflightMessagesMax: 1, random: () => 0 };
    for (const n of NODES) this.members.set(n, new Member(n, diskWith(confOf({ voters: NODES })), options));
  }

  /** Everything that can happen next, by name. */
  moves(): string[] {
    // Before anything happened all nodes are alike, so that one first move stands for all.
    if (this.leaders.size === 0 && this.left.elections > 0) return ["elect 1 2"];
    const moves: string[] = [];
    for (const n of NODES) {
      const leads = innerOf(this.members.get(n)!).role === "leader";
      if (leads && this.left.proposals > 0) moves.push(`propose ${n}`);
      if (this.left.crashes > 0) moves.push(`crash ${n}`);
      for (const other of NODES) {
        if (other === n) continue;
        if (!leads && this.left.elections > 0) moves.push(`elect ${n} ${other}`);
        if (this.link(n, other).length === 0) {
          if (leads) moves.push(`beat ${n} ${other}`);
          continue;
        }
        moves.push(`send ${n} ${other}`);
        if (this.left.losses > 0) moves.push(`lose ${n} ${other}`);
      }
    }
    return moves;
  }

  /** @throws Violation if something is then true that must never be. */
  move(name: string): void {
    const [what, a, b] = name.split(" ");
    const n = Number(a);
    const other = Number(b);
    if (what === "elect") this.elect(n, other);
    else if (what === "send") this.exchange(n, other);
    else if (what === "lose") this.lose(n, other);
    else if (what === "beat") this.beat(n, other);
    else if (what === "propose") this.propose(n);
    else this.crash(n);
    for (const member of this.members.values()) this.check(member);
  }

  /** Equal for states that cannot be told apart by what happens next. */
  fingerprint(): string {
    const nodes = [...this.members.values()].map((member) => {
      const { term, vote, role, leader, log, peers } = innerOf(member);
      const progress = [...peers.values()].map(
        ({ match, next, state, paused }) => `${match}.${next}${state[0]}${paused ? "p" : ""}`,
      );
      const terms = log.slice(1, log.last + 1).map((entry) => entry.term);
      return `${term}${vote.slice(-1)}${role[0]}${leader?.slice(-1)}c${log.committed}[${terms}]${progress}`;
    });
    const links = [...this.links].map(([link, messages]) => `${link}:${messages.map(brief)}`).sort();
    const left = Object.values(this.left);
    return `${nodes.join("|")}${links}/${left}`;
  }

  private link(from: number, to: number): RaftMessage[] {
    const name = `${from}>${to}`;
    if (!this.links.has(name)) this.links.set(name, []);
    return this.links.get(name)!;
  }

  /** The voter's patience with its leader has ended; a leader that is asked has found itself alone. */
  private elect(n: number, voter: number): void {
    this.left = { ...this.left, elections: this.left.elections - 1 };
    const other = this.members.get(voter)!.raft;
    other.stepDown();
    other.forgetLeader();
    this.gather(voter);
    this.members.get(n)!.raft.campaign();
    this.gather(n);
    for (let round = 0; round < 4; round += 1)
      for (const [from, to] of [
        [n, voter],
        [voter, n],
      ] as const)
        this.deliver(from, to, (type) => ELECTION_TYPES.has(type));
    // Whatever else was asked of anyone in this election is lost.
    for (const [name, messages] of this.links)
      this.links.set(
        name,
        messages.filter(({ type }) => !ELECTION_TYPES.has(type)),
      );
  }

  /** The oldest message on a link, and what it is answered with at once. */
  private exchange(from: number, to: number): void {
    const message = this.link(from, to).shift()!;
    const before = this.link(to, from).length;
    this.hear(message);
    for (const answer of this.link(to, from).splice(before)) this.hear(answer);
  }

  private lose(from: number, to: number): void {
    this.left = { ...this.left, losses: this.left.losses - 1 };
    this.link(from, to).shift();
  }

  private beat(n: number, to: number): void {
    this.members.get(n)!.raft.tick();
    this.gather(n);
    // Heartbeats to others are lost; appends are not.
    for (const other of NODES)
      if (other !== to)
        this.links.set(
          `${n}>${other}`,
          this.link(n, other).filter(({ type }) => type !== "heartbeat"),
        );
  }

  private propose(n: number): void {
    this.left = { ...this.left, proposals: this.left.proposals - 1 };
    this.members.get(n)!.raft.propose(bytes("x"));
    this.gather(n);
  }

  private crash(n: number): void {
    this.left = { ...this.left, crashes: this.left.crashes - 1 };
    for (const other of NODES) if (other !== n) this.links.delete(`${n}>${other}`);
    this.members.get(n)!.restart();
  }

  private deliver(from: number, to: number, wanted: (type: string) => boolean): void {
    const messages = this.link(from, to);
    this.links.set(
      `${from}>${to}`,
      messages.filter(({ type }) => !wanted(type)),
    );
    for (const message of messages) if (wanted(message.type)) this.hear(message);
  }

  private hear(message: RaftMessage): void {
    const n = numberOf(message.to);
    this.members.get(n)!.raft.step(message);
    this.gather(n);
  }

  private gather(n: number): void {
    for (const message of this.members.get(n)!.settle()) this.link(n, numberOf(message.to)).push(message);
  }

  private check(member: Member): void {
    const { role, term, log } = innerOf(member);
    if (role === "leader") {
      const other = this.leaders.get(term) ?? member.n;
      if (other !== member.n) throw new Violation(`term ${term} has one leader`);
      if (!this.leaders.has(term)) this.elected(term, member);
    }
    for (let index: LogIndex = 2; index <= log.committed; index += 1) {
      const own = log.term(index)!;
      const agreed = this.agreed[index] ?? { term: own, committedIn: term };
      this.agreed[index] = agreed;
      if (agreed.term !== own) throw new Violation(`committed entry ${index} never changes`);
    }
  }

  private elected(term: Term, { n, raft }: Member): void {
    this.leaders.set(term, n);
    for (let index = 2; index < this.agreed.length; index += 1) {
      const agreed = this.agreed[index]!;
      const [own] = raft.entries(index, index + 1);
      if (agreed.committedIn < term && own?.term !== agreed.term)
        throw new Violation(`a new leader holds committed entry ${index}`);
    }
  }
}

const brief = ({ type, term, index, entries, commit, reject }: RaftMessage): string =>
  `${type.slice(0, 7)}${term}.${index}.${entries.map((entry) => entry.term)}.${commit}${reject}`;
