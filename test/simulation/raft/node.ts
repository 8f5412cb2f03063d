/** One simulated box: its disk, its core while it is up, and how far the work on its current Ready has come. */
import { Raft, type Ready } from "../../../agent/core/raft/index.ts";
import type { RaftState } from "../../../agent/core/raft/state.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { LogIndex, Term } from "../../../shared/raft.ts";
import { digestOf, numberOf } from "../../core/raft/builders.ts";
import { Disk } from "./disk.ts";
import { PATIENCE_MAX, type Swarm } from "./swarm.ts";

/** A crash can come between any two of them. */
export type Stage = "idle" | "taken" | "written" | "sent" | "applied";

/** What was true of a node after the step before. */
export interface Seen {
  role: string;
  term: Term;
  commit: LogIndex;
  last: LogIndex;
  lastTerm: Term;
}

const NOTHING_SEEN: Seen = { role: "follower", term: 0, commit: 0, last: 0, lastTerm: 0 };

export class SimulatedNode {
  readonly id: NodeId;
  readonly disk: Disk = new Disk();
  raft: Raft | undefined;
  /** The core's own state, read by the checks only: a status object at every step would cost most of the run. */
  inner: RaftState | undefined;
  ready: Ready | undefined;
  stage: Stage = "idle";
  paused = false;
  /** Work happenings that a stalled disk still swallows. */
  stalledFor = 0;
  /** Ticks that a clock set back still swallows. */
  dozesFor = 0;
  applied: LogIndex = 0;
  /** Of everything applied, in order. */
  hash = 0;
  seen: Seen = { ...NOTHING_SEEN };
  private readonly swarm: Swarm;
  private readonly random: () => number;

  constructor(id: NodeId, swarm: Swarm, random: () => number) {
    this.id = id;
    this.swarm = swarm;
    this.random = random;
  }

  get isWitness(): boolean {
    return numberOf(this.id) === this.swarm.witness;
  }

  get awake(): boolean {
    return this.raft !== undefined && !this.paused;
  }

  get busy(): boolean {
    return this.awake && (this.stage !== "idle" || this.raft!.hasReady());
  }

  start(): void {
    const { hardState, entries, snapshot } = this.disk;
    this.stage = "idle";
    this.ready = undefined;
    this.stalledFor = 0;
    this.dozesFor = 0;
    this.paused = false;
    this.applied = snapshot?.index ?? 0;
    this.hash = snapshot ? hashIn(snapshot.data) : 0;
    this.raft = new Raft({
      id: this.id,
      electionTicks: this.swarm.electionTicks,
      heartbeatTicks: this.swarm.heartbeatTicks,
      electionTicksMax: PATIENCE_MAX * this.swarm.electionTicks,
      random: this.random,
      digest: digestOf,
      initial: { hardState, entries: [...entries], ...(snapshot && { snapshot }) },
      ...this.swarm.limits,
    });
    this.inner = (this.raft as unknown as { state: RaftState }).state;
    // What was on the disk counts from the first step on: nothing goes back across a restart either.
    this.seen = { ...NOTHING_SEEN, term: hardState.term, commit: hardState.commit };
  }

  stop(): void {
    this.raft = undefined;
    this.inner = undefined;
    this.ready = undefined;
    this.stage = "idle";
  }
}

export function hashAfter(hash: number, index: LogIndex, data: Uint8Array): number {
  let next = Math.imul(hash ^ index, 0x01000193);
  for (let at = 0; at < data.length; at += 1) next = Math.imul(next ^ data[at]!, 0x01000193);
  return next >>> 0;
}

export function numberBytes(value: number): Uint8Array {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, value);
  return data;
}
export const hashIn = (data: Uint8Array): number =>
  data.length < 4 ? 0 : new DataView(data.buffer, data.byteOffset).getUint32(0);
