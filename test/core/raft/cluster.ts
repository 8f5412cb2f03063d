/** A few Raft cores joined by a network that delivers at once, in order, unless told otherwise. */
import type { ConfChangeStep, Raft } from "../../../agent/core/raft/index.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { bytes, confOf, type Disk, diskWith, emptyDisk, numberOf } from "./builders.ts";
import { Member, type Options } from "./member.ts";

export * from "./builders.ts";
export * from "./member.ts";

export class Cluster {
  readonly members: Map<number, Member> = new Map();
  /** Directed links that lose everything, as "from>to". */
  readonly cut: Set<string> = new Set();
  /** Sees every message on its way; false loses it. */
  filter: (message: RaftMessage) => boolean = () => true;
  /** Everything delivered, oldest first. */
  readonly delivered: RaftMessage[] = [];

  /** `size` voters numbered from 1, all with the same empty log after a snapshot at index 1. */
  static of(size: number, options: Options = {}): Cluster {
    const cluster = new Cluster();
    const conf = confOf({ voters: Array.from({ length: size }, (_, at) => at + 1) });
    for (let n = 1; n <= size; n += 1) cluster.add(n, diskWith(conf), options);
    return cluster;
  }

  add(n: number, disk: Disk = emptyDisk(), options: Options = {}): Member {
    const member = new Member(n, disk, options);
    this.members.set(n, member);
    return member;
  }

  at(n: number): Member {
    return this.members.get(n)!;
  }
  raft(n: number): Raft {
    return this.at(n).raft;
  }

  isolate(n: number): void {
    for (const other of this.members.keys()) if (other !== n) this.cutBetween(n, other);
  }
  cutBetween(a: number, b: number): void {
    this.cut.add(`${a}>${b}`);
    this.cut.add(`${b}>${a}`);
  }
  heal(): void {
    this.cut.clear();
    this.filter = () => true;
  }

  /** Delivers until nobody has anything to say. */
  settle(): void {
    for (let round = 0; round < 1_000; round += 1) {
      const messages = [...this.members.values()].flatMap((member) => member.settle());
      if (messages.length === 0) return;
      for (const message of messages) this.deliver(message);
    }
    throw new Error("the nodes never stopped talking");
  }

  deliver(message: RaftMessage): void {
    if (this.cut.has(`${numberOf(message.from)}>${numberOf(message.to)}`) || !this.filter(message)) return;
    this.delivered.push(message);
    const member = this.members.get(numberOf(message.to));
    member?.raft.step(message);
    member?.raft.assertSound();
  }

  elect(n: number): void {
    this.raft(n).campaign();
    this.settle();
    if (this.raft(n).status().role !== "leader") throw new Error(`node ${n} was not elected`);
  }

  tick(n: number, ticks = 1): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      this.raft(n).tick();
      this.settle();
    }
  }

  tickAll(ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      for (const member of this.members.values()) member.raft.tick();
      this.settle();
    }
  }

  leader(): number | undefined {
    const leaders = [...this.members.values()].map(({ raft }) => raft.status()).filter(({ role }) => role === "leader");
    const newest = leaders.sort((a, b) => b.term - a.term)[0];
    return newest && numberOf(newest.id);
  }

  propose(n: number, data: string): void {
    const answer = this.raft(n).propose(bytes(data));
    if (!answer.accepted) throw new Error(`the proposal was refused: ${answer.reason}`);
    this.settle();
  }

  change(n: number, ...steps: ConfChangeStep[]): void {
    const answer = this.raft(n).proposeConfChange({ steps, transition: "auto" });
    if (!answer.accepted) throw new Error(`the change was refused: ${answer.reason} ${answer.detail ?? ""}`);
    this.settle();
  }
}
