/**
 * What travels between agents and what lies in the journal, as protobuf. Rules for changing it: a field's number is for
 * ever, a new field must have a meaning when absent, and a reader refuses a `version` larger than it knows.
 */
import protobuf from "protobufjs";

const SCHEMA = `
syntax = "proto3";

message ConfState {
  repeated string voters = 1;
  repeated string votersOutgoing = 2;
  repeated string learners = 3;
  repeated string learnersNext = 4;
  bool autoLeave = 5;
  repeated string witnesses = 6;
}
message RaftEntry {
  uint64 index = 1;
  uint64 term = 2;
  bool configuration = 3;
  bytes data = 4;
  bool digest = 5;
}
message HardState {
  uint32 version = 1;
  uint64 term = 2;
  string vote = 3;
  uint64 commit = 4;
}
message RaftSnapshot {
  uint64 index = 1;
  uint64 term = 2;
  ConfState conf = 3;
  bytes data = 4;
}
message RaftMessage {
  uint32 version = 1;
  uint32 type = 2;
  string from = 3;
  string to = 4;
  uint64 term = 5;
  uint64 logTerm = 6;
  uint64 index = 7;
  repeated RaftEntry entries = 8;
  uint64 commit = 9;
  bool reject = 10;
  uint64 rejectHint = 11;
  bytes context = 12;
  optional RaftSnapshot snapshot = 13;
  uint32 electionTicks = 14;
}

message Founder { string nodeId = 1; string name = 2; repeated string addresses = 3; }
message FleetFounded { string fleetId = 1; string name = 2; Founder founder = 3; }
message InviteIssued { string inviteId = 1; string secretHash = 2; double expiresAtMs = 3; }
message NodeAdmitted {
  string inviteId = 1; string nodeId = 2; string name = 3; repeated string addresses = 4; double admittedAtMs = 5;
  bool witness = 6;
}
message NodeRemoved { string nodeId = 1; }
message NodeMoved { string nodeId = 1; repeated string addresses = 2; }
message NodeDrained { string nodeId = 1; bool drained = 2; bool leaving = 3; }
message FleetRecovered { string recoveredBy = 1; repeated string removed = 2; double recoveredAtMs = 3; }
message JobInput { string name = 1; bytes blob = 2; uint64 bytes = 3; }
message JobSubmitted {
  string jobId = 1; string pipeline = 2; string idempotencyKey = 3; repeated JobInput inputs = 4;
  repeated string holders = 5; string submittedBy = 6; double submittedAtMs = 7;
  uint32 priority = 8; uint32 copies = 9; optional double deadlineAtMs = 10; bool staged = 11;
  uint32 cut = 12;
}
message JobCancelled { string jobId = 1; string reason = 2; double cancelledAtMs = 3; }
message ErrorBody { string code = 1; string message = 2; string factsJson = 3; }
message Result {
  string jobId = 1; uint32 item = 2; optional bytes output = 3; uint64 outputBytes = 4; optional ErrorBody error = 5;
  string node = 6; string shardId = 7; double durationMs = 8; double finishedAtMs = 9; repeated string holders = 10;
  optional bytes madeWith = 11; bytes signature = 12; repeated LostAttempt lostAttempts = 13;
  repeated uint32 elements = 14;
}
message LostAttempt {
  string node = 1; string shardId = 2; double leasedAtMs = 3; double endedAtMs = 4; string because = 5; bool isHedge = 6;
}
message ResultsRecorded { uint64 term = 1; repeated Result results = 2; }
message HolderChange { bytes blob = 1; repeated string added = 2; repeated string dropped = 3; }
message HoldersChanged { repeated HolderChange changes = 1; }
message SettingChanged { string name = 1; string value = 2; }
message JobPaused { string jobId = 1; bool paused = 2; }
message JobExpired { string jobId = 1; double expiredAtMs = 2; }
message JobsForgotten { repeated string jobIds = 1; }
message Label { string key = 1; string value = 2; }
message NodeLabelled { string nodeId = 1; repeated Label labels = 2; }
message DrillBegun { string drillId = 1; string startedBy = 2; double startedAtMs = 3; double untilMs = 4; }
message DrillEnded { string drillId = 1; string recordJson = 2; }
message ModelAdded {
  string manifestJson = 1; repeated string holders = 2; uint32 copies = 3; string addedBy = 4; double addedAtMs = 5;
}
message ModelRemoved { string name = 1; uint32 version = 2; }
message ModelAliased { string name = 1; string alias = 2; uint32 version = 3; }
message RuleChanged { string ruleId = 1; string ruleJson = 2; }
message Replicas { string pipeline = 1; repeated string nodes = 2; }
message PlacementDecided { uint64 term = 1; repeated Replicas replicas = 2; string decisionJson = 3; }
message JobPlanned { string jobId = 1; string decisionJson = 2; }
message PipelineAdded { string definitionJson = 1; string addedBy = 2; double addedAtMs = 3; }
message PipelineRemoved { string name = 1; uint32 version = 2; }
message JobFormed { string jobId = 1; string formJson = 2; }
message ResultsLost { string jobId = 1; repeated uint32 items = 2; }
message LedgerEntry {
  uint32 version = 1;
  oneof kind {
    FleetFounded fleetFounded = 2;
    InviteIssued inviteIssued = 3;
    NodeAdmitted nodeAdmitted = 4;
    NodeRemoved nodeRemoved = 5;
    NodeMoved nodeMoved = 6;
    JobSubmitted jobSubmitted = 7;
    JobCancelled jobCancelled = 8;
    ResultsRecorded resultsRecorded = 9;
    HoldersChanged holdersChanged = 10;
    SettingChanged settingChanged = 11;
    NodeDrained nodeDrained = 12;
    FleetRecovered fleetRecovered = 13;
    JobPaused jobPaused = 14;
    JobExpired jobExpired = 15;
    JobsForgotten jobsForgotten = 16;
    NodeLabelled nodeLabelled = 17;
    DrillBegun drillBegun = 18;
    DrillEnded drillEnded = 19;
    ModelAdded modelAdded = 20;
    ModelRemoved modelRemoved = 21;
    ModelAliased modelAliased = 22;
    RuleChanged ruleChanged = 23;
    PlacementDecided placementDecided = 24;
    JobPlanned jobPlanned = 25;
    PipelineAdded pipelineAdded = 26;
    PipelineRemoved pipelineRemoved = 27;
    JobFormed jobFormed = 28;
    ResultsLost resultsLost = 29;
  }
}

message RosterNode {
  string nodeId = 1; string name = 2; repeated string addresses = 3; uint64 admittedAtIndex = 4; bool witness = 5;
  bool drained = 6; bool leaving = 7; repeated Label labels = 8;
}
message RemovedNode { string nodeId = 1; string name = 2; }
message FleetRecovery {
  string recoveredBy = 1; double recoveredAtMs = 2; repeated RemovedNode removed = 3; uint64 atIndex = 4;
}
message LedgerHead {
  uint64 appliedIndex = 1; optional string fleetId = 2; string fleetName = 3; repeated RosterNode roster = 4;
  optional FleetRecovery lastRecovery = 5; uint64 recordingTerm = 6; optional DrillBegun drill = 7;
}
message KeptInvite { string inviteId = 1; string secretHash = 2; double expiresAtMs = 3; optional string usedBy = 4; }
message KeptInvites { repeated KeptInvite invites = 1; }
message KeptSettings { repeated SettingChanged settings = 1; }
message KeptDrill { DrillBegun drill = 1; string recordJson = 2; }
message KeptDrills { repeated KeptDrill drills = 1; }
message IgnoredReport { uint32 item = 1; string node = 2; string shardId = 3; bool ended = 4; uint64 atIndex = 5; }
message KeptJob {
  string jobId = 1; string pipeline = 2; string idempotencyKey = 3; string submittedBy = 4; double submittedAtMs = 5;
  uint64 submittedAtIndex = 6; uint32 state = 7; optional double endedAtMs = 8; uint64 duplicatesIgnored = 9; uint32 items = 10;
  uint32 priority = 11; uint32 copies = 12; optional double deadlineAtMs = 13; repeated IgnoredReport ignoredReports = 14;
  optional string formJson = 15; optional string parent = 16; uint32 segment = 17; bool staged = 18; uint32 runsAgain = 19;
  uint32 cut = 20;
}
message KeptResult {
  optional bytes output = 1; uint64 outputBytes = 2; optional ErrorBody error = 3; uint32 node = 4; string shardId = 5;
  double durationMs = 6; double finishedAtMs = 7; uint64 recordedAtIndex = 8; repeated uint32 holders = 9;
  optional bytes madeWith = 10; bytes signature = 11; repeated LostAttempt lostAttempts = 12;
  repeated uint32 elements = 13; optional SignedTask signedTask = 14;
}
message SignedTask {
  uint32 segment = 1; uint32 item = 2; optional bytes output = 3; uint64 outputBytes = 4; optional string code = 5;
}
message KeptItem {
  string name = 1; bytes blob = 2; uint64 bytes = 3; optional KeptResult result = 4;
  optional KeptTask task = 5;
}
message KeptTask { uint32 item = 1; uint32 from = 2; uint32 to = 3; }
message KeptItems { repeated string nodes = 1; repeated KeptItem items = 2; }
message ItemHolders { repeated uint32 input = 1; repeated uint32 output = 2; }
message KeptHolders { repeated string nodes = 1; repeated ItemHolders holders = 2; }
message LedgerRecord {
  oneof kind { LedgerHead head = 1; KeptInvites invites = 2; KeptJob job = 3; KeptItems items = 4; KeptHolders holders = 5; KeptSettings settings = 6; KeptDrills drills = 7;
    ModelAdded model = 8; ModelAliased alias = 9; RuleChanged rule = 10; PlacementDecided placement = 11; JobPlanned decision = 12;
    PipelineAdded pipeline = 13;
  }
}
message LedgerPiece { string mark = 1; uint32 version = 2; repeated bytes records = 3; }
message SnapshotPiece { bytes hash = 1; uint32 bytes = 2; }
message SnapshotManifest { uint32 version = 1; repeated SnapshotPiece pieces = 2; }

message HardwareFacts {
  string profile = 1; string model = 2; string cpuModel = 3; uint32 cores = 4; string arch = 5;
  uint64 memoryTotalBytes = 6; uint64 memoryUsableBytes = 7; optional double warnC = 8; optional double throttleC = 9;
  repeated string providers = 10; string storage = 11; optional double fsyncMs = 12; optional double writeBytesPerSecond = 13;
  string vector = 14; string inside = 15;
}
message Vitals {
  uint64 memoryFreeBytes = 1; uint64 diskFreeBytes = 2; double cpuLoad = 3; optional double temperatureC = 4; bool throttled = 5;
  optional double temperatureTrendCPerMinute = 6; repeated string slowedBy = 7; string power = 8;
  optional double batteryPercent = 9; optional double frequencyMHz = 10; optional double fanRpm = 11;
  optional int32 utcOffsetMinutes = 12; optional uint64 memoryOwnBytes = 13;
}
message PipelineRate { string pipeline = 1; double itemsPerSecond = 2; string source = 3; }
message CapacityReport {
  uint32 version = 1; string nodeId = 2; string name = 3; string agentVersion = 4; double startedAtMs = 5; uint64 sequence = 6;
  HardwareFacts hardware = 7; Vitals vitals = 8; uint32 executors = 9; repeated PipelineRate rates = 10;
  uint64 itemsQueued = 11; string apiUrl = 12; repeated ModelProfile profiles = 13; repeated LinkSpeed links = 14;
  repeated ModelState models = 15; repeated StageTime stageTimes = 16;
}
message StageTime {
  string pipeline = 1; uint32 stage = 2; double seconds = 3; double outputBytes = 4; optional double elements = 5;
}
message ModelRun { uint32 items = 1; double ms = 2; }
message ModelProfile {
  string pipeline = 1; bytes digest = 2; repeated ModelRun runs = 3; double loadMs = 4; double firstRunMs = 5;
  uint64 memoryPeakBytes = 6; uint64 memorySettledBytes = 7; optional double joulesPerItem = 8; string source = 9;
  optional double predictionError = 10;
}
message LinkSpeed { string nodeId = 1; double bytesPerSecond = 2; }
message ModelState { string pipeline = 1; string state = 2; string reason = 3; uint64 bytesHere = 4; }

message LeasedPart {
  bytes blob = 1; uint64 bytes = 2; bool item = 3; repeated string sources = 4; uint32 from = 5; uint32 to = 6;
  string gap = 7; uint32 elements = 8;
}
message LeasedItem {
  uint32 item = 1; string name = 2; bytes blob = 3; uint64 bytes = 4; repeated LeasedPart parts = 5; bytes basis = 6;
}
message LeaseRequest {
  uint64 term = 1; string shardId = 2; string jobId = 3; string pipeline = 4; repeated LeasedItem items = 5;
  repeated string inputHolders = 6; uint32 copies = 7; optional double itemDeadlineMs = 8; repeated bytes contents = 9;
}
message LeaseAnswer { bool accepted = 1; string reason = 2; }
message TakeBackRequest { uint64 term = 1; repeated string shardIds = 2; string because = 3; }
message ReportRequest { repeated Result results = 1; repeated bytes contents = 2; repeated bytes bases = 3; }
message ReportAnswer { uint64 recordedAtIndex = 1; }
message HeldShard { string shardId = 1; string jobId = 2; repeated uint32 items = 3; repeated bytes bases = 4; }
message HoldingRequest { uint64 term = 1; }
message HoldingAnswer { repeated HeldShard shards = 1; }
message ProposeRequest { bytes entry = 1; }
message ProposeAnswer { uint64 index = 1; uint64 term = 2; }
message CopyRequest { repeated bytes blobs = 1; repeated bytes inline = 2; repeated string from = 3; }
message HeldAnswer { repeated bytes held = 1; string reason = 2; }
message HaveRequest { repeated bytes blobs = 1; }
message PiecesRequest { bytes blob = 1; }
message PiecesAnswer { bool whole = 1; bytes here = 2; bytes coming = 3; }
message ReadSmallRequest { repeated bytes blobs = 1; }
message ReadSmallAnswer { repeated bytes contents = 1; }
message CheckRequest { repeated bytes blobs = 1; }
message CheckAnswer { repeated bytes sound = 1; repeated bytes damaged = 2; repeated bytes missing = 3; }
message RecomputeRequest { string pipeline = 1; string name = 2; bytes blob = 3; repeated string from = 4; }
message RecomputeAnswer { bytes output = 1; bytes inline = 2; optional bytes madeWith = 3; }
message NotedResult { uint32 version = 1; LeaseRequest lease = 2; Result result = 3; }
message NotedRate { uint32 version = 1; uint32 executors = 2; double secondsPerItem = 3; string source = 4; }
message StandOnRequest { repeated bytes blobs = 1; }
message StandOnAnswer { repeated bytes needed = 1; double atMs = 2; }
message DoubtRequest { bytes blob = 1; }
message SnapshotNewsRequest { uint64 index = 1; bool failed = 2; string reason = 3; }
message SnapshotRequest { uint64 index = 1; }
message SnapshotAnswer { optional RaftSnapshot snapshot = 1; }
message PlanShare {
  string nodeId = 1; string name = 2; uint32 items = 3; double itemsPerSecond = 4; string reason = 5; double computeSeconds = 6;
  double transferSeconds = 7; double queueSeconds = 8; double handOverSeconds = 9; optional double derating = 10;
  double endSeconds = 11;
}
message PlanWay { string way = 1; double seconds = 2; uint32 nodes = 3; string name = 4; }
message Plan {
  string jobId = 1; double madeAtMs = 2; uint64 term = 3; repeated PlanShare shares = 4; double expectedSeconds = 5;
  double singleBestSeconds = 6; bool keptWhole = 7; string summary = 8; repeated PlanWay ways = 9; string chosen = 10;
  double boundSeconds = 11;
}
message PredictionError { string nodeId = 1; string pipeline = 2; double median = 3; uint32 shards = 4; }
message Leased { string nodeId = 1; uint32 items = 2; }
message JobNewsRequest { string jobId = 1; }
message JobNewsAnswer { optional Plan plan = 1; repeated Leased leased = 2; repeated PredictionError predictionErrors = 3; }
message StoryRequest { string jobId = 1; }
message StoryAnswer { string storyJson = 1; }
message FleetNewsRequest { uint64 rosterIndex = 1; }
message FleetNews {
  uint64 term = 1; string leader = 2; uint64 appliedIndex = 3; repeated RosterNode roster = 4; ConfState conf = 5;
  uint64 rosterIndex = 6;
}
message SpeedRequest { uint32 bytes = 1; }
message SpeedAnswer { bytes payload = 1; }
message InferRequest { string pipeline = 1; string name = 2; bytes input = 3; double deadlineMs = 4; }
message InferAnswer { bytes output = 1; double durationMs = 2; }
message JsonText { string json = 1; }
message RecordAnswer { optional string jobId = 1; bool existing = 2; }
message DeputyRequest { string call = 1; string argumentsJson = 2; string ticket = 3; uint64 offset = 4; }
message DeputyAnswer { string ticket = 1; bytes piece = 2; uint64 bytes = 3; }
message HandOverRequest { optional string to = 1; }
message HandOverAnswer { string leader = 1; uint64 term = 2; }
message WorkAtRequest { string nodeId = 1; }
message WorkAtAnswer { uint32 items = 1; }
message StandingAnswer {
  uint64 term = 1; uint64 lastTerm = 2; uint64 lastIndex = 3; uint64 commit = 4; uint64 applied = 5; bool leads = 6; bool keepsLog = 7;
}
message FaultRequest { string drillId = 1; uint32 deed = 2; uint32 inMs = 3; uint32 forMs = 4; }
message FaultAnswer { uint32 beginsInMs = 1; string how = 2; }
message Empty {}
`;

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;

export const typeNamed = (name: string): protobuf.Type => root.lookupType(name);
