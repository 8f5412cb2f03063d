/** What one seed's world is like. Everything is drawn, so that every run lives under other weather. */
import type { ConfChange, ConfChangeStep, RaftLimits, RaftTiming } from "../../../agent/core/raft/index.ts";
import type { NodeId } from "../../../shared/ids.ts";

export interface Swarm {
  nodes: number;
  votersAtStart: number;
  /** The number of the one node that is a witness whenever it is a voter, or 0: it is the last of all. */
  witness: number;
  electionTicks: number;
  heartbeatTicks: number;
  limits: Partial<RaftLimits>;
  /** Chance that a message is lost, or delivered and kept for a second time. */
  lossChance: number;
  repeatChance: number;
  /** Chance that the oldest message is delivered instead of any one: 1 is an orderly network. */
  orderChance: number;
  /** How often each thing happens, relative to each other. */
  weights: Record<Happening, number>;
  /** Relative speed of each node's clock. */
  clockSpeeds: number[];
  /** Entries kept behind a snapshot. */
  entriesKept: number;
}

export const HAPPENINGS = [
  "deliver",
  "tick",
  "work",
  "propose",
  "read",
  "change",
  "transfer",
  "compact",
  "crash",
  "restart",
  "pause",
  "resume",
  "stallDisk",
  "partition",
  "cutOneWay",
  "heal",
  "unreachable",
  "forgetLeader",
  "stepDown",
  "campaign",
  "retime",
  "leap",
  "doze",
] as const;
export type Happening = (typeof HAPPENINGS)[number];

export function drawSwarm(seed: number, random: () => number): Swarm {
  const pick = <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)]!;
  const between = (low: number, high: number): number => low + random() * (high - low);
  /** Half of the seeds do without a given trouble, so that the others can go far. */
  const sometimes = (weight: number): number => (random() < 0.5 ? 0 : between(0, weight));
  const nodes = pick(3, 3, 4, 5, 5, 6, 7);
  return {
    nodes,
    votersAtStart: Math.min(nodes, pick(1, 2, 3, 3, 3, 4, 5, 5)),
    witness: seed % 3 === 1 ? nodes : 0,
    electionTicks: pick(3, 5, 8, 12),
    heartbeatTicks: pick(1, 1, 2),
    limits: {
      entriesPerMessageBytesMax: pick(1, 1, 80, 200, 1e6),
      inflightMessagesMax: pick(1, 2, 3, 8, 64),
      inflightBytesMax: pick(1, 100, 1e6),
      uncommittedBytesMax: pick(100, 1_000, 1e6),
      committedPerReadyBytesMax: pick(1, 100, 1e6),
      readsWaitingMax: pick(1, 4, 1_000),
    },
    lossChance: sometimes(0.3),
    repeatChance: sometimes(0.3),
    orderChance: pick(0, 0.5, 0.9, 1),
    weights: {
      deliver: between(30, 80),
      tick: between(5, 25),
      work: between(25, 80),
      propose: between(1, 12),
      read: sometimes(3),
      change: sometimes(6),
      transfer: sometimes(1),
      compact: sometimes(1),
      crash: sometimes(1.5),
      restart: between(0.5, 3),
      pause: sometimes(0.4),
      resume: between(0.3, 1),
      stallDisk: sometimes(0.4),
      partition: sometimes(1),
      cutOneWay: sometimes(0.5),
      heal: between(0.2, 1),
      unreachable: sometimes(0.5),
      forgetLeader: sometimes(2),
      stepDown: sometimes(1),
      campaign: sometimes(2),
      retime: seed % 5 === 3 ? 1 : 0,
      leap: sometimes(0.5),
      doze: sometimes(0.5),
    },
    clockSpeeds: Array.from({ length: nodes }, () => between(0.3, 1)),
    entriesKept: pick(0, 0, 3, 20),
  };
}

/** Each happening with the sum of the weights up to it. */
export function oddsOf({ weights }: Swarm): [Happening, number][] {
  let sum = 0;
  return HAPPENINGS.map((name) => {
    sum += weights[name];
    return [name, sum];
  });
}

/** How much more patient than at the start a fleet may become. */
export const PATIENCE_MAX = 4;

export function drawTiming(random: () => number, { electionTicks }: Swarm): RaftTiming {
  const patience = Math.floor(electionTicks * (1 + random() * (PATIENCE_MAX - 1)));
  return { electionTicks: patience, heartbeatTicks: 1 + Math.floor(random() * (patience - 1)) };
}

/** Any change of membership, sound or not; a joint configuration is mostly asked to leave. */
export function drawChange(
  random: () => number,
  nodes: NodeId[],
  witness: NodeId | undefined,
  joint: boolean,
): ConfChange {
  const pick = <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)]!;
  if (joint && random() < 0.8) return { steps: [], transition: "auto" };
  const steps = Array.from({ length: pick(1, 1, 1, 2, 3) }, (): ConfChangeStep => {
    const node = pick(...nodes);
    if (node === witness) return { kind: pick("addWitness", "addWitness", "remove"), node };
    return { kind: pick("addVoter", "addVoter", "addLearner", "remove"), node };
  });
  return { steps, transition: pick("auto", "auto", "implicit", "explicit") };
}
