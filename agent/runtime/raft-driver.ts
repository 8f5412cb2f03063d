import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { TIMING } from "../../shared/limits.ts";
import type { RaftEntry, RaftMessage, RaftSnapshot } from "../../shared/raft.ts";
import { decodeRaftMessage, encodeRaftMessage } from "../../shared/wire/raft.ts";
import { isJoint, type Raft, type RaftStatus, type ReadState, type Ready } from "../core/raft/index.ts";
import type { Cancel } from "../ports/index.ts";
import { Pace, type PaceNews } from "./pace.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

export interface RaftListener {
  /** Committed and durable here, in order. */
  onEntry(entry: RaftEntry): void;
  /** An answer to a readIndex() of this node. */
  onRead(read: ReadState): void;
  /** A leader's snapshot: handed to `step` once everything it stands for is on this disk. */
  onSnapshotMessage(message: RaftMessage): void;
  /** It is in the journal, and replaces everything applied so far. */
  onSnapshot(snapshot: RaftSnapshot): void;
  /** Its end must be reported to the core, unless the receiver acknowledges. */
  onSnapshotSent(to: NodeId, snapshot: RaftSnapshot): void;
  /** Role, term or leader changed. */
  onStatus(status: RaftStatus): void;
  /** This leader measured that its fleet should be more patient, or less. */
  onPace(news: PaceNews): void;
  /** The journal can no longer be trusted: the agent must stop. */
  onFatal(error: unknown): void;
}

/** How long a commit may go unnoted on this disk. */
const COMMIT_NOTE_MS = 500;
/** Pause before a full disk is tried again. */
const DISK_RETRY_MS = 1_000;

/**
 * The four duties of whoever drives Raft (etcd-io/raft, doc.go), in this order: write what must be durable, send what
 * promised it, apply what is committed (a snapshot first), advance. Messages that promise nothing go out at once, also while a write runs,
 * so that a slow disk does not silence the heartbeats.
 */
export class RaftDriver {
  readonly #raft: Raft;
  readonly #world: Surroundings;
  readonly #listener: RaftListener;
  readonly #pace: Pace;
  #told: Pick<RaftStatus, "role" | "term" | "leader"> = { role: "follower", term: 0 };
  #pumping = false;
  #afterDue: Promise<void> | undefined;
  #stopped = false;
  /** Not before the ledger is what the journal's snapshot says: entries applied to an empty one would be lost with it. */
  #isStarted = false;
  #isResting = false;
  #heardLeaderAtMs = Number.NEGATIVE_INFINITY;
  #ticking: Cancel = () => {};
  #commitNote: Cancel | undefined;

  constructor(raft: Raft, world: Surroundings, listener: RaftListener) {
    this.#raft = raft;
    this.#world = world;
    this.#listener = listener;
    this.#pace = new Pace(raft, world.clock, (news) => listener.onPace(news));
  }

  start(): void {
    this.#isStarted = true;
    const { network, clock } = this.#world;
    network.onConsensus((from, bytes) => this.#receive(from, bytes));
    network.onLink((link) => {
      if (link.state !== "down") return;
      this.#raft.reportUnreachable(link.nodeId);
      this.#pace.linkDown(link.nodeId);
      if (this.#isResting) return;
      // Nobody waits for a leader whose connection is gone: the next tick may ask for pre-votes, so it comes now.
      if (this.#raft.status().leader === link.nodeId) {
        this.#raft.forgetLeader();
        this.#raft.tick();
      }
      this.after();
    });
    this.#ticking = clock.every(TIMING.tickMs, () => {
      if (this.#isResting) return;
      this.#raft.tick();
      this.after();
    });
    if (this.#isAlone()) this.#raft.campaign();
    this.after();
  }

  /** Nobody else can lead or be disturbed, so there is nothing to wait for: a box of one, and whoever founds a fleet. */
  #isAlone(): boolean {
    const { self } = this.#world.network;
    const { conf } = this.#raft.status();
    return !this.#isResting && !isJoint(conf) && conf.voters.length === 1 && conf.voters[0] === self;
  }

  stop(): void {
    this.#stopped = true;
    this.#ticking();
    this.#commitNote?.();
    this.#pace.stop();
  }

  get raft(): Raft {
    return this.#raft;
  }

  status(): RaftStatus {
    return this.#raft.status();
  }

  /** Leads, or heard its leader within so long: then its log is the fleet's word. */
  isInTouch(withinMs: number): boolean {
    return this.#told.role === "leader" || this.#world.clock.monotonicMs() - this.#heardLeaderAtMs <= withinMs;
  }

  /**
   * While it rests, its time stands still: it asks for no votes. For a node that learnt from others that it is no member
   * any more; its own log may not say so. It still hears, and a leader that makes it a member again is followed.
   */
  rest(isResting: boolean): void {
    this.#isResting = isResting;
  }

  /**
   * Must follow every call that moves the core. What it leads to begins at the next turn of the promises, so that
   * messages that arrived together are answered together.
   */
  after(): void {
    if (!this.#isStarted) return;
    this.#afterDue ??= Promise.resolve().then(() => {
      this.#afterDue = undefined;
      if (this.#stopped) return;
      this.#send(this.#raft.takeMessages());
      this.#tellStatus();
      void this.#pump();
    });
  }

  #receive(from: NodeId, bytes: Uint8Array): void {
    let message: RaftMessage;
    try {
      message = decodeRaftMessage(bytes);
    } catch (error) {
      this.#world.telemetry.log("warn", "consensusMessageRefused", { from, reason: SkeinError.from(error).message });
      return;
    }
    if (this.#stopped || message.from !== from || message.to !== this.#world.network.self) return;
    this.#pace.heard(message);
    if (from === this.#told.leader) this.#heardLeaderAtMs = this.#world.clock.monotonicMs();
    if (message.type === "snapshot") this.#listener.onSnapshotMessage(message);
    else this.step(message);
  }

  step(message: RaftMessage): void {
    this.#raft.step(message);
    this.after();
  }

  /** Writes down what the core's log was compacted to; in one go with the compaction, for the journal keeps the order. @throws DISK_FULL */
  journal(snapshot: RaftSnapshot): Promise<void> {
    return this.#world.journal.append({ entries: [], snapshot });
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#stopped && this.#raft.hasReady()) await this.#handle(this.#raft.ready());
    } catch (error) {
      this.#stopped = true;
      this.#listener.onFatal(error);
    } finally {
      this.#pumping = false;
    }
  }

  async #handle(ready: Ready): Promise<void> {
    if (ready.mustSync) await this.#persist(ready);
    else if (ready.hardState) this.#noteCommitLater();
    if (this.#stopped) return;
    this.#send(ready.messagesAfterPersist);
    if (ready.snapshot) this.#listener.onSnapshot(ready.snapshot);
    for (const entry of ready.committedEntries) this.#listener.onEntry(entry);
    for (const read of ready.readStates) this.#listener.onRead(read);
    this.#raft.advance();
    this.#send(this.#raft.takeMessages());
    this.#tellStatus();
  }

  /**
   * How far the log is committed need not be on disk: the next leader tells again. Written down now and then, it lets a
   * restarted node show its jobs at once.
   */
  #noteCommitLater(): void {
    this.#commitNote ??= this.#world.clock.after(COMMIT_NOTE_MS, () => {
      this.#commitNote = undefined;
      if (this.#stopped) return;
      // Not `commit`: what is applied is certainly on this disk, so the note never points past the log.
      const { term, vote, applied } = this.#raft.status();
      this.#world.journal
        .append({ hardState: { term, vote, commit: applied }, entries: [] })
        .catch((error: unknown) => {
          this.#world.telemetry.log("debug", "commitUnnoted", { reason: SkeinError.from(error).message });
        });
    });
  }

  /** A full disk is waited out: this node promises nothing meanwhile, and hands leadership on if it has it. */
  async #persist({ hardState, entries, snapshot }: Ready): Promise<void> {
    const batch = { entries, ...(hardState ? { hardState } : {}), ...(snapshot ? { snapshot } : {}) };
    while (!this.#stopped) {
      const stalled = this.#world.clock.after(TIMING.diskStallMs, () =>
        this.#yieldLead("journalStalled", { stallMs: TIMING.diskStallMs }),
      );
      const sinceMs = this.#world.clock.monotonicMs();
      try {
        await this.#world.journal.append(batch);
        this.#pace.wrote(sinceMs);
        return;
      } catch (error) {
        if (SkeinError.from(error).code !== "DISK_FULL") throw error;
        this.#yieldLead("journalDiskFull", { reason: SkeinError.from(error).message });
        await delay(this.#world.clock, DISK_RETRY_MS);
      } finally {
        stalled();
      }
    }
  }

  /** A leader that cannot write must not lead: it promises nothing new, and its heartbeats would keep others from taking over. */
  #yieldLead(event: string, facts: Record<string, unknown>): void {
    this.#world.telemetry.log("error", event, facts);
    if (this.#raft.status().role === "leader") this.#raft.stepDown();
    this.#send(this.#raft.takeMessages());
    this.#tellStatus();
  }

  #send(messages: readonly RaftMessage[]): void {
    for (const message of messages) {
      const { to, snapshot } = message;
      if (this.#world.network.sendConsensus(to, encodeRaftMessage(message))) {
        this.#pace.sent(message);
        if (snapshot) this.#listener.onSnapshotSent(to, snapshot);
      } else if (snapshot) this.#raft.reportSnapshot(to, false);
      else this.#raft.reportUnreachable(to);
    }
  }

  #tellStatus(): void {
    const { role, term, leader } = this.#raft.status();
    if (role === this.#told.role && term === this.#told.term && leader === this.#told.leader) return;
    this.#told = { role, term, ...(leader ? { leader } : {}) };
    this.#listener.onStatus(this.#raft.status());
  }
}
