/** What agents ask of one another on the request lane, as data: method name, question, answer. */
import type { FaultDeed } from "./drill.ts";
import type { DatasetView } from "./fitting/dataset.ts";
import type { FitPart, FitRoundRequest } from "./fitting/wire.ts";
import type { PredictionError, RosterNode } from "./fleet.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "./ids.ts";
import type { Plan } from "./plan.ts";
import type { ConfState, LogIndex, RaftSnapshot } from "./raft.ts";
import type { Standing } from "./recovery.ts";
import type { ReportedResult } from "./wire/results.ts";

export interface LeasedItem {
  item: number;
  name: string;
  /** Its input; of a task of a segment the input of its item, whether or not it takes it. */
  blob: BlobHash;
  bytes: number;
  /** Of a task of a segment: all that it starts from. */
  parts?: LeasedPart[];
  /**
   * Of a task that is leased before what it starts from is agreed on: a digest of that. Its worker tells it with the result
   * and with what it holds, and nothing of it is recorded unless the ledger came to say the same.
   */
  basis?: BlobHash;
}

export type LeasedPart =
  /** The item's input. */
  | { kind: "item"; blob: BlobHash; bytes: number }
  /** What another segment gave; of the lists `sources`, as far as it has them, only the elements from `from` to before `to`. */
  | { kind: "values"; blob: BlobHash; bytes: number; slice?: { sources: string[]; from: number; to: number } }
  | { kind: "gap"; segment: string; elements: number };

/** Leader to worker: compute these items. The lease lives in the leader's memory; the worker keeps it until done or taken back. */
export interface Lease {
  term: number;
  shardId: ShardId;
  jobId: JobId;
  pipeline: string;
  items: LeasedItem[];
  /** Who held the inputs when the lease was made, nearest first. */
  inputHolders: NodeId[];
  /** Copies each output needs before it is reported, the worker's own included. */
  copies: number;
  /** After how long a run of one item is hung, by what its runs took so far; absent: by the worker's own guess. */
  itemDeadlineMs?: number;
}

/** Small outputs of stages that go along with the word of them, so that whoever goes on need not ask for them; what they are tells their hash. */
export interface Carried {
  contents?: Uint8Array[];
}

/** A worker's word on a lease it still has. */
export interface HeldShard {
  shardId: ShardId;
  jobId: JobId;
  items: number[];
  /** For each item the basis of its lease, where any has one. */
  bases?: (BlobHash | undefined)[];
}

/** What a node must know of the fleet and cannot read from a log of its own. */
export interface FleetNews {
  term: number;
  leader?: NodeId;
  /** How far the ledger was applied where this comes from. */
  appliedIndex: number;
  /** Where in the log the roster changed last. */
  rosterIndex: number;
  /** Absent if the asker has it as it was there: in a large fleet it is nearly all there is to tell. */
  roster?: RosterNode[];
  conf: ConfState;
}

export interface PeerRequests {
  lease: { question: Lease & Carried; answer: { accepted: boolean; reason: string } };
  takeBack: { question: { term: number; shardIds: ShardId[]; because: string }; answer: Record<string, never> };
  /** Worker to leader. Answered once the results are recorded (committed and applied at the leader). */
  report: {
    /** `bases`: for each result the basis of its lease, where any has one. */
    question: { results: ReportedResult[]; bases?: (BlobHash | undefined)[] } & Carried;
    answer: { recordedAtIndex: number };
  };
  /** A new leader to every worker. */
  holding: { question: { term: number }; answer: { shards: HeldShard[] } };
  /** Any node to the leader: a ledger entry to propose. The asker waits for it to be applied on its own ledger. */
  propose: { question: { entry: Uint8Array }; answer: { index: number; term: number } };
  /** Make copies of these blobs; small ones come along, the others are fetched from one of `from`. */
  copy: {
    question: { blobs: BlobHash[]; inline: Uint8Array[]; from: NodeId[] };
    answer: { held: BlobHash[]; reason: string };
  };
  /** The bytes of these blobs, in their order, of at most smallInHandBytesMax each; empty for one that is not there or is larger. */
  readSmall: { question: { blobs: BlobHash[] }; answer: { contents: Uint8Array[] } };
  /** Which of these blobs are on your disk? */
  have: { question: { blobs: BlobHash[] }; answer: { held: BlobHash[] } };
  /** Which pieces of this blob do you have? Of one that is here whole: none but the word. A byte of 1 for each piece that is. */
  pieces: { question: { blob: BlobHash }; answer: { whole: boolean; here: Uint8Array; coming: Uint8Array } };
  /** Which of these blobs must stay on the asker's disk? Also what time it is there. @throws NOT_A_MEMBER, NO_QUORUM */
  standOn: { question: { blobs: BlobHash[] }; answer: { needed: BlobHash[]; atMs: number } };
  /** The bytes you served under this hash are others: read your copy again. Answered before that is done. */
  doubt: { question: { blob: BlobHash }; answer: Record<string, never> };
  /** Receiver of a snapshot to its sender: its pieces are still being fetched, or could not be. */
  snapshotNews: { question: { index: LogIndex; failed: boolean; reason: string }; answer: Record<string, never> };
  /** Read these from your disk, whole, and hash them. A damaged one is set aside. @throws PEER_BUSY */
  check: {
    question: { blobs: BlobHash[] };
    answer: { sound: BlobHash[]; damaged: BlobHash[]; missing: BlobHash[] };
  };
  /**
   * Run this input and tell what comes of it, for nobody's record. `inline` is empty for an output that is too large to be
   * looked into. @throws PEER_BUSY, and what a run throws
   */
  recompute: {
    question: { pipeline: string; name: string; blob: BlobHash; from: NodeId[] };
    answer: { output: BlobHash; inline: Uint8Array; madeWith?: BlobHash };
  };
  /** The newest snapshot that your journal holds. If it does not reach up to `index`, ask again a little later. */
  snapshot: { question: { index: LogIndex }; answer: { snapshot?: RaftSnapshot } };
  /** Any node to the leader: hand the leadership to `to`, or to the best successor. Answered by the old leader once it knows the new one. */
  handOver: { question: { to?: NodeId }; answer: { leader: NodeId; term: number } };
  /** Any node to the leader: how many items it has leased to a node. */
  workAt: { question: { nodeId: NodeId }; answer: { items: number } };
  /** How far your log goes; asked when the fleet may have lost its quorum for good. */
  standing: { question: Record<string, never>; answer: Standing };
  /** What only the leader knows of a job. */
  jobNews: {
    question: { jobId: JobId };
    answer: {
      plan?: Plan;
      leased: { nodeId: NodeId; items: number }[];
      predictionErrors: (PredictionError & { nodeId: NodeId })[];
    };
  };
  /** So many bytes, of no meaning: the asker measures how fast they come. @throws PEER_BUSY while there is work to do */
  speed: { question: { bytes: number }; answer: { payload: Uint8Array } };
  /** Run this now; somebody waits for it. @throws as InferenceEngine.run */
  infer: {
    question: { pipeline: string; name: string; input: Uint8Array; deadlineMs: number };
    answer: { output: Uint8Array; durationMs: number };
  };
  /** Which data sets of that name are on your disk: their shape and labels, never rows. */
  fitPlaces: { question: { dataset: string }; answer: { datasets: DatasetView[] } };
  /** One round of training on the rows of your disk. @throws as Fitting.round */
  fitRound: { question: { request: FitRoundRequest }; answer: { part: FitPart } };
  /** Why everything was done for a job, as the leader knows it: a LeaderStory as JSON. */
  story: { question: { jobId: JobId }; answer: { storyJson: string } };
  /** A node without the ledger to one that holds it, with the `rosterIndex` of the roster that it has, or 0. @throws NOT_A_MEMBER */
  fleetNews: { question: { rosterIndex: number }; answer: FleetNews };
  /** The same: an entry to be proposed. Answered once it is applied there, with what the ledger made of it. */
  record: { question: { entry: Uint8Array }; answer: { jobId?: JobId; existing?: boolean } };
  /**
   * The same: a call of the API. The answer is JSON; one that does not fit in a frame is kept there under a ticket, and
   * fetched piece by piece.
   */
  deputy: {
    question: { call: string; argumentsJson: string; ticket: string; offset: number };
    answer: { ticket: string; piece: Uint8Array; bytes: number };
  };
  /**
   * The box that coordinates a drill to a box that shall suffer one fault of it. Answered when everything that ends the
   * fault stands, before it begins. @throws DRILL_REFUSED if the ledger knows of no such drill by the asker.
   */
  fault: {
    question: { drillId: string; deed: FaultDeed; inMs: number; forMs: number };
    answer: { beginsInMs: number; how: string };
  };
}

export type PeerMethod = keyof PeerRequests;
export type Question<M extends PeerMethod> = PeerRequests[M]["question"];
export type Answer<M extends PeerMethod> = PeerRequests[M]["answer"];
