/** Which changes of membership are legal, and the configuration each leads to (thesis chapter 4, etcd-io/raft confchange). */
import type { NodeId } from "../../../shared/ids.ts";
import type { ConfState } from "../../../shared/raft.ts";

export interface ConfChangeStep {
  /** A witness is a new node, and one until it is removed: its log holds no data that it could lead or learn from. */
  kind: "addVoter" | "addLearner" | "addWitness" | "remove";
  node: NodeId;
}

/**
 * Steps taken together. `auto`: one step is a simple change, more go through a joint configuration that leaves by
 * itself. `implicit`: always joint, leaves by itself. `explicit`: always joint, left by a further change.
 * `auto` without steps leaves a joint configuration.
 */
export interface ConfChange {
  steps: ConfChangeStep[];
  transition: "auto" | "implicit" | "explicit";
}

export type ConfOutcome = { conf: ConfState } | { invalid: string };

export const EMPTY_CONF: ConfState = Object.freeze({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  witnesses: [],
}) as ConfState;

export const isJoint = (conf: ConfState): boolean => conf.votersOutgoing.length > 0;

/** Counts in at least one half. */
export const isVoter = (conf: ConfState, node: NodeId): boolean =>
  conf.voters.includes(node) || conf.votersOutgoing.includes(node);

export const isWitness = (conf: ConfState, node: NodeId): boolean => conf.witnesses.includes(node);

/** A voter that holds the data, so that it may lead. */
export const isFullVoter = (conf: ConfState, node: NodeId): boolean => isVoter(conf, node) && !isWitness(conf, node);

/** Voter or learner: keeps the data. */
export const isFullMember = (conf: ConfState, node: NodeId): boolean =>
  !isWitness(conf, node) && (isVoter(conf, node) || conf.learners.includes(node));

/** Voters of both halves, each once. */
export function votersOf(conf: ConfState): NodeId[] {
  return isJoint(conf) ? [...new Set([...conf.voters, ...conf.votersOutgoing])] : conf.voters;
}

/** Everyone who receives the log, each once. */
export function membersOf(conf: ConfState): NodeId[] {
  return [...new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext])];
}

/** What a change leads to, or why it is not legal. */
export function changeConf(conf: ConfState, change: ConfChange): ConfOutcome {
  if (change.transition === "auto" && change.steps.length === 0) return leaveJoint(conf);
  if (change.transition !== "auto" || change.steps.length > 1)
    return enterJoint(conf, change.steps, change.transition !== "explicit");
  return simpleChange(conf, change.steps);
}

/** At most one voter may come or go: then every majority of the old set meets every majority of the new one. */
export function simpleChange(conf: ConfState, steps: ConfChangeStep[]): ConfOutcome {
  if (isJoint(conf)) return { invalid: "can't apply simple config change in joint config" };
  const draft = new Draft(conf);
  for (const step of steps) draft.take(step);
  if (draft.fault) return { invalid: draft.fault };
  if (draft.voters.size === 0) return { invalid: "removed all voters" };
  const old = new Set(conf.voters);
  const changed = [...old].filter((id) => !draft.voters.has(id)).length + draft.voters.size;
  if (changed - [...draft.voters].filter((id) => old.has(id)).length > 1)
    return { invalid: "more than one voter changed without entering joint config" };
  return checked(draft.finish(false));
}

export function enterJoint(conf: ConfState, steps: ConfChangeStep[], autoLeave: boolean): ConfOutcome {
  if (isJoint(conf)) return { invalid: "config is already joint" };
  if (conf.voters.length === 0) return { invalid: "can't make a zero-voter config joint" };
  const draft = new Draft({ ...conf, votersOutgoing: conf.voters });
  for (const step of steps) draft.take(step);
  if (draft.fault) return { invalid: draft.fault };
  if (draft.voters.size === 0) return { invalid: "removed all voters" };
  return checked(draft.finish(autoLeave));
}

export function leaveJoint(conf: ConfState): ConfOutcome {
  if (!isJoint(conf)) return { invalid: "can't leave a non-joint config" };
  const draft = new Draft({ ...conf, votersOutgoing: [] });
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  return checked(draft.finish(false));
}

class Draft {
  readonly voters: Set<NodeId>;
  readonly votersOutgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;
  readonly witnesses: Set<NodeId>;
  /** Why a step taken was not legal. */
  fault: string | undefined;
  private readonly before: ConfState;

  constructor(conf: ConfState) {
    this.before = conf;
    this.witnesses = new Set(conf.witnesses);
    this.voters = new Set(conf.voters);
    this.votersOutgoing = new Set(conf.votersOutgoing);
    this.learners = new Set(conf.learners);
    this.learnersNext = new Set(conf.learnersNext);
  }

  take({ kind, node }: ConfChangeStep): void {
    this.fault ??= this.stepFault(kind, node);
    if (kind === "addLearner" && this.learners.has(node)) return;
    this.voters.delete(node);
    this.learners.delete(node);
    this.learnersNext.delete(node);
    if (kind === "addWitness") this.witnesses.add(node);
    if (kind === "addVoter" || kind === "addWitness") this.voters.add(node);
    // A voter of the outgoing half still counts there until the joint configuration is left; it cannot be both at once.
    else if (kind === "addLearner") (this.votersOutgoing.has(node) ? this.learnersNext : this.learners).add(node);
  }

  private stepFault(kind: ConfChangeStep["kind"], node: NodeId): string | undefined {
    if (kind === "remove") return undefined;
    if (this.witnesses.has(node)) return kind === "addWitness" ? undefined : "a witness can only be removed";
    if (kind !== "addWitness") return undefined;
    const isMember = membersOf(this.before).includes(node) || this.voters.has(node) || this.learners.has(node);
    return isMember ? "a member can't become a witness" : undefined;
  }

  finish(autoLeave: boolean): ConfState {
    return {
      voters: [...this.voters].sort(),
      votersOutgoing: [...this.votersOutgoing].sort(),
      learners: [...this.learners].sort(),
      learnersNext: [...this.learnersNext].sort(),
      autoLeave,
      witnesses: [...this.witnesses].filter((id) => this.voters.has(id) || this.votersOutgoing.has(id)).sort(),
    };
  }
}

function checked(conf: ConfState): ConfOutcome {
  const fault = confFault(conf);
  return fault ? { invalid: fault } : { conf };
}

/** Why a configuration cannot be one that this room made, or undefined if it can. */
export function confFault(conf: ConfState): string | undefined {
  const { voters, votersOutgoing, learners, learnersNext, witnesses } = conf;
  if (voters.length === 0) return "no voters";
  for (const part of [voters, votersOutgoing, learners, learnersNext, witnesses]) {
    if (new Set(part).size !== part.length) return "a node is listed twice";
    if (part.some((id) => typeof id !== "string" || id.length === 0)) return "a node without a name";
  }
  if (learners.some((id) => isVoter(conf, id))) return "a node is voter and learner";
  if (learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id)))
    return "a future learner is not a voter on its way out";
  if (witnesses.length > 1) return "more than one witness";
  if (witnesses.some((id) => !isVoter(conf, id) || learnersNext.includes(id))) return "a witness that is no voter";
  if ([voters, votersOutgoing].some((half) => half.length > 0 && half.every((id) => isWitness(conf, id))))
    return "nobody but a witness votes";
  if (!isJoint(conf) && (learnersNext.length > 0 || conf.autoLeave)) return "half joint";
  return undefined;
}
