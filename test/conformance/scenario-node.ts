/** One node of an interaction scenario: a core, a disk that shows what is stable, and the messages it has not handed out. */
import { Raft, type Ready } from "../../agent/core/raft/index.ts";
import type { RaftState } from "../../agent/core/raft/state.ts";
import type { ConfState, HardState, RaftEntry, RaftMessage, RaftSnapshot } from "../../shared/raft.ts";
import { digestOf, idOf, messageOf, numberOf, text } from "../core/raft/cluster.ts";

export interface NodeOptions {
  snapshot?: { index: number; conf: ConfState; content: string };
  preVote: boolean;
  checkQuorum: boolean;
  inflightMessagesMax?: number;
  committedPerReadyBytesMax?: number;
}

/** As in the scenarios' own framework. */
export const ELECTION_TICKS = 3;
const UNLIMITED = 1e12;
/** Every log entry is kept behind a snapshot until the scenario says `compact`. */
const KEEP_ALL = Number.MAX_SAFE_INTEGER;

export class ScenarioNode {
  readonly n: number;
  readonly options: NodeOptions;
  readonly raft: Raft;
  /** The scenarios switch off rules that this core always keeps; doing that here keeps the switches out of it. */
  readonly inner: RaftState;
  /** Made and not yet handed out by a Ready. */
  unsent: RaftMessage[] = [];
  hardState: HardState = { term: 0, vote: "", commit: 0 };
  stable: RaftEntry[] = [];
  stableOffset: number;
  private content: string;

  constructor(n: number, options: NodeOptions) {
    this.n = n;
    this.options = options;
    this.content = options.snapshot?.content ?? "";
    this.stableOffset = options.snapshot?.index ?? 0;
    const snapshot: RaftSnapshot | undefined = options.snapshot && {
      index: options.snapshot.index,
      term: 1,
      conf: options.snapshot.conf,
      data: new TextEncoder().encode(this.content),
    };
    this.raft = new Raft({
      id: idOf(n),
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      random: () => 0,
      digest: digestOf,
      initial: { hardState: this.hardState, entries: [], ...(snapshot && { snapshot }) },
      entriesPerMessageBytesMax: UNLIMITED,
      inflightMessagesMax: options.inflightMessagesMax ?? UNLIMITED,
      inflightBytesMax: UNLIMITED,
      uncommittedBytesMax: UNLIMITED,
      committedPerReadyBytesMax: options.committedPerReadyBytesMax ?? UNLIMITED,
    });
    this.inner = (this.raft as unknown as { state: RaftState }).state;
  }

  /** Does something to the core, then gathers what it says. */
  input(act: (raft: Raft) => void): void {
    act(this.raft);
    if (!this.options.preVote) this.grantPreVotes();
    this.unsent.push(...this.raft.takeMessages());
  }

  /** Without the option a scenario knows no pre-votes: everyone grants at once, unseen. */
  private grantPreVotes(): void {
    if (this.inner.role !== "preCandidate") return;
    const { outbox, term, log } = this.inner;
    this.inner.outbox = outbox.filter(({ type }) => type !== "preVoteRequest");
    for (const voter of [...log.conf.voters, ...log.conf.votersOutgoing])
      if (this.inner.role === "preCandidate")
        this.raft.step(messageOf("preVoteResponse", numberOf(voter), this.n, { term: term + 1 }));
  }

  tick(): void {
    // Without check-quorum a leader never steps down for silence; it still gives up a transfer.
    if (!this.options.checkQuorum && this.inner.role === "leader" && this.inner.electionElapsed + 1 >= ELECTION_TICKS) {
      this.inner.electionElapsed = -1;
      this.inner.transferee = undefined;
    }
    this.input((raft) => raft.tick());
  }

  hear(message: RaftMessage): void {
    const { checkQuorum, preVote } = this.options;
    // Without either option nobody answers an old term, and without check-quorum nobody holds on to a leader.
    if (!checkQuorum && !preVote && message.term < this.inner.term) return;
    const asks = message.type === "voteRequest" || message.type === "preVoteRequest";
    const context = asks && !checkQuorum ? new TextEncoder().encode("transfer") : message.context;
    this.input((raft) => raft.step({ ...message, context }));
  }

  hasReady(): boolean {
    return this.unsent.length > 0 || this.raft.hasReady();
  }

  /** Works off one Ready. */
  processReady(): { ready?: Ready; messages: RaftMessage[] } {
    const messages = this.unsent;
    this.unsent = [];
    if (!this.raft.hasReady()) return { messages };
    const ready = this.raft.ready();
    if (ready.hardState) this.hardState = ready.hardState;
    if (ready.snapshot) {
      this.stable = [];
      this.stableOffset = ready.snapshot.index;
      this.content = text(ready.snapshot.data);
    }
    if (ready.entries.length > 0) {
      this.stable.length = ready.entries[0]!.index - 1 - this.stableOffset;
      this.stable.push(...ready.entries);
    }
    for (const entry of ready.committedEntries) if (entry.kind === "normal") this.content += text(entry.data);
    this.input((raft) => raft.advance());
    this.takeSnapshot(KEEP_ALL);
    return { ready, messages: [...messages, ...ready.messagesAfterPersist] };
  }

  /** In the scenarios every applied entry makes a new snapshot, which is what a peer too far behind gets. */
  private takeSnapshot(entriesKept: number): void {
    this.raft.compact(this.inner.log.applied, new TextEncoder().encode(this.content), entriesKept);
  }

  /** `upTo` and everything before it goes. */
  compact(upTo: number): void {
    const { log } = this.inner;
    // The newest snapshot is there already, so only the entries before it go.
    log.compact(log.snapshot!, log.snapshot!.index - upTo);
    this.stable = this.stable.filter(({ index }) => index > upTo);
    this.stableOffset = upTo;
  }
}
