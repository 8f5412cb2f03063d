import type { LinkView, NodePart, RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, InviteId, NodeId } from "../../shared/ids.ts";

export interface RequestOptions {
  /** From now; default requestDeadlineMs. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** Answers a peer's request. A throw is sent back as an error with its code and facts. */
export type RequestAnswer = (from: NodeId, body: Uint8Array) => Promise<Uint8Array>;

/** Where the bytes of a blob come from when a peer asks, `length` of them at most; `bytes` is the size of the whole. Undefined if it is not here. */
export type BlobSource = (
  hash: BlobHash,
  offset: number,
  length: number,
) => Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> } | undefined>;

export interface FetchOptions {
  offset?: number;
  length?: number;
  signal?: AbortSignal;
}

/** A link went up or down, or became suspect or trusted again. */
export type LinkListener = (link: LinkView) => void;

/** Harm to this node's own network. cut: a pulled cable, nobody is told · slow: every byte is late, each way. */
export type Impairment = { kind: "cut" } | { kind: "slow"; delayMs: number; bytesPerSecond: number };

/** What a joiner says at the door. */
export interface Knock {
  inviteId: InviteId;
  secret: string;
  nodeId: NodeId;
  name: string;
  addresses: string[];
  /** Absent: full. */
  part?: NodePart;
}

/** What it takes home. */
export interface Welcome {
  fleetId: FleetId;
  fleetName: string;
  /** 32 bytes, hex. */
  fleetSecret: string;
  roster: RosterNode[];
}

/**
 * The fleet as this node reaches it. One encrypted connection per pair of nodes; on it one lane for consensus, one for
 * requests, bulk streams beside them. Peers that are not admitted are refused. Nothing here decides anything.
 */
export interface PeerNetwork {
  readonly self: NodeId;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Multiaddrs this node listens on, without `/p2p` and without wildcard addresses. */
  addresses(): string[];
  /**
   * The roster: who may connect, and where to dial them. Called again at each change; peers no longer on it are hung up on.
   * The network keeps dialling those it is not connected to, at these addresses, their last known ones and those the beacon hears.
   */
  admit(roster: readonly RosterNode[]): void;
  links(): LinkView[];
  onLink(listener: LinkListener): void;

  /** Best effort, in order, never blocks. False if it was dropped: no link, or the lane's queue is full. */
  sendConsensus(to: NodeId, message: Uint8Array): boolean;
  onConsensus(listener: (from: NodeId, message: Uint8Array) => void): void;

  /**
   * One request, one answer, at most frameBytesMax each.
   * @throws PEER_UNREACHABLE (no link, or it broke: the request may or may not have been done), DEADLINE_EXCEEDED,
   *   PEER_BUSY, TOO_LARGE, or whatever the peer's answer threw.
   */
  request(to: NodeId, method: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  onRequest(method: string, answer: RequestAnswer): void;

  /**
   * Streams a blob from a peer with back-pressure, from `offset`, `length` bytes or up to its end. Answers with the size of
   * the whole. Not hash-checked here: `Blobs.put` does that.
   * @throws BLOB_MISSING, PEER_UNREACHABLE; the iteration throws PEER_UNREACHABLE when no byte moves for bulkProgressMs.
   */
  fetchBlob(
    from: NodeId,
    hash: BlobHash,
    options?: FetchOptions,
  ): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }>;
  serveBlobs(source: BlobSource): void;

  /** Gossips a small message to every node; best effort, at most gossipBytesMax. */
  publish(message: Uint8Array): void;
  /** `from` signed it and is admitted. */
  onGossip(listener: (from: NodeId, message: Uint8Array) => void): void;

  /**
   * Opens the door for joiners who hold no fleet secret yet: a second listener that takes knocks and nothing else.
   * Closes by itself `openForMs` after the last call. Returns the addresses to print in an invitation (with `/p2p`).
   */
  openDoor(answer: (knock: Knock) => Promise<Welcome>, openForMs: number): Promise<string[]>;

  /** For drills: harms every link of this node, present and to come, until called without. Ends with the process. */
  impair(impairment?: Impairment): void;
}
