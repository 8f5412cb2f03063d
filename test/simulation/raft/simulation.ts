/** A fleet of cores under one seed: its network, its disks, its clocks and everything that goes wrong with them. */
import {
  type ConfChange,
  foundingEntries,
  isFullVoter,
  isJoint,
  isWitness,
  votersOf,
} from "../../../agent/core/raft/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { configuration, confOf, idOf, numberOf, randomFrom } from "../../core/raft/cluster.ts";
import { Air, brief } from "./air.ts";
import { Checker } from "./checker.ts";
import { hashIn, numberBytes, SimulatedNode } from "./node.ts";
import { drawChange, drawSwarm, drawTiming, type Happening, oddsOf, type Swarm } from "./swarm.ts";

export class Simulation {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly nodes: Map<NodeId, SimulatedNode> = new Map();
  readonly checker: Checker;
  steps = 0;
  crashes = 0;
  private readonly list: SimulatedNode[] = [];
  private readonly random: () => number;
  private readonly tell: ((line: string) => void) | undefined;
  private readonly odds: [Happening, number][];
  private readonly air: Air;
  /** Lost for ever. */
  private readonly gone: Set<NodeId> = new Set();
  private counter = 0;

  constructor(seed: number, tell?: (line: string) => void) {
    this.seed = seed;
    this.tell = tell;
    this.random = randomFrom(seed);
    this.swarm = drawSwarm(seed, this.random);
    this.odds = oddsOf(this.swarm);
    this.air = new Air(this.random);
    this.checker = new Checker(this.nodes);
    for (let n = 1; n <= this.swarm.nodes; n += 1) this.addNode(n);
    tell?.(`seed ${seed} ${JSON.stringify(this.swarm)}`);
  }

  private addNode(n: number): void {
    const node = new SimulatedNode(idOf(n), this.swarm, this.random);
    const { votersAtStart, witness } = this.swarm;
    const voters = Array.from({ length: votersAtStart }, (_, at) => at + 1);
    const witnesses = voters.filter((voter) => voter === witness);
    if (n <= votersAtStart) {
      const conf = confOf({ voters, witnesses });
      const entries = votersAtStart === 1 ? foundingEntries(node.id) : [configuration(1, 1, conf)];
      node.disk.write({ entries, hardState: { term: 1, vote: "", commit: 1 } }, true);
    }
    this.nodes.set(node.id, node);
    this.list.push(node);
    node.start();
    this.checker.founded(node);
  }

  run(steps: number): void {
    for (const end = this.steps + steps; this.steps < end; this.steps += 1) this.happen(this.draw());
  }

  /** Everything works again, and everyone is back. */
  heal(): void {
    this.tell?.("everything heals");
    this.air.mend();
    this.air.clear();
    for (const node of this.list) {
      node.paused = false;
      node.stalledFor = 0;
      node.dozesFor = 0;
      if (!node.raft) this.restart(node);
      // Whatever the transport had under way is reported lost.
      for (const other of this.nodes.keys()) node.raft!.reportSnapshot(other, false);
    }
  }

  /** One tick of every clock, and then time enough for everything that follows from it. */
  calmRound(): void {
    for (const node of this.list) {
      node.raft?.tick();
      this.settle(node);
    }
    for (let round = 0; round < 2_000; round += 1) if (!this.calmStep()) return;
  }

  /** Returns whether anything was left to do. */
  private calmStep(): boolean {
    while (!this.air.isEmpty) this.arrive(this.air.takeFirst());
    const busy = this.list.filter((node) => node.busy && !this.gone.has(node.id));
    for (const node of busy) this.work(node);
    this.steps += 1;
    return busy.length > 0;
  }

  /**
   * In a healthy fleet of two full voters and a witness, one of the two, or its disk, is lost for ever, in the middle of its work.
   * Returns whether the fleet was one.
   */
  loseOneOfTwo(): boolean {
    const conf = this.leaders()[0]!.inner!.log.conf;
    const full = votersOf(conf).filter((id) => isFullVoter(conf, id));
    if (isJoint(conf) || conf.witnesses.length === 0 || full.length !== 2) return false;
    const lost = this.nodes.get(this.pick(full))!;
    for (let left = Math.floor(this.random() * 40); left > 0; left -= 1) {
      const leader = this.leaders()[0]!;
      if (this.chance(0.3)) leader.raft!.propose(this.checker.proposes(++this.counter));
      if (this.chance(0.1)) this.compact(leader);
      this.settle(leader);
      if (!this.air.isEmpty && this.chance(0.6)) this.arrive(this.air.takeFirst());
      else this.workSomewhere();
    }
    this.gone.add(lost.id);
    if (this.chance(0.3)) this.stickDisk(lost);
    else this.takeAway(lost);
    return true;
  }

  private takeAway(node: SimulatedNode): void {
    this.tell?.(`${numberOf(node.id)} is lost for ever`);
    node.disk.crash(0);
    node.stop();
    if (this.chance(0.5)) for (const { raft } of this.list) raft?.reportUnreachable(node.id);
  }

  /** It goes on hearing and answering whatever needs no disk; as leader it sees to it that it is none. */
  private stickDisk(node: SimulatedNode): void {
    this.tell?.(`the disk of ${numberOf(node.id)} is stuck for ever`);
    node.stalledFor = Number.POSITIVE_INFINITY;
    node.raft!.stepDown();
    this.settle(node);
  }

  /** What keeps the fleet from being one again, or undefined if it is. Proposes as a side effect, to see that it serves. */
  whatIsMissing(): string | undefined {
    const leader = this.leaders()[0];
    if (!leader) return "nobody leads";
    if (leader.applied < leader.inner!.log.last) return "the leader has entries that are not committed";
    const { conf } = leader.inner!.log;
    if (!isFullVoter(conf, leader.id)) return "who leads is no full voter";
    for (const id of [...votersOf(conf), ...conf.learners]) {
      const member = this.nodes.get(id)!;
      if (this.gone.has(id)) continue;
      if (member.inner!.leader !== leader.id) return `node ${numberOf(id)} does not follow the leader`;
      if (isWitness(conf, id) && member.inner!.log.applied === leader.applied) continue;
      if (member.applied !== leader.applied)
        return `node ${numberOf(id)} has applied ${member.applied} of ${leader.applied}`;
    }
    if (this.checker.agreed.length !== leader.applied) return "something committed is not applied";
    return undefined;
  }

  /** Whether the fleet takes a proposal now. */
  serve(): boolean {
    const leader = this.leaders()[0];
    if (!leader) return false;
    const { accepted } = leader.raft!.propose(this.checker.proposes(++this.counter));
    this.settle(leader);
    return accepted;
  }

  /** Newest term first. */
  private leaders(): SimulatedNode[] {
    return this.list.filter(({ inner }) => inner?.role === "leader").sort((a, b) => b.inner!.term - a.inner!.term);
  }

  private draw(): Happening {
    const at = this.random() * this.odds.at(-1)![1];
    return this.odds.find(([, upTo]) => at < upTo)![0];
  }
  private pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }
  private chance(of: number): boolean {
    return of > 0 && this.random() < of;
  }

  private happen(what: Happening): void {
    if (what === "deliver") this.deliver();
    else if (what === "work") this.workSomewhere();
    else this.happenTo(this.pick(this.list), what);
  }

  private happenTo(node: SimulatedNode, what: Happening): void {
    if (what === "restart" && !node.raft) this.restart(node);
    if (what === "resume") node.paused = false;
    if (what === "partition" || what === "cutOneWay" || what === "heal") this.changeLinks(what, node);
    if (!node.awake) return;
    if (what === "tick" && !this.chance(this.swarm.clockSpeeds[numberOf(node.id) - 1]!)) return;
    if (what !== "tick") this.tell?.(`${numberOf(node.id)} ${what}`);
    this.befall(node, what);
    this.settle(node);
  }

  private befall(node: SimulatedNode, what: Happening): void {
    const raft = node.raft!;
    const other = this.pick(this.list).id;
    if (what === "tick") this.tick(node, 1);
    else if (what === "leap") this.tick(node, 1 + Math.floor(this.random() * 3 * this.swarm.electionTicks));
    else if (what === "doze") node.dozesFor = 1 + Math.floor(this.random() * 3 * this.swarm.electionTicks);
    else if (what === "propose") raft.propose(this.checker.proposes(++this.counter));
    else if (what === "read") this.read(node);
    else if (what === "change") raft.proposeConfChange(this.drawChange(isJoint(node.inner!.log.conf)));
    else if (what === "transfer") raft.transferLeadership(other);
    else if (what === "compact") this.compact(node);
    else if (what === "crash") this.crash(node);
    else if (what === "pause") node.paused = true;
    else if (what === "stallDisk") node.stalledFor = 1 + Math.floor(this.random() * 40);
    else if (what === "unreachable") raft.reportUnreachable(other);
    else if (what === "forgetLeader") raft.forgetLeader();
    else if (what === "stepDown") raft.stepDown();
    else if (what === "campaign") raft.campaign();
    else if (what === "retime") raft.setTiming(drawTiming(this.random, this.swarm));
  }

  private drawChange(joint: boolean): ConfChange {
    const { witness } = this.swarm;
    return drawChange(this.random, [...this.nodes.keys()], witness > 0 ? idOf(witness) : undefined, joint);
  }

  /** Many at once are a clock that jumped ahead, or a box that slept: nothing is heard between them. */
  private tick(node: SimulatedNode, ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      if (node.dozesFor > 0) node.dozesFor -= 1;
      else node.raft!.tick();
    }
  }

  private read(node: SimulatedNode): void {
    const id = ++this.counter;
    this.checker.readAsked(id);
    node.raft!.readIndex(numberBytes(id));
  }

  private compact(node: SimulatedNode): void {
    const { applied } = node.inner!.log;
    if (applied === 0) return;
    const data = node.isWitness ? new Uint8Array(0) : numberBytes(this.checker.agreed[applied - 1]!.hash);
    const snapshot = node.raft!.compact(applied, data, this.swarm.entriesKept);
    if (snapshot) node.disk.write({ snapshot, entries: [] }, true);
  }

  private crash(node: SimulatedNode): void {
    this.crashes += 1;
    // The write that was under way may have reached the disk, whole or torn, although nobody was told.
    if (node.stage === "taken" && this.chance(0.6)) {
      const ready = node.ready!;
      this.checker.beforeWrite(node, ready);
      if (this.chance(0.5)) node.disk.tear(ready, Math.floor(this.random() * (ready.entries.length + 1)));
      else node.disk.write(ready, true);
    }
    node.disk.crash(Math.floor(this.random() * 4));
    node.stop();
  }

  private restart(node: SimulatedNode): void {
    this.tell?.(`${numberOf(node.id)} restart`);
    node.start();
    this.settle(node);
  }

  private changeLinks(what: "partition" | "cutOneWay" | "heal", node: SimulatedNode): void {
    this.tell?.(`${what} at ${numberOf(node.id)}`);
    if (what === "heal") this.air.mend();
    else if (what === "cutOneWay") this.air.cut(node.id, this.pick(this.list).id);
    else this.air.partition([...this.nodes.keys()]);
  }

  private workSomewhere(): void {
    const start = Math.floor(this.random() * this.list.length);
    for (let at = 0; at < this.list.length; at += 1) {
      const node = this.list[(start + at) % this.list.length]!;
      if (!node.busy) continue;
      this.work(node);
      return;
    }
  }

  /** One stage of the work on a Ready. */
  private work(node: SimulatedNode): void {
    const { stage } = node;
    if (stage === "idle") {
      node.ready = node.raft!.ready();
      node.stage = "taken";
    } else if (stage === "taken") {
      if (node.stalledFor > 0) {
        node.stalledFor -= 1;
        return;
      }
      this.checker.beforeWrite(node, node.ready!);
      node.disk.write(node.ready!, node.ready!.mustSync);
      node.stage = "written";
    } else if (stage === "written") {
      this.send(node, node.ready!.messagesAfterPersist);
      node.stage = "sent";
    } else if (stage === "sent") {
      this.apply(node);
      node.stage = "applied";
    } else {
      node.raft!.advance();
      node.stage = "idle";
    }
    this.tell?.(`${numberOf(node.id)} work: ${node.stage}`);
    this.settle(node);
  }

  private apply(node: SimulatedNode): void {
    const { snapshot, committedEntries, readStates } = node.ready!;
    if (snapshot) this.checker.installed(node, snapshot);
    for (const entry of committedEntries) this.checker.applied(node, entry);
    for (const { context, index } of readStates) this.checker.readAnswered(hashIn(context), index);
  }

  private settle(node: SimulatedNode): void {
    if (!node.raft) return;
    this.send(node, node.raft.takeMessages());
    this.checker.afterStep(node);
  }

  private send(node: SimulatedNode, messages: RaftMessage[]): void {
    for (const message of messages) {
      this.checker.beforeSend(node, message);
      this.fly(message);
    }
  }

  private fly(message: RaftMessage): void {
    const dropped = this.air.put(message);
    if (dropped) this.lose(dropped);
  }

  private deliver(): void {
    if (this.air.isEmpty) return;
    const message = this.chance(this.swarm.orderChance) ? this.air.takeFirst() : this.air.takeAny();
    if (this.nodes.get(message.to)?.paused) this.fly(message);
    else if (this.air.loses(message) || this.chance(this.swarm.lossChance)) this.lose(message);
    else {
      if (this.chance(this.swarm.repeatChance)) this.fly(message);
      this.arrive(message);
    }
  }

  private arrive(message: RaftMessage): void {
    const node = this.nodes.get(message.to);
    if (!node?.raft) {
      this.lose(message);
      return;
    }
    this.tell?.(`${numberOf(message.from)}>${numberOf(message.to)} ${brief(message)}`);
    node.raft.step(message);
    this.settle(node);
    this.reportSnapshot(message, true);
  }

  private lose(message: RaftMessage): void {
    this.tell?.(`${numberOf(message.from)}>${numberOf(message.to)} lost: ${brief(message)}`);
    this.reportSnapshot(message, false);
  }

  private reportSnapshot(message: RaftMessage, arrived: boolean): void {
    if (message.type !== "snapshot") return;
    const sender = this.nodes.get(message.from)!;
    sender.raft?.reportSnapshot(message.to, arrived);
    this.settle(sender);
  }
}
