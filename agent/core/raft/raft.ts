import { invariant } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { LogIndex, RaftEntry, RaftMessage, RaftSnapshot, Term } from "../../../shared/raft.ts";
import type { ConfChange } from "./confchange.ts";
import { campaign, forgetLeader, tickElection } from "./elections.ts";
import { forceConfiguration } from "./forcing.ts";
import { stepDown, tickLeader } from "./leading.ts";
import { entryBytes } from "./log.ts";
import { type ConfChangeAnswer, proposeConfChange, transferLeadership } from "./membership.ts";
import { askRead } from "./reads.ts";
import { advance, hasReady, takeReady } from "./ready.ts";
import { appendOwn, broadcast } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import { assertSound } from "./soundness.ts";
import { type RaftConfig, RaftState, type RaftStatus, type Ready } from "./state.ts";
import { statusOf } from "./status.ts";
import { step } from "./step.ts";
import { type RaftTiming, setTiming } from "./timing.ts";

export type ProposeAnswer =
  | { accepted: true; index: LogIndex; term: Term }
  | { accepted: false; reason: "notLeader" | "transferring" | "uncommittedFull" };

/**
 * One node's part in consensus. Synchronous and pure: inputs by method, time by `tick()`, effects by `takeMessages()`
 * and `ready()`. Whoever drives it sends what `takeMessages()` gives after every input, and works off one Ready at a time
 * (see {@link Ready} for the order). Every `snapshot` message taken must end in `reportSnapshot()`, or its receiver is
 * sent nothing more.
 */
export class Raft {
  private readonly state: RaftState;

  /** @throws Error if the journal's contents contradict themselves. */
  constructor(config: RaftConfig) {
    this.state = new RaftState(config);
    becomeFollower(this.state, this.state.term, undefined);
  }

  tick(): void {
    if (this.state.outstanding?.mustSync) this.state.diskTicks += 1;
    if (this.state.role === "leader") tickLeader(this.state);
    else tickElection(this.state);
  }

  /** Takes a peer's message. One that cannot come from a sound peer is ignored. */
  step(message: RaftMessage): void {
    step(this.state, message);
  }

  /** Asks for pre-votes now, as if the election timeout had passed. Nothing happens on a leader or a non-voter. */
  campaign(): void {
    campaign(this.state);
  }

  /** Accepted means appended here, not committed: the entry counts when it is handed back at this index with this term. */
  propose(data: Uint8Array): ProposeAnswer {
    const { state } = this;
    if (state.role !== "leader") return { accepted: false, reason: "notLeader" };
    // What it took now might be left uncommitted when the successor takes over.
    if (state.transferee !== undefined) return { accepted: false, reason: "transferring" };
    const bytes = entryBytes({ index: 0, term: 0, kind: "normal", data });
    if (state.uncommittedBytes > 0 && state.uncommittedBytes + bytes > state.limits.uncommittedBytesMax)
      return { accepted: false, reason: "uncommittedFull" };
    return { accepted: true, index: appendOwn(state, "normal", data), term: state.term };
  }

  /**
   * Changes who counts. Counts from the moment it is appended; commits like any entry; another is refused until then.
   * A leader removed by it steps down when it is committed.
   */
  proposeConfChange(change: ConfChange): ConfChangeAnswer {
    return proposeConfChange(this.state, change);
  }

  /** Begins to hand over to a voter; false if this node does not lead or `to` is not another voter. */
  transferLeadership(to: NodeId): boolean {
    return transferLeadership(this.state, to);
  }

  /**
   * Only for a fleet that lost its quorum for good, and only on the survivor whose log goes furthest: this node becomes the
   * only voter and leads, whatever the others would say. `data` is committed with it. Undefined if it cannot.
   */
  forceConfiguration(data: Uint8Array): LogIndex | undefined {
    return forceConfiguration(this.state, data);
  }

  /** Gives up leading without naming a successor, e.g. because the own disk stalls. */
  stepDown(): void {
    stepDown(this.state);
  }

  /** A follower learnt otherwise that its leader is gone: it votes for others at once and asks for pre-votes within a few ticks. */
  forgetLeader(): void {
    forgetLeader(this.state);
  }

  /**
   * Asks for a linearizable read. The answer is a ReadState with this context, or never comes: ask again after a
   * while, under a context not used before. False if no leader is known or too many reads wait.
   */
  readIndex(context: Uint8Array): boolean {
    return askRead(this.state, context);
  }

  /** Messages that promise nothing: they may leave at once, also while a Ready is being written. */
  takeMessages(): RaftMessage[] {
    broadcast(this.state);
    const messages = this.state.outbox;
    this.state.outbox = [];
    return messages;
  }

  /** How often a leader speaks, and how long silence is borne. A leader's followers take it over from its heartbeats. */
  setTiming(timing: RaftTiming): void {
    setTiming(this.state, timing);
  }

  hasReady(): boolean {
    return hasReady(this.state);
  }

  ready(): Ready {
    return takeReady(this.state);
  }

  advance(): void {
    advance(this.state);
  }

  /** A message to this peer was not delivered. */
  reportUnreachable(peer: NodeId): void {
    const progress = this.state.peers.get(peer);
    if (!progress) return;
    // A witness need not wait for it any longer.
    progress.lateTicks = Number.POSITIVE_INFINITY;
    if (progress.state === "replicate") progress.becomeProbe();
  }

  /** How sending a snapshot ended. Appends go on with the peer's answer or after the next heartbeat's. */
  reportSnapshot(peer: NodeId, ok: boolean): void {
    const progress = this.state.peers.get(peer);
    if (progress?.state !== "snapshot") return;
    if (!ok) progress.pendingSnapshot = 0;
    progress.becomeProbe();
    progress.paused = true;
  }

  /**
   * Forgets entries up to `index`, which must be applied, except the last `entriesKept`; `data` is what applying them led
   * to. The caller journals the snapshot that is returned before it journals anything else. Undefined if a newer
   * snapshot is here already, be it one just received. A witness gives empty `data`.
   */
  compact(index: LogIndex, data: Uint8Array, entriesKept = 0): RaftSnapshot | undefined {
    const { log } = this.state;
    if (index <= (log.snapshot?.index ?? 0)) return undefined;
    const term = log.term(index);
    invariant(index <= log.applied && term !== undefined, `compaction to ${index} stays within what is applied`);
    const snapshot: RaftSnapshot = { index, term, conf: log.confs.at(index), data };
    log.compact(snapshot, entriesKept);
    return snapshot;
  }

  /** Kept entries lo <= index < hi. */
  entries(lo: LogIndex, hi: LogIndex): RaftEntry[] {
    return this.state.log.slice(lo, hi);
  }

  status(): RaftStatus {
    return statusOf(this.state);
  }

  /** @throws Error naming the invariant that does not hold. */
  assertSound(): void {
    assertSound(this.state);
  }
}
