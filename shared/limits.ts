/**
 * Every bound of the system, with what it trades. Relations between bounds are asserted when this file loads, so a
 * change that breaks one stops the agent (and every test) at once instead of a fleet a month later.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  /** A frame on the consensus or request lane. Larger things are blobs on the bulk lane, so that a heartbeat never waits behind them. */
  frameBytesMax: 1 * MiB,
  /** A gossip message. Facts only; gossipsub queues are dropped silently when they fill. */
  gossipBytesMax: 32 * KiB,
  /** Bytes waiting to be sent to one peer on one lane before the lane refuses more. */
  laneQueueBytesMax: 8 * MiB,
  /** Requests in flight to one peer. */
  requestsPerPeerMax: 256,
  /** Blob transfers at once with one peer, each way. */
  bulkPerPeerMax: 8,
  /** A chunk on the bulk lane: small sends cost libp2p most (16 KiB chunks are 2 to 3 times slower). */
  bulkChunkBytes: 256 * KiB,
  /** A bulk transfer in which no byte moved for this long is broken off. */
  bulkProgressMs: 5_000,
  /** One blob. */
  blobBytesMax: 4 * 1024 * MiB,
  /** One input of the `ocr` pipeline, encoded. */
  imageBytesMax: 128 * MiB,
  /** Decoded pixels of one image: 100 MP is an A2 page at 600 dpi; three bytes each while it is decoded. */
  imagePixelsMax: 100_000_000,
  /** Items in one job, so that its entry (about 110 bytes an item) stays under entryBytesMax. */
  jobItemsMax: 5_000,
  /** Jobs kept in the ledger that have not ended. */
  jobsOpenMax: 1_000,
  /** One Raft entry. */
  entryBytesMax: 768 * KiB,
  /** Name of an input, a node, a fleet. */
  nameBytesMax: 255,
  /** Nodes in one fleet. */
  nodesMax: 64,
  /** Voters by default; further nodes are learners. */
  votersMax: 5,
  /** Results handed to Raft in one entry. */
  resultsPerEntryMax: 256,
  /** Copies of inputs and results, the first included. */
  copiesDefault: 2,
  /** Free space under which a node takes no new copies and no new shards. */
  diskFreeBytesMin: 64 * MiB,
  /**
   * Free space under which the journal refuses a write before it touches the disk, so that its database stays whole: it
   * needs room to move what is in its log (4 MiB) into a table and to merge a few tables (2 MiB each).
   */
  journalFreeBytesMin: 16 * MiB,
  /** Bytes handed to the journal and not yet durable. Raft's own windows are far smaller; more means a caller that never waits. */
  journalQueueBytesMax: 64 * MiB,
  /** Bytes in one fsync of the journal, so that what comes first does not wait for all that came later. */
  journalCommitBytesMax: 4 * MiB,
  /** Events kept in memory for the event stream's late comers. */
  eventsKeptMax: 2_000,
} as const;

export const TIMING = {
  /** One Raft tick. */
  tickMs: 50,
  /** Ticks between a leader's heartbeats. */
  heartbeatTicks: 2,
  /** Ticks without a leader before a pre-vote; each node draws from [T, 2T). Ten heartbeats lost in a row are a dead leader, not a busy one. */
  electionTicks: 10,
  /** Between two liveness heartbeats on a link. */
  linkHeartbeatMs: 250,
  /** Silence after which a link is suspect: no new leases over it. Three heartbeats. */
  linkSuspectMs: 800,
  /** Silence after which the connection is torn down and dialled anew. */
  linkDownMs: 2_500,
  /** Between two capacity reports when nothing changed. */
  capacityReportMs: 3_000,
  /** A node without a report for this long is late; for longer than capacityGoneMs it is gone. */
  capacityLateMs: 7_500,
  capacityGoneMs: 20_000,
  /** Default deadline of a small request to a peer. */
  requestDeadlineMs: 5_000,
  /** How long a client's proposal may wait to be committed before NO_QUORUM is the answer. */
  proposalDeadlineMs: 5_000,
  /** How long an invitation lives unless told otherwise. */
  inviteMs: 15 * 60_000,
} as const;

const mustHold: [boolean, string][] = [
  [LIMITS.entryBytesMax < LIMITS.frameBytesMax, "an entry fits in a frame"],
  [LIMITS.journalFreeBytesMin < LIMITS.diskFreeBytesMin, "blobs leave room for the journal"],
  [LIMITS.entryBytesMax < LIMITS.journalCommitBytesMax, "an entry fits in a commit of the journal"],
  [LIMITS.frameBytesMax < 4 * MiB, "a frame fits in libp2p's read buffer"],
  [TIMING.heartbeatTicks * 3 <= TIMING.electionTicks, "three heartbeats may be lost before an election"],
  [TIMING.linkHeartbeatMs * 3 <= TIMING.linkSuspectMs, "three link heartbeats may be lost before suspicion"],
  [TIMING.linkSuspectMs < TIMING.linkDownMs, "a link is suspect before it is down"],
  [TIMING.capacityReportMs * 2 < TIMING.capacityLateMs, "two reports may be lost before a node is late"],
];
for (const [holds, what] of mustHold) if (!holds) throw new Error(`shared/limits.ts: broken relation: ${what}`);
