/** interaction/: runs a scenario's commands against our cores, as etcd-io/raft's rafttest runs them against its own. */
import type { ConfChange } from "../../agent/core/raft/index.ts";
import type { RaftMessage, RaftMessageType } from "../../shared/raft.ts";
import { bytes, confOf, idOf, messageOf, numberOf } from "../core/raft/cluster.ts";
import { parseSteps } from "./confchange.ts";
import { argOf, type Directive, flagOf, listOf, numbersOf } from "./datadriven.ts";
import { ELECTION_TICKS, type NodeOptions, ScenarioNode } from "./scenario-node.ts";
import { rememberChange } from "./state-text.ts";

/** What this core does not have at all; a file that asks for it is left out, and named. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

const TYPES: Record<string, RaftMessageType> = {
  MsgApp: "appendRequest",
  MsgAppResp: "appendResponse",
  MsgHeartbeat: "heartbeat",
  MsgHeartbeatResp: "heartbeatResponse",
  MsgVote: "voteRequest",
  MsgVoteResp: "voteResponse",
  MsgPreVote: "preVoteRequest",
  MsgPreVoteResp: "preVoteResponse",
  MsgSnap: "snapshot",
  MsgTimeoutNow: "timeoutNow",
  MsgReadIndex: "readIndex",
  MsgReadIndexResp: "readIndexResponse",
};

/** On its way to a node: a message, or a proposal that a follower passes on to its leader. */
type Flying = { to: number; from: number; message: RaftMessage } | { to: number; from: number; propose: Propose };
type Propose = (node: ScenarioNode) => void;

export class Scenario {
  readonly nodes: ScenarioNode[] = [];
  private flying: Flying[] = [];

  /** Runs one command; those that only print do nothing here. */
  run(directive: Directive): void {
    const command = this.commands[directive.command];
    if (!command) throw new Unsupported(`the command ${directive.command}`);
    const ids = numbersOf(directive);
    command(directive, ids, this.nodes[(ids[0] ?? 0) - 1]!);
  }

  private readonly commands: Record<string, (directive: Directive, ids: number[], node: ScenarioNode) => void> = {
    "add-nodes": (directive, [count]) => this.addNodes(count!, optionsOf(directive)),
    campaign: (_directive, _ids, node) => node.input((raft) => raft.campaign()),
    propose: (directive, _ids, node) => this.propose(node, proposal(directive.args[1]!.key)),
    "propose-conf-change": (directive, _ids, node) => this.propose(node, this.change(directive)),
    "transfer-leadership": (directive) => this.transfer(directive),
    "forget-leader": (_directive, _ids, node) => node.input((raft) => raft.forgetLeader()),
    "report-unreachable": (_directive, ids, node) => node.input((raft) => raft.reportUnreachable(idOf(ids[1]!))),
    compact: (_directive, ids, node) => node.compact(ids[1]!),
    "send-snapshot": (_directive, ids, node) => this.sendSnapshot(node, ids[1]!),
    "tick-election": (_directive, _ids, node) => {
      for (let tick = 0; tick < ELECTION_TICKS; tick += 1) node.tick();
    },
    "tick-heartbeat": (_directive, _ids, node) => node.tick(),
    "set-randomized-election-timeout": (directive, _ids, node) => {
      node.inner.electionTimeout = Number(argOf(directive, "timeout"));
    },
    "process-ready": (_directive, ids) => {
      for (const id of ids) this.processReady(this.nodes[id - 1]!);
    },
    "deliver-msgs": (directive) => this.deliverCommand(directive),
    stabilize: (_directive, ids) => this.stabilize(ids.length > 0 ? ids.map((id) => this.nodes[id - 1]!) : this.nodes),
    "raft-state": () => {},
    "raft-log": () => {},
    status: () => {},
    "log-level": () => {},
    _breakpoint: () => {},
  };

  private addNodes(count: number, options: NodeOptions): void {
    for (let at = 0; at < count; at += 1) this.nodes.push(new ScenarioNode(this.nodes.length + 1, options));
  }

  /** A node that does not lead passes a proposal on, as etcd-io/raft does by itself; with no leader known it is dropped. */
  private propose(node: ScenarioNode, propose: Propose): void {
    const { leader, role } = node.inner;
    if (role === "leader") propose(node);
    else if (leader !== undefined) this.flying.push({ to: numberOf(leader), from: node.n, propose });
  }

  /** A change that is refused leaves an empty entry, as in etcd-io/raft. */
  private change(directive: Directive): Propose {
    const transition = (argOf(directive, "transition") ?? "auto") as ConfChange["transition"];
    const change: ConfChange = { steps: parseSteps(directive.input), transition };
    return (node) =>
      node.input((raft) => {
        const answer = raft.proposeConfChange(change);
        if (answer.accepted) rememberChange(raft, answer.index, flagOf(directive, "v1"), directive.input);
        else raft.propose(bytes(""));
      });
  }

  private transfer(directive: Directive): void {
    const to = idOf(Number(argOf(directive, "to")));
    this.nodes[Number(argOf(directive, "from")) - 1]!.input((raft) => raft.transferLeadership(to));
  }

  private sendSnapshot(node: ScenarioNode, to: number): void {
    const { term, log } = node.inner;
    const message = messageOf("snapshot", node.n, to, { term, ...(log.snapshot && { snapshot: log.snapshot }) });
    this.flying.push({ to, from: node.n, message });
  }

  private processReady(node: ScenarioNode): void {
    for (const message of node.processReady()) this.flying.push({ to: numberOf(message.to), from: node.n, message });
  }

  private deliverCommand(directive: Directive): void {
    const type = argOf(directive, "type");
    if (type !== undefined && !(type in TYPES)) throw new Unsupported(`messages of type ${type}`);
    for (const id of listOf(directive, "drop")) this.deliver(Number(id), true, type && TYPES[type]);
    for (const id of numbersOf(directive)) this.deliver(id, false, type && TYPES[type]);
  }

  /** Everything that waits for a node first, then in order. Returns whether there was anything. */
  private deliver(to: number, drop: boolean, type?: string): boolean {
    const isDue = (flying: Flying): boolean =>
      flying.to === to && (type === undefined || ("message" in flying && flying.message.type === type));
    const due = this.flying.filter(isDue);
    this.flying = this.flying.filter((flying) => !isDue(flying));
    const node = this.nodes[to - 1];
    if (node && !drop)
      for (const flying of due) {
        if ("message" in flying) node.hear(flying.message);
        else this.propose(node, flying.propose);
      }
    return due.length > 0;
  }

  private stabilize(nodes: ScenarioNode[]): void {
    for (let round = 0; round < 1_000; round += 1) {
      let quiet = true;
      for (const node of nodes) {
        if (!node.hasReady()) continue;
        quiet = false;
        this.processReady(node);
      }
      for (const node of nodes) if (this.deliver(node.n, false)) quiet = false;
      if (quiet) return;
    }
    throw new Error("the nodes never stopped talking");
  }
}

const proposal =
  (data: string): Propose =>
  (node) =>
    node.input((raft) => raft.propose(bytes(data)));

function optionsOf(directive: Directive): NodeOptions {
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
