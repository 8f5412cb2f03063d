import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { LogIndex, RaftMessage, Term } from "../../shared/raft.ts";
import { paceFor } from "../core/pace/index.ts";
import { type Raft, votersOf } from "../core/raft/index.ts";
import type { Cancel, Clock } from "../ports/index.ts";

/** How a leader's patience changed, for people. */
export interface PaceNews {
  electionMs: number;
  heartbeatMs: number;
}

/**
 * Measures what elections in this fleet would cost, while this node leads, and sets Raft's timing by it. One append to a
 * peer is timed at a time, and nothing is worked out but some seconds after a new measurement: an idle fleet costs nothing.
 */
export class Pace {
  readonly #raft: Raft;
  readonly #clock: Clock;
  readonly #onNews: (news: PaceNews) => void;
  readonly #awaited = new Map<NodeId, { term: Term; index: LogIndex; sentAtMs: number }>();
  readonly #acknowledgeMs = new Map<NodeId, number[]>();
  readonly #writeMs: number[] = [];
  #considering: Cancel | undefined;

  constructor(raft: Raft, clock: Clock, onNews: (news: PaceNews) => void) {
    this.#raft = raft;
    this.#clock = clock;
    this.#onNews = onNews;
  }

  stop(): void {
    this.#considering?.();
  }

  /** A message left for a peer. */
  sent({ type, to, term, index, entries }: RaftMessage): void {
    if (type !== "appendRequest" || entries.length === 0 || this.#awaited.get(to)?.term === term) return;
    this.#awaited.set(to, { term, index: index + entries.length, sentAtMs: this.#clock.monotonicMs() });
  }

  /** A message came from a peer. */
  heard({ type, from, term, index, reject }: RaftMessage): void {
    const awaited = this.#awaited.get(from);
    if (type !== "appendResponse" || awaited?.term !== term || (!reject && index < awaited.index)) return;
    this.#awaited.delete(from);
    if (reject) return;
    const samples = this.#acknowledgeMs.get(from) ?? [];
    this.#acknowledgeMs.set(from, samples);
    keep(samples, this.#clock.monotonicMs() - awaited.sentAtMs);
    this.#considering ??= this.#clock.after(TIMING.paceMs, () => this.#consider());
  }

  /** The own journal wrote a batch that had to be durable. */
  wrote(sinceMs: number): void {
    keep(this.#writeMs, this.#clock.monotonicMs() - sinceMs);
  }

  /** What the peer was measured at belongs to a link that is no more. */
  linkDown(peer: NodeId): void {
    this.#awaited.delete(peer);
    this.#acknowledgeMs.delete(peer);
  }

  #consider(): void {
    this.#considering = undefined;
    const { id, role, conf, progress, electionTicks } = this.#raft.status();
    if (role !== "leader") {
      this.#awaited.clear();
      this.#acknowledgeMs.clear();
      return;
    }
    const heard = votersOf(conf).filter((voter) => voter !== id && progress.get(voter)?.isHeard);
    const acknowledgeMs = heard.map((voter) => this.#acknowledgeMs.get(voter) ?? []);
    const timing = paceFor({ acknowledgeMs, writeMs: this.#writeMs }, electionTicks);
    if (!timing) return;
    this.#raft.setTiming(timing);
    const { tickMs } = TIMING;
    this.#onNews({ electionMs: timing.electionTicks * tickMs, heartbeatMs: timing.heartbeatTicks * tickMs });
  }
}

function keep(samples: number[], ms: number): void {
  samples.push(ms);
  if (samples.length > LIMITS.paceSamplesMax) samples.shift();
}
