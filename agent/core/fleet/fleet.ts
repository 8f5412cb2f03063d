import type { CapacityReport } from "../../../shared/capacity.ts";
import { invariant } from "../../../shared/errors.ts";
import type { LinkView, NodeRole, NodeView, Presence, RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import { type Evidence, judge } from "./presence.ts";

/** What happened. Times are this node's monotonic clock. */
export type FleetEvent =
  /** A checked report, signed by the node it speaks of. Also this node's own. */
  | { kind: "reportReceived"; report: CapacityReport; atMs: number }
  | { kind: "linkChanged"; link: LinkView; atMs: number }
  /** The whole roster, and the part each node has in consensus. A node without a role is a worker. */
  | { kind: "rosterChanged"; roster: readonly RosterNode[]; roles: ReadonlyMap<NodeId, NodeRole>; atMs: number }
  | { kind: "leaderChanged"; leader: NodeId | undefined }
  | { kind: "ticked"; atMs: number };

export interface FleetEffect {
  kind: "presenceChanged";
  nodeId: NodeId;
  from: Presence;
  to: Presence;
  /** The end of a sentence about the node: "its link is down". */
  because: string;
}

export interface FleetInit {
  self: NodeId;
}

interface Entry extends Evidence {
  roster: RosterNode;
  role: NodeRole;
  report?: CapacityReport;
  /** When `link` was last told; its `silentMs` counts from before then. */
  linkToldMs: number;
  /** As last told in an effect (or at entry). Invariant: only `step` changes it. */
  presence: Presence;
}

/**
 * What this node believes of every node on the roster.
 *
 * Invariants: a report is kept under its own node's id; within one life of an agent its sequence only grows; nodes that
 * are not on the roster are not believed, whatever they report; time never goes back.
 */
export class Fleet {
  readonly #self: NodeId;
  readonly #entries = new Map<NodeId, Entry>();
  /** Heard before the node came on the roster: admission and the first link race each other. */
  readonly #linksEarly = new Map<NodeId, { link: LinkView; atMs: number }>();
  #leader: NodeId | undefined;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(init: FleetInit) {
    this.#self = init.self;
  }

  /** Takes one event in; returns what changed by it. */
  step(event: FleetEvent): FleetEffect[] {
    if ("atMs" in event) this.#nowMs = Math.max(this.#nowMs, event.atMs);
    switch (event.kind) {
      case "reportReceived":
        return this.#takeReport(event.report);
      case "linkChanged":
        return this.#takeLink(event.link);
      case "rosterChanged":
        this.#takeRoster(event.roster, event.roles);
        return this.#judgeAll();
      case "leaderChanged":
        this.#leader = event.leader;
        return [];
      case "ticked":
        return this.#judgeAll();
    }
  }

  /** Every node on the roster, in the order of admission, as it stands at `atMs`. Changes nothing. */
  nodes(atMs: number): NodeView[] {
    const nowMs = Math.max(this.#nowMs, atMs);
    return [...this.#entries.values()].map((entry) => this.#viewOf(entry, nowMs));
  }

  /** Throws if an invariant of the class does not hold. For tests and the simulator, after every step. */
  assertSound(): void {
    for (const [nodeId, entry] of this.#entries) {
      invariant(entry.roster.nodeId === nodeId, `${nodeId} is kept under its own id`);
      invariant(entry.report === undefined || entry.report.nodeId === nodeId, `the report of ${nodeId} is its own`);
      invariant((entry.report === undefined) === (entry.reportAtMs === undefined), `${nodeId}: a report has a time`);
      invariant((entry.reportAtMs ?? this.#nowMs) <= this.#nowMs, `${nodeId}: no report comes from the future`);
      invariant(entry.linkSinceMs <= this.#nowMs, `${nodeId}: no link state comes from the future`);
      invariant(entry.link === undefined || entry.link.nodeId === nodeId, `the link of ${nodeId} is its own`);
      invariant(entry.isSelf === (nodeId === this.#self), `${nodeId} knows whether it is this node`);
      invariant(!entry.isSelf || entry.presence === "fresh", "a node is always fresh to itself");
    }
    for (const nodeId of this.#linksEarly.keys())
      invariant(!this.#entries.has(nodeId), `${nodeId} is on the roster, so its link is kept there`);
  }

  #takeReport(report: CapacityReport): FleetEffect[] {
    const entry = this.#entries.get(report.nodeId);
    if (!entry || !this.#isNewer(report, entry)) return [];
    entry.report = report;
    entry.reportAtMs = this.#nowMs;
    return this.#judge(entry);
  }

  /**
   * A later life beats an earlier one, and within a life the larger sequence wins. Lives are told apart by the box's own
   * wall clock, and a board without a clock battery may wake up in the past: then its new life looks like an old one. So
   * an earlier life is believed too once the later one has been silent for longer than its rhythm allows.
   */
  #isNewer(report: CapacityReport, entry: Entry): boolean {
    const known = entry.report;
    if (!known || report.startedAtMs > known.startedAtMs) return true;
    if (report.startedAtMs === known.startedAtMs) return report.sequence > known.sequence;
    return this.#nowMs - entry.reportAtMs! > TIMING.capacityLateMs;
  }

  #takeLink(link: LinkView): FleetEffect[] {
    const entry = this.#entries.get(link.nodeId);
    if (!entry) {
      if (link.state === "down") this.#linksEarly.delete(link.nodeId);
      else this.#linksEarly.set(link.nodeId, { link, atMs: this.#nowMs });
      return [];
    }
    if (entry.link?.state !== link.state) entry.linkSinceMs = this.#nowMs;
    entry.link = link;
    entry.linkToldMs = this.#nowMs;
    return this.#judge(entry);
  }

  #takeRoster(roster: readonly RosterNode[], roles: ReadonlyMap<NodeId, NodeRole>): void {
    const before = new Map(this.#entries);
    this.#entries.clear();
    for (const node of [...roster].sort((a, b) => a.admittedAtIndex - b.admittedAtIndex)) {
      const role = roles.get(node.nodeId) ?? "worker";
      const known = before.get(node.nodeId);
      this.#entries.set(node.nodeId, known ? { ...known, roster: node, role } : this.#entryOf(node, role));
      this.#linksEarly.delete(node.nodeId);
    }
  }

  #entryOf(roster: RosterNode, role: NodeRole): Entry {
    const isSelf = roster.nodeId === this.#self;
    const early = this.#linksEarly.get(roster.nodeId);
    const linkSinceMs = early?.atMs ?? this.#nowMs;
    const presence = isSelf ? "fresh" : "gone";
    const link = early && { link: early.link };
    return { roster, role, isSelf, linkSinceMs, linkToldMs: linkSinceMs, presence, ...link };
  }

  #judgeAll(): FleetEffect[] {
    return [...this.#entries.values()].flatMap((entry) => this.#judge(entry));
  }

  #judge(entry: Entry): FleetEffect[] {
    const { presence, because } = judge(entry, this.#nowMs);
    if (presence === entry.presence) return [];
    const from = entry.presence;
    entry.presence = presence;
    return [{ kind: "presenceChanged", nodeId: entry.roster.nodeId, from, to: presence, because }];
  }

  /** Made for every node some times a second, so it is filled in place. */
  #viewOf(entry: Entry, nowMs: number): NodeView {
    const { roster, role, isSelf, report } = entry;
    const view: NodeView = {
      nodeId: roster.nodeId,
      name: roster.name,
      isSelf,
      isLeader: roster.nodeId === this.#leader,
      role,
      presence: judge(entry, nowMs).presence,
    };
    if (roster.drained) view.drained = true;
    if (roster.leaving) view.leaving = true;
    if (roster.labels) view.labels = roster.labels;
    if (entry.link) {
      const { nodeId, state, rttMs, silentMs } = entry.link;
      // A link that is not up has heard nothing since that was told; one that is up would have told if it had not.
      const silentSinceToldMs = state === "up" ? 0 : nowMs - entry.linkToldMs;
      view.link = { nodeId, state, silentMs: silentMs + silentSinceToldMs };
      if (rttMs !== undefined) view.link.rttMs = rttMs;
    }
    if (report) view.report = report;
    return view;
  }
}
