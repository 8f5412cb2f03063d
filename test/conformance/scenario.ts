/** interaction/: runs a scenario's commands against our cores, as etcd-io/raft's rafttest runs them against its own. */
import type { ConfChange } from "../../agent/core/raft/index.ts";
import type { RaftMessage } from "../../shared/raft.ts";
import { bytes, confOf, idOf, messageOf, numberOf } from "../core/raft/cluster.ts";
import { parseSteps } from "./confchange.ts";
import { argOf, type Directive, flagOf, listOf, numbersOf } from "./datadriven.ts";
import { Unsupported } from "./report.ts";
import { ELECTION_TICKS, type NodeOptions, ScenarioNode } from "./scenario-node.ts";
import { changeText, raftLogText, raftStateText, rememberChange, statusText } from "./state-text.ts";
import { messageText, readyText, TYPES } from "./trace.ts";

/** On its way to a node: a message, or a proposal that a follower passes on to its leader. */
type Flying = { to: number; from: number; message: RaftMessage } | { to: number; from: number; proposal: Proposal };
interface Proposal {
  /** The entry it would become. */
  entry: string;
  /** Hands it to a leader. */
  make: (node: ScenarioNode) => void;
}

export class Scenario {
  readonly nodes: ScenarioNode[] = [];
  private flying: Flying[] = [];
  private lines: string[] = [];
  private indent = "";

  /** Runs one command and returns what it prints, log lines apart; "ok" if nothing. */
  run(directive: Directive): string {
    const command = this.commands[directive.command];
    if (!command) throw new Unsupported(`the command ${directive.command}`);
    const ids = numbersOf(directive);
    this.lines = [];
    command(directive, ids, this.nodes[(ids[0] ?? 0) - 1]!);
    return this.lines.join("\n") || "ok";
  }

  private print(text: string): void {
    for (const line of text.split("\n")) this.lines.push(`${this.indent}${line}`);
  }
  private printUnder(header: string, act: () => void): void {
    this.print(header);
    this.indent = "  ";
    act();
    this.indent = "";
  }

  private readonly commands: Record<string, (directive: Directive, ids: number[], node: ScenarioNode) => void> = {
    "add-nodes": (directive, [count]) => this.addNodes(count!, optionsOf(directive)),
    campaign: (_directive, _ids, node) => node.input((raft) => raft.campaign()),
    propose: (directive, _ids, node) => this.propose(node, proposal(directive.args[1]!.key)),
    "propose-conf-change": (directive, _ids, node) => this.propose(node, this.change(directive)),
    "transfer-leadership": (directive) => this.transfer(directive),
    "forget-leader": (_directive, _ids, node) => node.input((raft) => raft.forgetLeader()),
    "report-unreachable": (_directive, ids, node) => node.input((raft) => raft.reportUnreachable(idOf(ids[1]!))),
    compact: (_directive, ids, node) => {
      node.compact(ids[1]!);
      this.print(raftLogText(node));
    },
    "send-snapshot": (_directive, ids, node) => this.sendSnapshot(node, ids[1]!),
    "tick-election": (_directive, _ids, node) => {
      for (let tick = 0; tick < ELECTION_TICKS; tick += 1) node.tick();
    },
    "tick-heartbeat": (_directive, _ids, node) => node.tick(),
    "set-randomized-election-timeout": (directive, _ids, node) => {
      node.inner.electionTimeout = Number(argOf(directive, "timeout"));
    },
    "process-ready": (_directive, ids) => {
      for (const id of ids) this.processReady(this.nodes[id - 1]!, ids.length > 1);
    },
    "deliver-msgs": (directive) => this.deliverCommand(directive),
    stabilize: (_directive, ids) => this.stabilize(ids.length > 0 ? ids.map((id) => this.nodes[id - 1]!) : this.nodes),
    "raft-state": () => this.print(raftStateText(this.nodes)),
    "raft-log": (_directive, _ids, node) => this.print(raftLogText(node)),
    status: (_directive, _ids, node) => this.print(statusText(node)),
    "log-level": () => {},
    _breakpoint: () => {},
  };

  private addNodes(count: number, options: NodeOptions): void {
    for (let at = 0; at < count; at += 1) this.nodes.push(new ScenarioNode(this.nodes.length + 1, options));
  }

  /** A node that does not lead passes a proposal on, as etcd-io/raft does by itself; with no leader known it is dropped. */
  private propose(node: ScenarioNode, proposal: Proposal): void {
    const { leader, role } = node.inner;
    if (role === "leader") proposal.make(node);
    else if (leader !== undefined) this.flying.push({ to: numberOf(leader), from: node.n, proposal });
    else this.print("raft proposal dropped");
  }

  /** A change that is refused leaves an empty entry, as in etcd-io/raft. */
  private change(directive: Directive): Proposal {
    const transition = (argOf(directive, "transition") ?? "auto") as ConfChange["transition"];
    const change: ConfChange = { steps: parseSteps(directive.input), transition };
    const v1 = flagOf(directive, "v1");
    const make = (node: ScenarioNode): void =>
      node.input((raft) => {
        const answer = raft.proposeConfChange(change);
        if (answer.accepted) rememberChange(raft, answer.index, v1, directive.input);
        else raft.propose(bytes(""));
      });
    return { entry: changeText(v1, directive.input), make };
  }

  private transfer(directive: Directive): void {
    const to = idOf(Number(argOf(directive, "to")));
    this.nodes[Number(argOf(directive, "from")) - 1]!.input((raft) => raft.transferLeadership(to));
  }

  private sendSnapshot(node: ScenarioNode, to: number): void {
    const { term, log } = node.inner;
    const message = messageOf("snapshot", node.n, to, { term, ...(log.snapshot && { snapshot: log.snapshot }) });
    this.print(messageText(message));
    this.flying.push({ to, from: node.n, message });
  }

  private processReady(node: ScenarioNode, named: boolean): void {
    const { ready, messages } = node.processReady();
    const text = readyText(ready, messages);
    if (named) this.printUnder(`> ${node.n} handling Ready`, () => this.print(text));
    else this.print(text);
    for (const message of messages) this.flying.push({ to: numberOf(message.to), from: node.n, message });
  }

  private deliverCommand(directive: Directive): void {
    const type = argOf(directive, "type");
    if (type !== undefined && !(type in TYPES)) throw new Unsupported(`messages of type ${type}`);
    let count = 0;
    for (const { key, values } of directive.args) {
      const drop = key === "drop";
      for (const id of drop ? values : values.length === 0 ? [key] : [])
        count += this.deliver(Number(id), drop, type && TYPES[type]);
    }
    if (count === 0) this.print("no messages");
  }

  private due(to: number, type?: string): Flying[] {
    return this.flying.filter(
      (flying) => flying.to === to && (type === undefined || ("message" in flying && flying.message.type === type)),
    );
  }

  /** Everything that waits for a node first, then in order. Returns how much there was. */
  private deliver(to: number, drop: boolean, type?: string): number {
    const due = this.due(to, type);
    this.flying = this.flying.filter((flying) => !due.includes(flying));
    for (const flying of due) {
      this.print(`${drop ? "dropped: " : ""}${flyingText(flying)}`);
      const node = this.nodes[to - 1];
      if (drop || !node) continue;
      if ("message" in flying) node.hear(flying.message);
      else this.propose(node, flying.proposal);
    }
    return due.length;
  }

  private stabilize(nodes: ScenarioNode[]): void {
    for (let round = 0; round < 1_000; round += 1) {
      let quiet = true;
      for (const node of nodes) {
        if (!node.hasReady()) continue;
        quiet = false;
        this.processReady(node, true);
      }
      for (const node of nodes) {
        if (this.due(node.n).length === 0) continue;
        quiet = false;
        this.printUnder(`> ${node.n} receiving messages`, () => this.deliver(node.n, false));
      }
      if (quiet) return;
    }
    throw new Error("the nodes never stopped talking");
  }
}

const proposal = (data: string): Proposal => ({
  entry: `EntryNormal ${JSON.stringify(data)}`,
  make: (node) => node.input((raft) => raft.propose(bytes(data))),
});

function flyingText(flying: Flying): string {
  if ("message" in flying) return messageText(flying.message);
  const { from, to, proposal: what } = flying;
  return `${from.toString(16)}->${to.toString(16)} MsgProp Term:0 Log:0/0 Entries:[0/0 ${what.entry}]`;
}

const OPTIONS: ReadonlySet<string> = new Set([
  "voters",
  "learners",
  "index",
  "content",
  "inflight",
  "async-storage-writes",
  "prevote",
  "checkquorum",
  "max-committed-size-per-ready",
  "disable-conf-change-validation",
  "read-only",
  "step-down-on-removal",
]);

function optionsOf(directive: Directive): NodeOptions {
  const odd = directive.args.find(({ key }) => !OPTIONS.has(key) && !/^\d+$/.test(key));
  if (odd) throw new Unsupported(`the option ${odd.key}`);
  if (flagOf(directive, "async-storage-writes")) throw new Unsupported("a storage-message mode");
  if (argOf(directive, "read-only") === "lease-based") throw new Unsupported("reads that trust a clock");
  const voters = listOf(directive, "voters").map(Number);
  const learners = listOf(directive, "learners").map(Number);
  const index = Number(argOf(directive, "index") ?? 0);
  const inflight = argOf(directive, "inflight");
  const committed = argOf(directive, "max-committed-size-per-ready");
  return {
    ...(index > 0 && {
      snapshot: { index, conf: confOf({ voters, learners }), content: argOf(directive, "content") ?? "" },
    }),
    preVote: flagOf(directive, "prevote"),
    checkQuorum: flagOf(directive, "checkquorum"),
    ...(inflight !== undefined && { inflightMessagesMax: Number(inflight) }),
    ...(committed !== undefined && { committedPerReadyBytesMax: Number(committed) }),
  };
}
