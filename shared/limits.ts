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
  /** Bodies of the requests from one peer that are being answered. */
  requestBytesPerPeerMax: 16 * MiB,
  /** Facts of an error on its way to a peer, as JSON. */
  factsBytesMax: 16 * KiB,
  /** An answer of the API that a member gives for a node without the ledger, as JSON, and how much of it goes in one frame. */
  deputyAnswerBytesMax: 32 * MiB,
  deputyPieceBytes: 512 * KiB,
  /** What such a call is given, as JSON: a pipeline, in text, is the most. */
  deputyArgumentsBytesMax: 256 * KiB,
  /** Such answers kept for whoever fetches them piece by piece. */
  deputyAnswersKept: 8,
  /** Blobs asked of one peer at once. */
  bulkPerPeerMax: 8,
  /**
   * Blobs given to one peer at once. More than it asks for: one whose last byte was read is under way here until its stream
   * is closed, and by then the peer asks for the next.
   */
  bulkServedPerPeerMax: 16,
  /** Fetches from one peer that wait for their turn. */
  bulkWaitingPerPeerMax: 256,
  /** Bytes a bulk reader holds before it stops the sender. With the 256 KiB window in flight it stays under libp2p's 4 MiB. */
  bulkReadAheadBytes: 1 * MiB,
  /** A larger blob is fetched in pieces of this size: what a broken transfer, a slow or a lying holder costs at most, and what a node must have before it can serve others. Smaller pieces would each pay for opening a stream. Manifests name pieces of this size. */
  blobPieceBytes: 2 * MiB,
  /** Pieces of one blob under way at once, from all its holders, and blobs that are fetched at once: each piece holds bulkReadAheadBytes. */
  blobPiecesAtOnceMax: 3,
  /** Of a model's file, from all nodes that have some of it and from each of them; each is held until its hash is known. And nodes that are asked what they have. */
  swarmPiecesAtOnceMax: 4,
  swarmPiecesPerNodeMax: 2,
  swarmNodesMax: 16,
  blobFetchesMax: 8,
  /** Blobs that wait for their turn to be fetched. */
  blobFetchesWaitingMax: 10_000,
  /** A larger blob is never held in an agent's memory: it is checked on the disk, then read in chunks, which costs reading it twice. */
  blobHeldBytesMax: 4 * MiB,
  /** Blobs of which some pieces came and no more do, kept for the next try; the oldest go first. */
  arrivalsKeptMax: 16,
  /** A chunk on the bulk lane: small sends cost libp2p most (16 KiB chunks are 2 to 3 times slower). */
  bulkChunkBytes: 256 * KiB,
  /** A bulk transfer in which no byte moved for this long is broken off. */
  bulkProgressMs: 5_000,
  /** Words of a text that a model of texts reads: a long page in one item is a sign that its texts were not taken apart. */
  textWordsMax: 4_096,
  /** Words, and buckets of n-grams, that a vocabulary may have. */
  vocabularyRowsMax: 1_000_000,
  /** One blob. */
  blobBytesMax: 4 * 1024 * MiB,
  /** Blobs up to this size are kept together in a database: thousands of results a second share their fsyncs. Larger ones are files, which a database would only copy about. */
  smallBlobBytesMax: 32 * KiB,
  /** Bytes of small blobs in one fsync, and waiting for theirs before a further put waits with them in its hand. */
  smallBlobsCommitBytesMax: 4 * MiB,
  smallBlobsWaitingBytesMax: 8 * MiB,
  /** Small blobs written lately that are still in memory: some seconds of the smallest results, their inputs and copies. */
  smallBlobsRecentBytesMax: 4 * MiB,
  /** Bytes of small blobs removed before their database is written anew to free the space; and at least half of what is left, so that this never costs more than it frees. */
  smallBlobsRemovedBytesMin: 16 * MiB,
  /** One input of the `ocr` pipeline, encoded. */
  imageBytesMax: 128 * MiB,
  /** Decoded pixels of one image: 100 MP is an A2 page at 600 dpi; three bytes each while it is decoded. */
  imagePixelsMax: 100_000_000,
  /** Tensors that one item of a model takes or gives, all together, in memory: an executor holds them and what the model makes of them. */
  tensorBytesMax: 256 * MiB,
  /** Inputs of one batch, as they came: they go to an executor in one message, which takes the agent's thread a millisecond or two. */
  batchInputBytesMax: 4 * MiB,
  /** Times that loading a model may end an executor before it is taken off: once may be chance, or the memory of that moment. */
  modelLoadDeathsMax: 2,
  /** A model is loaded at least as fast as this, or never: the slowest card, and what onnxruntime makes of what it read. */
  modelLoadBytesPerMsMin: 5_000,
  /** Rounds of one `canary`: some ten seconds of a PC's core and a minute of a small board's, within an executor's deadline. */
  canaryRoundsMax: 10_000_000,
  /** One input of `canary`: a seed of the longest kind, as JSON with every character escaped. */
  canaryInputBytesMax: 2 * KiB,
  /** Items in one job, so that its entry (about 110 bytes an item) stays under entryBytesMax. */
  jobItemsMax: 5_000,
  /** A table of inputs (CSV, JSON lines) is read whole: a job of the largest size, 12 kB an item. And what is told to be wrong in one. */
  tableBytesMax: 64 * MiB,
  inputFaultsMax: 20,
  /** Jobs kept in the ledger that have not ended. */
  jobsOpenMax: 1_000,
  /** One Raft entry. */
  entryBytesMax: 768 * KiB,
  /** Entries that one node sees through at once: what its clients and those who have no ledger wait for. Each is at most an entry in memory. */
  proposalsMax: 2_048,
  /** Name of an input, a node, a fleet. */
  nameBytesMax: 255,
  /** Addresses kept or said for one node. */
  addressesPerNodeMax: 16,
  /** A knock at the door, and the welcome with its nodes and all their addresses. */
  doorFrameBytesMax: 128 * KiB,
  /** Nodes named in a welcome, members first: a joiner asks the first one it reaches for the others. */
  welcomeNodesMax: 64,
  /** Joiners at the door at once. */
  doorGuestsMax: 8,
  /** Wrong knocks in a minute from one host, and four times as many from all, before the door stops listening to it. */
  doorWrongKnocksMax: 5,
  /** Acknowledgements and writes remembered for the pace of elections, and how many tell enough. */
  paceSamplesMax: 64,
  paceSamplesMin: 8,
  /**
   * Nodes in one fleet. Everyone is linked with everyone and hears everyone's reports, so what a node sends and hears for
   * that alone grows with the fleet: with 1,000 nodes some 8,000 small messages a second. Up to some dozens it is nothing;
   * beyond that the boxes must be PCs.
   */
  nodesMax: 1_000,
  /** Room for a node on the roster: its name, and its addresses as they usually are. The whole roster travels in one frame. */
  rosterNodeBytes: 1 * KiB,
  /** Full voters by default; further nodes are workers. */
  votersMax: 5,
  /** A setting's value, and how many names are set at once: all of them go into a snapshot and into one answer of the API. */
  settingBytesMax: 1 * KiB,
  settingsMax: 1_000,
  /** Results handed to Raft in one entry. A failed one carries its error, so this times the two bounds below stays under entryBytesMax. */
  resultsPerEntryMax: 128,
  /** Of a recorded error's sentence and of its facts as JSON; longer ones are cut when they are written. */
  errorMessageBytesMax: 1_024,
  errorFactsBytesMax: 2_048,
  /** Copies of inputs and results, the first included, unless the setting `copies` or the job says otherwise. */
  copiesDefault: 2,
  copiesMax: 9,
  /** The longest a job may say it has. */
  jobDeadlineMsMax: 365 * 24 * 3_600_000,
  /** Of an item, as recorded: the newest, each with a reason of so many bytes. Part of the entry that records the result. */
  lostAttemptsMax: 4,
  becauseBytesMax: 160,
  /** Reports that a job remembers to have ignored; the others are only counted. */
  ignoredReportsKept: 16,
  /** Blobs that a holder reads back in one request, and their bytes together unless it is one alone. */
  checkBlobsMax: 64,
  checkBytesMax: 64 * MiB,
  /** The slowest disk that is waited for when copies are read back: one blob of the largest size within verifyDeadlineMs. */
  checkBytesPerMsMin: 20_000,
  /** Requests of that kind, and items computed again, that wait at one node; each kind is done one after the other. */
  checksWaitingMax: 8,
  recomputesWaitingMax: 8,
  /** An output computed again that is looked into if its hash is another: a page's text is some ten KiB. */
  recomputeInlineBytesMax: 512 * KiB,
  /** Jobs forgotten in one entry. */
  jobsForgottenPerEntryMax: 256,
  /** Their items together, but for a single larger job: each is a blob or two for every box to remove. */
  itemsForgottenPerEntryMax: 10_000,
  /** Blobs that a node has been asked to read again and has not yet, and damaged ones it has not told yet. */
  doubtsMax: 256,
  /** A scrub reads at least so many bytes a second while it runs: a disk of 32 GB in two hours, at a tenth of what a slow card gives. */
  scrubBytesPerSecondMin: 4_000_000,
  labelsPerNodeMax: 16,
  /** Versions of models that a fleet knows at once, aliases, and rules for the planner: all of them go into a snapshot. */
  modelsMax: 256,
  modelAliasesMax: 256,
  rulesMax: 256,
  /** Models that a node tells of in its report, which must stay under gossipBytesMax with all else in it. */
  modelStatesToldMax: 64,
  /** Files of one model, their paths, inputs or outputs of its graph; and its manifest, as JSON. */
  modelFilesMax: 256,
  modelPathBytesMax: 200,
  modelTensorsMax: 128,
  manifestBytesMax: 128 * KiB,
  /** Pipelines a fleet knows at once; their stages, pipelines inside them counted in; and one as JSON, which goes into a snapshot. */
  pipelinesMax: 256,
  pipelineStagesMax: 64,
  pipelineBytesMax: 64 * KiB,
  /** Ports of one pipeline, on each side. */
  pipelinePortsMax: 64,
  /** Rounds of a loop, elements that one run takes together, and how long one run may take: more is a mistake. */
  stageRoundsMax: 10_000,
  stageBatchMax: 1_024,
  stageDeadlineMsMax: 3_600_000,
  /** Faults of one pipeline that are told, and their bytes as JSON: nobody reads more at a time, and they go through as facts of an error. */
  pipelineFaultsMax: 50,
  pipelineFaultsBytesMax: 12 * KiB,
  /** Elements of one list that stages run over: more is a mistake, or a job of its own. */
  fanOutMax: 100_000,
  /** Values that one file of them holds, by key: outputs of all stages of a pipeline at most; and the file, which an executor has in memory with what comes of it. */
  valuesKeysMax: 4_096,
  valuesBytesMax: 256 * MiB,
  /** Elements of one item that on-error rules let pass and that its output tells of; of more than that it is enough to know. */
  skippedToldMax: 1_000,
  /** Tasks of one job, all segments together: what the ledger keeps of each is some hundred bytes. */
  jobTasksMax: 50_000,
  /** Elements in one task: what is lost with it is made again. Tasks and executors in a foretold schedule: a tenth of a second of a small box. */
  elementsPerTaskMax: 4_096,
  /** Parts that tasks of one lease start from: so many fit in a frame. What a task gathers is at most as much. */
  leasedPartsMax: 12_000,
  formWhyBytesMax: 512,
  formTasksMax: 256,
  formExecutorsMax: 64,
  /** Stages whose times a node tells of. */
  stageTimesToldMax: 128,
  /** How a job is cut, as JSON: pipelineStagesMax segments, each of which takes from all before it and names some lists. */
  formBytesMax: 64 * KiB,
  /** Segments that an executor keeps ready; the least used is forgotten first. */
  segmentsInstalledMax: 64,
  /** Data sets of one box, their bytes and rows, all held in memory while a head is fitted; its weights, which go to every box each round. */
  datasetsMax: 32,
  datasetBytesMax: 256 * MiB,
  datasetRowsMax: 200_000,
  fitDimensionsMax: 4_096,
  fitClassesMax: 1_024,
  fitWeightsMax: 65_536,
  fitRoundsMax: 10_000,
  /** Rounds of different candidates that one box works on or holds: a search sends nine at once. */
  fitRoundsWaitingMax: 16,
  /** Models that are being added by one node, or were lately: one is examined at a time, and whoever asks for more is told so. */
  modelAddsMax: 8,
  /** Programs that wait for the solver, and the columns and rows of one: 50 models on 200 nodes are 20,000, and some seconds of a PC's core. */
  solverWaitingMax: 8,
  solverColumnsMax: 60_000,
  /** Models times nodes up to which placements are tried at six demands, and up to which the solver is asked: beyond, its answers are no better and cost a core for seconds. */
  placementSweptPairsMax: 4_000,
  placementSolvedPairsMax: 12_000,
  /** A decision of the planner, as JSON: of a large fleet only the nodes that mattered. Decisions kept of one job, and of all. */
  decisionBytesMax: 48 * KiB,
  placementBytesMax: 256 * KiB,
  decisionsPerJob: 4,
  decisionsKept: 256,
  placementsKept: 4,
  /** Shards of one pipeline on one node whose foretold time is compared with the real one; the newest. And such figures in one answer. */
  predictionsKept: 50,
  predictionErrorsMax: 4_000,
  /** Decisions that a new leader records when it takes over: of the other open jobs the last leader's are kept. */
  decisionsAtTakeover: 16,
  /** Changes thought through at once. */
  whatIfsMax: 8,
  /** Jobs told of in the explanation of a node. */
  explainedJobsMax: 10,
  /** Decisions that a leader remembers of one job, and jobs of which it remembers any: some 15 MB when all is full. */
  storyLinesPerJob: 512,
  storyJobsMax: 128,
  /** Runs of items named in one decision; further items are only counted. */
  storyRangesMax: 32,
  /** A leader's story on its way to whoever asked, as JSON: what does not fit is the oldest. */
  storyBytesMax: 512 * KiB,
  /** Items told of in the story of a whole job. */
  storyItemsMax: 50,
  /** Drills that the ledger remembers, and the size of what each showed, as JSON: all of them go into a snapshot. */
  drillsKept: 20,
  drillRecordBytesMax: 32 * KiB,
  /** Lines of a drill's story: some twenty for each fault. */
  drillLinesMax: 160,
  /** Faults in one drill: every kind there is, and room to repeat some. */
  drillFaultsMax: 8,
  /** Items of one canary job: a few seconds of a small fleet's work, so that what is left when a drill ends is soon done. */
  canariesPerJobMax: 400,
  /** Held back on each side of a connection that a drill cut or slowed, before the sender is stopped as by a full socket. */
  impairedBytesMax: 256 * KiB,
  /** An input that somebody waits for, and its output: it goes from box to box in one frame. A larger one is a job. */
  onlineBytesMax: 960 * KiB,
  /** One question for the speed of a link: large enough to tell a fast one, a quarter of a second of a slow one, and small beside what an agent holds. */
  speedBytesMax: 256 * KiB,
  /** Fleets in which links are measured by asking; in larger ones all questions together would be a load, and transfers tell. */
  speedNodesMax: 32,
  /** Links told of in one report, the newest figures first: 64 bytes each in a gossip message. */
  linksReportedMax: 64,
  /** Blobs that are worth no stream of their own: asked for many in one request, and kept in memory while a worker needs them. */
  smallInHandBytesMax: 4 * KiB,
  smallInHandAskedMax: 128,
  smallInHandKeptBytesMax: 4 * MiB,
  /** Of those, small outputs of stages that go along with one report or lease: a request saved on the way of a lone item; where there are more, they are asked for together. */
  carriedMax: 16,
  /** Items waiting for an executor on one node: a quarter of a job of the largest size; leases keep it far lower. */
  inferenceQueueMax: 1_024,
  /** Their inputs together, in memory: larger ones wait on the disk. */
  inferenceQueueBytesMax: 64 * MiB,
  /** Free space under which a node takes no new copies and no new shards. */
  diskFreeBytesMin: 64 * MiB,
  /**
   * Free space under which the journal refuses a write before it touches the disk, so that its database stays whole: it
   * needs room to move what is in its log (4 MiB) into a table and to merge a few tables (2 MiB each).
   */
  journalFreeBytesMin: 16 * MiB,
  /** Searches of which a box tells what they found, in its memory. */
  tuningsKept: 32,
  /** A note: a result that waits to be handed in, what was measured, a drill under way. */
  noteBytesMax: 64 * KiB,
  /** Results noted because they could not be handed in, all and in one write: as many as a worker can have in hand. */
  notedResultsMax: 5_000,
  notesPerWriteMax: 512,
  /** Bytes handed to the journal and not yet durable. Raft's own windows are far smaller; more means a caller that never waits. */
  journalQueueBytesMax: 64 * MiB,
  /** Bytes in one fsync of the journal, so that what comes first does not wait for all that came later. */
  journalCommitBytesMax: 4 * MiB,
  /** A piece of a snapshot is closed when it is this large: about what is encoded between two turns of the event loop. */
  snapshotPieceBytes: 256 * KiB,
  /** The largest piece there can be: a piece about to be closed, and a record of items that all failed with the longest error. */
  snapshotPieceBytesMax: 1 * MiB,
  /** Pieces of one snapshot: a ledger of 1 GiB. Their names travel in one frame on the consensus lane. */
  snapshotPiecesMax: 4_096,
  /** A snapshot is taken after so many entries, or so many bytes of them; both grow with the size of the last snapshot, so that writing it is never more than writing the log was. */
  snapshotEntriesMin: 2_048,
  snapshotLogBytesMin: 1 * MiB,
  /** Entries kept in memory behind a snapshot, so that a peer a little behind needs none. */
  snapshotEntriesKept: 512,
  snapshotBytesKept: 4 * MiB,
  /** A JSON body to the API: a full job (jobItemsMax inputs of about 450 bytes as JSON) and room for long names. */
  apiBodyBytesMax: 4 * MiB,
  /** Small blobs in one body: as many as cost about what their request does, and few enough to be taken in at once. */
  bundleBytesMax: 1 * MiB,
  bundleBlobsMax: 256,
  /** The largest of them; a larger one is worth a request of its own. */
  bundledBlobBytesMax: 64 * KiB,
  /** Connections to the API: some hundred programs on a LAN that each keep one open, and not the internet. */
  apiConnectionsMax: 512,
  /** Event streams at once. */
  eventStreamsMax: 32,
  /** Bytes waiting in one event stream before the agent stops pushing and lets the reader catch up from the kept events. */
  eventStreamBytesMax: 64 * KiB,
  /** Events kept in memory for the event stream's late comers. */
  eventsKeptMax: 2_000,
} as const;

export const TIMING = {
  /** One Raft tick. */
  tickMs: 100,
  /** Ticks between a leader's heartbeats. */
  heartbeatTicks: 2,
  /** Ticks without a leader before a pre-vote; each node draws from [T, 2T). Three heartbeats lost in a row are a silent leader; one whose connection breaks is noticed at once. */
  electionTicks: 7,
  /** The most that slow disks and links make of it: a leader lost for 3 to 6 s, where an election itself takes one. */
  electionTicksMax: 30,
  /** Patience per cost of an election, so that one that began first is over before most others would begin: their timeouts spread over as much again. */
  electionPaceFactor: 2.5,
  /** From a new measurement to what follows from it and from those that came meanwhile. */
  paceMs: 3_000,
  /** A leader whose journal write takes longer hands leadership on: its heartbeats need no disk, so nobody else would notice. A slow SD card takes a second now and then. */
  diskStallMs: 2_000,
  /** Between two liveness heartbeats on a link. */
  linkHeartbeatMs: 250,
  /** Silence after which a link is suspect: no new leases over it. Three heartbeats. */
  linkSuspectMs: 800,
  /** Silence after which the connection is torn down and dialled anew. */
  linkDownMs: 2_500,
  /** For a new connection to have both lanes and the other side's hello. */
  linkOpenMs: 3_000,
  /** One attempt at one address. A LAN answers in milliseconds; the kernel itself sends its second SYN after 1 s. */
  dialAddressMs: 1_200,
  /** Between two attempts at a peer: doubled from the first to the second, so that a peer that comes back is back soon. */
  redialMinMs: 100,
  redialMaxMs: 1_000,
  /** Between two beacons while a peer is missing, and while none is. */
  beaconMs: 1_000,
  beaconQuietMs: 5_000,
  /** A joiner waits for the fleet to agree on the admission. */
  knockDeadlineMs: 15_000,
  /** Between two capacity reports when nothing changed. */
  capacityReportMs: 3_000,
  /** A node without a report for this long is late; for longer than capacityGoneMs it is gone. */
  capacityLateMs: 7_500,
  capacityGoneMs: 20_000,
  /** How long a link may be down before its node is gone: several redials, and still sooner than by silence alone. */
  linkGoneMs: 10_000,
  /** For an item that somebody waits for: longer than the largest page takes on a small box. */
  onlineDeadlineMs: 25_000,
  /** Between two looks of a node at what is placed on it: of one with the ledger in case it missed something, of another its only way to know. */
  placementNewsMs: 5_000,
  /** Before a model that could not be fetched or loaded is tried again; doubled up to the second figure. */
  modelRetryMs: 2_000,
  modelRetryMaxMs: 300_000,
  /** How long the files of a model stay that is placed here no more: it may come back. */
  modelLetGoMs: 600_000,
  /** Default deadline of a small request to a peer. */
  requestDeadlineMs: 5_000,
  /** How long a client's proposal may wait to be committed before NO_QUORUM is the answer. */
  proposalDeadlineMs: 5_000,
  /** How long a drill holds a fault unless told otherwise: longer than linkDownMs, so that a silent box is given up and not only doubted. */
  drillHoldMs: 5_000,
  drillHoldMsMin: 1_000,
  /** A box that is held for longer is a box that somebody misses. */
  drillHoldMsMax: 60_000,
  /** From the end of a fault until its box takes part in full again: a small board starts and measures itself in half a minute. */
  drillHealMs: 120_000,
  /** For a person to pull a plug, and to put it back. */
  drillUnplugMs: 300_000,
  /** An executor that is not ready by then is killed: loading and warming takes 1 to 2 s on a PC, and many times that on a busy box with a slow card. */
  executorStartMs: 60_000,
  /** Loading and warming a small model, on a busy box; a large one is given more by its bytes. */
  modelLoadMs: 60_000,
  /** From being ready until providers and storage are measured, and again while there is work: a few seconds of a core, once. */
  boxMeasureMs: 10_000,
  /** For one execution provider to make a tiny session: a GPU's libraries are gigabytes, read from a slow card the first time. */
  providerTrialMs: 60_000,
  /** A trial of a choice: loading and one run. A large model from a slow card takes half of it. */
  trialMs: 60_000,
  /** Nothing has been asked of this box for so long before its models are measured: it is done once, and nobody shall feel it. */
  profileQuietMs: 60_000,
  /** Between two looks at whether a model is to be measured. */
  profileLookMs: 5_000,
  /** A search for how a model is best run: by default, at the least and at the most, in seconds of trials; and how long it waits beside real work. */
  tuneSeconds: 60,
  tuneSecondsMin: 10,
  tuneSecondsMax: 3_600,
  /** One round on one box, over all its rows; and how long its thread keeps them in memory for the next. */
  fitRoundMs: 20_000,
  fitIdleMs: 60_000,
  tuneWaitMs: 3_600_000,
  /** Before an executor whose start failed is started again; doubled up to the second figure at each failure. */
  executorRestartMs: 250,
  executorRestartMaxMs: 10_000,
  /** Between two questions of a node without the log for the fleet's news, and after an answer that named no leader. */
  fleetNewsMs: 1_000,
  fleetNewsAgainMs: 150,
  /** How long one call verifies before it answers with what it has; the caller asks for the rest. */
  verifyStretchMs: 5_000,
  /** The same, and the one batch that was begun: the largest blob, or an item that takes its time. */
  verifyDeadlineMs: 260_000,
  /** For an item that is computed again: as long as an executor is given at least, and a wait behind others. */
  recomputeDeadlineMs: 120_000,
  /**
   * From the word that a blob is forgotten or dropped here to its removal. Longer than whoever was told that it is here
   * takes to have that agreed.
   */
  blobLetGoMs: 120_000,
  /** Between two looks at the whole disk; what nothing stands on at two of them goes. Longer than an upload waits for its submit. */
  sweepMs: 3_600_000,
  /** From the end of one reading of the whole disk to the next. */
  scrubMs: 7 * 24 * 3_600_000,
  /** How long the boxes must have stood as they are before surplus copies go: one that flaps would make the others copy for ever. */
  copiesSteadyMs: 60_000,
  /**
   * Between two looks whether the storage became slower: some 60 kB are written for each, 9 MB a day, which wears nothing.
   */
  storageLookMs: 600_000,
  /** Between two looks whether the speed of a link is to be measured, when this box has nothing to do. */
  linkSpeedLookMs: 10_000,
  /** A solver's process from its start to its first word, beyond what a program may take, and without work before it is ended. */
  solverStartMs: 15_000,
  solverLateMs: 1_000,
  solverIdleMs: 60_000,
  /** What the search for a placement may take: 0.98 of the bound is reached within it at 20 models on 100 nodes. */
  placementSolveMs: 4_000,
  /**
   * Between two looks at where models stand; from what asks for a new placement to it, so that several are one; from a box that
   * came, went or fell silent, which may be back by then; and at least between two that only demand asked for.
   */
  placementMs: 45_000,
  placementSoonMs: 500,
  placementFleetMs: 3_000,
  placementDemandMs: 10_000,
  /** How long a node that could not load a model is not given it again. */
  placementFailedMs: 600_000,
  /** How often the leader looks for jobs to forget. */
  retentionMs: 60_000,
  /** How long an invitation lives unless told otherwise. */
  inviteMs: 15 * 60_000,
  /** The longest life of an invitation; a longer one is a password. */
  inviteMsMax: 7 * 24 * 3_600_000,
  /** Between two signs of life on an event stream. */
  eventHeartbeatMs: 5_000,
  /** Silence after which a reader gives an event stream up, and a writer gives up a reader that takes nothing. */
  eventSilenceMs: 20_000,
  /** An upload or a JSON body in which no byte moved for this long is broken off. */
  apiStallMs: 20_000,
  /** Default deadline of a client's call. A submit waits for copies, so it gets apiSubmitMs. */
  apiDeadlineMs: 30_000,
  apiSubmitMs: 300_000,
  /** A model is loaded and run within this, or refused: gigabytes from a slow card take a minute, a loader that hangs takes for ever. */
  modelExamineMs: 180_000,
  /** Longest that a call about a model which is being added waits for its next step; the caller then asks again. */
  modelAddWaitMs: 1_000,
  /** From a model's upload until it is agreed on, by whoever waits: examined with its int8 variant, and copied over a slow link. */
  modelAddMs: 1_800_000,
} as const;

const mustHold: [boolean, string][] = [
  [LIMITS.entryBytesMax < LIMITS.frameBytesMax, "an entry fits in a frame"],
  [
    LIMITS.resultsPerEntryMax *
      (1_088 +
        LIMITS.errorMessageBytesMax +
        LIMITS.errorFactsBytesMax +
        LIMITS.lostAttemptsMax * (160 + LIMITS.becauseBytesMax)) <
      LIMITS.entryBytesMax,
    "an entry full of failures fits",
  ],
  [
    LIMITS.formBytesMax * 2 < LIMITS.entryBytesMax,
    "a form fits in an entry, and with its job in a record of a snapshot",
  ],
  [LIMITS.placementBytesMax * 2 < LIMITS.entryBytesMax, "a placement and its reasons fit in an entry"],
  [LIMITS.manifestBytesMax * 2 < LIMITS.entryBytesMax, "a manifest fits in an entry"],
  [LIMITS.placementBytesMax + 4 * KiB < LIMITS.snapshotPieceBytesMax, "a placement fits in a piece of a snapshot"],
  [LIMITS.nodesMax * LIMITS.rosterNodeBytes <= LIMITS.frameBytesMax, "the roster fits in a frame"],
  [
    LIMITS.nodesMax * LIMITS.rosterNodeBytes <= LIMITS.snapshotPieceBytesMax,
    "the roster fits in a piece of a snapshot",
  ],
  [LIMITS.welcomeNodesMax * LIMITS.rosterNodeBytes < LIMITS.doorFrameBytesMax, "a welcome fits in a frame at the door"],
  [LIMITS.journalFreeBytesMin < LIMITS.diskFreeBytesMin, "blobs leave room for the journal"],
  [LIMITS.entryBytesMax < LIMITS.journalCommitBytesMax, "an entry fits in a commit of the journal"],
  [LIMITS.snapshotPiecesMax * 64 < LIMITS.entryBytesMax, "the names of a snapshot's pieces fit in a frame"],
  [
    LIMITS.snapshotPieceBytes + 64 * (1_024 + LIMITS.errorMessageBytesMax * 3 + LIMITS.errorFactsBytesMax) <
      LIMITS.snapshotPieceBytesMax,
    "a record of failures fits in a piece",
  ],
  [
    LIMITS.smallInHandAskedMax * (LIMITS.smallInHandBytesMax + 64) < LIMITS.frameBytesMax,
    "small inputs fit in a frame",
  ],
  [
    LIMITS.carriedMax * LIMITS.smallInHandBytesMax <= 64 * KiB,
    "what is carried leaves a frame to what it goes along with",
  ],
  [LIMITS.bundledBlobBytesMax < LIMITS.bundleBytesMax, "a blob of a bundle fits in one"],
  [LIMITS.blobHeldBytesMax * 2 < LIMITS.inferenceQueueBytesMax, "an input that is held may wait"],
  [LIMITS.smallBlobBytesMax < LIMITS.blobPieceBytes, "what comes in pieces is a file"],
  [2 * LIMITS.bulkPerPeerMax <= LIMITS.bulkServedPerPeerMax, "a peer that asks as it may is not refused"],
  [LIMITS.frameBytesMax < 4 * MiB, "a frame fits in libp2p's read buffer"],
  [TIMING.heartbeatTicks * 3 <= TIMING.electionTicks, "three heartbeats may be lost before an election"],
  [TIMING.electionTicks < TIMING.electionTicksMax, "patience has room to grow"],
  [
    TIMING.electionTicksMax * TIMING.tickMs < TIMING.proposalDeadlineMs,
    "a lost leader is missed before a client gives up",
  ],
  [LIMITS.paceSamplesMin < LIMITS.paceSamplesMax, "enough measurements are remembered to count"],
  [TIMING.linkHeartbeatMs * 3 <= TIMING.linkSuspectMs, "three link heartbeats may be lost before suspicion"],
  [TIMING.linkSuspectMs < TIMING.linkDownMs, "a link is suspect before it is down"],
  [
    LIMITS.fitWeightsMax * 11 + LIMITS.fitClassesMax * LIMITS.nameBytesMax < LIMITS.frameBytesMax,
    "weights and labels fit in a frame",
  ],
  [TIMING.fitRoundMs < TIMING.apiDeadlineMs, "a client outwaits a round"],
  [LIMITS.onlineBytesMax + 16 * KiB < LIMITS.frameBytesMax, "an online input fits in a frame"],
  [TIMING.onlineDeadlineMs < TIMING.apiDeadlineMs, "a client outwaits an online request"],
  [LIMITS.speedBytesMax + 1024 < LIMITS.frameBytesMax, "an answer about a link's speed fits in a frame"],
  [LIMITS.linksReportedMax * 64 < LIMITS.gossipBytesMax / 4, "links leave room in a report"],
  [LIMITS.storyBytesMax + 1024 < LIMITS.frameBytesMax, "a story fits in a frame"],
  [LIMITS.deputyPieceBytes + 1024 < LIMITS.frameBytesMax, "a deputy's piece fits in a frame"],
  [LIMITS.frameBytesMax <= LIMITS.laneQueueBytesMax, "a frame fits in a lane's queue"],
  [
    LIMITS.bulkReadAheadBytes + 2 * LIMITS.bulkChunkBytes < 4 * MiB,
    "what a paused reader holds fits in libp2p's buffer",
  ],
  [TIMING.proposalDeadlineMs < TIMING.knockDeadlineMs, "a joiner outwaits the proposal that admits it"],
  [TIMING.linkDownMs + TIMING.linkGoneMs < TIMING.capacityGoneMs, "a cut link is told sooner than silence"],
  [TIMING.linkDownMs < TIMING.drillHoldMs, "a fault of a drill lasts until it is noticed"],
  [TIMING.capacityLateMs < TIMING.capacityGoneMs, "a node is late before it is gone"],
  [
    TIMING.eventHeartbeatMs * 3 < TIMING.eventSilenceMs,
    "three event heartbeats may be lost before a stream is given up",
  ],
  [LIMITS.eventStreamsMax < LIMITS.apiConnectionsMax, "event streams leave connections for calls"],
  [
    TIMING.verifyStretchMs + LIMITS.blobBytesMax / LIMITS.checkBytesPerMsMin + TIMING.requestDeadlineMs <
      TIMING.verifyDeadlineMs,
    "the largest blob is read back in one call",
  ],
  [
    TIMING.verifyStretchMs + TIMING.recomputeDeadlineMs + TIMING.requestDeadlineMs < TIMING.verifyDeadlineMs,
    "an item is computed again in one call",
  ],
  [2 * TIMING.modelExamineMs < TIMING.modelAddMs, "a model is examined while its adding is waited for"],
  [TIMING.modelAddWaitMs < TIMING.apiDeadlineMs, "a client outwaits a step of adding a model"],
  [TIMING.verifyDeadlineMs < TIMING.apiSubmitMs, "a client outwaits a verification"],
  [LIMITS.recomputeInlineBytesMax + 1_024 < LIMITS.frameBytesMax, "an output to look into fits in a frame"],
  [
    1_024 + 2 * LIMITS.nameBytesMax + 3 * LIMITS.errorMessageBytesMax + 3 * LIMITS.errorFactsBytesMax <
      LIMITS.noteBytesMax,
    "a failed result fits in a note",
  ],
  [LIMITS.pipelineFaultsBytesMax + 1_024 < LIMITS.factsBytesMax, "the faults of a pipeline reach whoever asked"],
  [3 * LIMITS.pipelineBytesMax < LIMITS.deputyArgumentsBytesMax, "a pipeline can be handed to a member"],
  [TIMING.inviteMs <= TIMING.inviteMsMax, "the default invitation is allowed"],
  [TIMING.proposalDeadlineMs * 4 < TIMING.blobLetGoMs, "what is being agreed on is not removed meanwhile"],
  [TIMING.blobLetGoMs < TIMING.sweepMs, "what was told to go goes before what is only found"],
  [TIMING.capacityReportMs * 2 < TIMING.capacityLateMs, "two reports may be lost before a node is late"],
];
for (const [holds, what] of mustHold) if (!holds) throw new Error(`shared/limits.ts: broken relation: ${what}`);
