/** A fleet as the membership core sees it, that takes its advice: who is there, who votes, who follows. */
import { decideMembership, type MembershipChange, type MembershipInput } from "../../../agent/core/membership/index.ts";
import type { NodePart, Presence } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";

export const GONE_AFTER_MS = 1_000;
export const id = (name: string): NodeId => name as NodeId;

export interface ModelNode {
  name: string;
  part: NodePart;
  presence: Presence;
  absentForMs: number;
}

/** `a` leads unless told otherwise. A learner that is fresh has caught up, unless it is named in `behind`. */
export class FleetModel {
  self = id("a");
  nodes: ModelNode[] = [];
  /** Off the roster, and as reachable as before. */
  removed: ModelNode[] = [];
  voters: NodeId[] = [];
  learners: NodeId[] = [];
  behind = new Set<string>();
  votersMax = 5;

  constructor(voters = "", others = "", witness = "") {
    const node = (name: string, part: NodePart = "full"): ModelNode => ({
      name,
      part,
      presence: "fresh",
      absentForMs: 0,
    });
    this.nodes = [
      ...[...voters, ...others].map((name) => node(name)),
      ...[...witness].map((name) => node(name, "witness")),
    ];
    this.voters = [...voters].map(id);
  }

  set(name: string, presence: Presence, absentForMs = presence === "fresh" ? 0 : 2 * GONE_AFTER_MS): this {
    Object.assign(this.node(name), { presence, absentForMs });
    return this;
  }

  node(name: string): ModelNode {
    return this.nodes.find((node) => node.name === name)!;
  }

  remove(name: string): this {
    this.removed.push(this.node(name));
    this.nodes = this.nodes.filter((node) => node.name !== name);
    return this;
  }

  input(): MembershipInput {
    const reachable = [...this.nodes, ...this.removed].filter(
      (node) => node.presence === "fresh" || node.name === this.self,
    );
    return {
      self: this.self,
      roster: this.nodes.map((node) => ({ ...node, nodeId: id(node.name), isCaughtUp: this.#isCaughtUp(node) })),
      voters: this.voters,
      witnesses: [...this.nodes, ...this.removed]
        .filter(({ name, part }) => part === "witness" && this.voters.includes(id(name)))
        .map(({ name }) => id(name)),
      learners: this.learners,
      reachable: new Set(reachable.map((node) => id(node.name))),
      isChanging: false,
      votersMax: this.votersMax,
      voterGoneAfterMs: GONE_AFTER_MS,
    };
  }

  next(): MembershipChange | undefined {
    return decideMembership(this.input());
  }

  take({ steps }: MembershipChange): void {
    for (const { kind, node } of steps) {
      this.voters = this.voters.filter((one) => one !== node);
      this.learners = this.learners.filter((one) => one !== node);
      if (kind === "addVoter" || kind === "addWitness") this.voters = [...this.voters, node].sort();
      if (kind === "addLearner") this.learners = [...this.learners, node].sort();
    }
  }

  /** Takes advice until there is no more; what it was told, as text. */
  settle(roundsMax = 100): string[] {
    const told: string[] = [];
    for (let change = this.next(); change; change = this.next()) {
      if (told.length >= roundsMax) throw new Error(`it does not come to rest: ${told.slice(-6).join(" | ")}`);
      told.push(textOf(change));
      this.take(change);
    }
    return told;
  }

  story(): string {
    return `${this.voters.join("")}/${this.learners.join("")}`;
  }

  #isCaughtUp(node: ModelNode): boolean {
    return this.learners.includes(id(node.name)) && node.presence === "fresh" && !this.behind.has(node.name);
  }
}

/** `-c +d`: voters out and in; `?d`: a learner in; `+w!`: a witness in. */
export const textOf = ({ steps }: MembershipChange): string =>
  steps
    .map(({ kind, node }) => {
      if (kind === "remove") return `-${node}`;
      return kind === "addLearner" ? `?${node}` : `+${node}${kind === "addWitness" ? "!" : ""}`;
    })
    .join(" ");
