import { checkRecord } from "../checks.ts";
import { FAULT_DEEDS } from "../drill.ts";
import { checkDatasetName } from "../fitting/dataset.ts";
import { checkFitRound, readDatasetViews, readFitPart } from "../fitting/wire.ts";
import type { PredictionError } from "../fleet.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../ids.ts";
import { LIMITS, TIMING } from "../limits.ts";
import type { Answer, Carried, HeldShard, Lease, LeasedPart, PeerMethod, Question } from "../peer-requests.ts";
import { type Plan, WAYS, type Way } from "../plan.ts";
import {
  checkCount,
  checkFinite,
  checkList,
  checkNodeId,
  checkNodeIds,
  checkText,
  codec,
  type Fields,
  hashFromBytes,
  hashToBytes,
  invalid,
} from "./codec.ts";
import { checkFleetNews, fleetNewsFields } from "./news.ts";
import { checkSnapshot } from "./raft.ts";
import { checkResult, resultFields } from "./results.ts";

interface Half<T> {
  encode(value: T): Uint8Array;
  /** @throws FRAME_INVALID */
  decode(bytes: Uint8Array): T;
}
type Wire = { [M in PeerMethod]: { question: Half<Question<M>>; answer: Half<Answer<M>> } };

function half<T>(type: string, write: (value: T) => object, read: (fields: Fields) => T): Half<T> {
  const wire = codec(type);
  return { encode: (value) => wire.encode(write(value)), decode: (bytes) => read(wire.decode(bytes)) };
}

/** What is JSON already on its way to the API. */
function jsonHalf<T>(read: (value: unknown) => T): Half<T> {
  return half(
    "JsonText",
    (value: T) => ({ json: JSON.stringify(value) }),
    (f) => {
      try {
        return read(JSON.parse(checkText(f.json, "json", LIMITS.frameBytesMax)));
      } catch (error) {
        throw invalid(error instanceof Error ? error.message : String(error));
      }
    },
  );
}

const SHARDS_MAX = 1_024;
const BLOBS_MAX = LIMITS.jobItemsMax;
const hashes = (value: unknown): BlobHash[] => checkList(value, "blobs", BLOBS_MAX, (b) => hashFromBytes(b, "blob"));
const bytesList = (blobs: BlobHash[]): Uint8Array[] => blobs.map(hashToBytes);
const shardId = (value: unknown): ShardId => checkText(value, "shard id") as ShardId;
const jobId = (value: unknown): JobId => checkText(value, "job id") as JobId;
const item = (value: unknown): number => checkCount(value, "item", LIMITS.jobTasksMax);
const empty = half<Record<string, never>>(
  "Empty",
  () => ({}),
  () => ({}),
);

export function leaseFields(lease: Lease): object {
  return {
    ...lease,
    items: lease.items.map(({ parts, basis, ...leased }) => ({
      ...leased,
      ...(basis ? { basis: hashToBytes(basis) } : {}),
      blob: hashToBytes(leased.blob),
      ...(parts ? { parts: parts.map(partFields) } : {}),
    })),
  };
}

function partFields(part: LeasedPart): object {
  if (part.kind === "gap") return { gap: part.segment, elements: part.elements };
  const about = { blob: hashToBytes(part.blob), bytes: part.bytes };
  return part.kind === "item" ? { ...about, item: true } : { ...about, ...part.slice };
}

function readPart(value: unknown): LeasedPart {
  const f = value as Fields;
  const gap = checkText(f.gap, "segment");
  if (gap !== "") return { kind: "gap", segment: gap, elements: checkCount(f.elements, "elements", LIMITS.fanOutMax) };
  const blob = hashFromBytes(f.blob, "part");
  const bytes = checkCount(f.bytes, "part's bytes", LIMITS.blobBytesMax);
  if (f.item) return { kind: "item", blob, bytes };
  const from = checkCount(f.from, "from", LIMITS.fanOutMax);
  const to = checkCount(f.to, "to", LIMITS.fanOutMax);
  const sources = checkList(f.sources, "sources", LIMITS.pipelineStagesMax, (key) => checkText(key, "source"));
  if (to > 0 && to <= from) throw invalid("a slice ends before it begins");
  return { kind: "values", blob, bytes, ...(to > 0 && { slice: { sources, from, to } }) };
}

export function readLease(f: Fields): Lease {
  return {
    term: checkCount(f.term, "term"),
    shardId: shardId(f.shardId),
    jobId: jobId(f.jobId),
    pipeline: checkText(f.pipeline, "pipeline"),
    items: checkList(f.items, "items", LIMITS.jobItemsMax, (value) => {
      const leased = value as Fields;
      return {
        item: item(leased.item),
        name: checkText(leased.name, "input name"),
        blob: hashFromBytes(leased.blob, "input blob"),
        bytes: checkCount(leased.bytes, "input bytes", LIMITS.blobBytesMax),
        ...readParts(leased.parts),
        ...readBasis(leased.basis),
      };
    }),
    inputHolders: checkNodeIds(f.inputHolders, "input holders"),
    copies: checkCount(f.copies, "copies", LIMITS.nodesMax),
    ...(f.itemDeadlineMs === undefined ? {} : { itemDeadlineMs: checkDeadline(f.itemDeadlineMs) }),
  };
}

/** Every task of a segment starts from something. */
function readParts(value: unknown): { parts?: LeasedPart[] } {
  const parts = checkList(value, "parts", LIMITS.jobTasksMax, readPart);
  return parts.length > 0 ? { parts } : {};
}

function readBasis(value: unknown): { basis?: BlobHash } {
  return value instanceof Uint8Array && value.length > 0 ? { basis: hashFromBytes(value, "basis") } : {};
}

/** None at all where none has one. */
const basesFields = (bases: readonly (BlobHash | undefined)[] = []): Uint8Array[] =>
  bases.map((basis) => (basis ? hashToBytes(basis) : new Uint8Array()));

function readBases(value: unknown, count: number): { bases?: (BlobHash | undefined)[] } {
  const bases = checkList(value, "bases", BLOBS_MAX, (basis) => readBasis(basis).basis);
  if (bases.length > 0 && bases.length !== count) throw invalid("there is one basis for each");
  return bases.length > 0 ? { bases } : {};
}

function carried(value: unknown): Carried {
  const contents = checkList(value, "contents", LIMITS.carriedMax, (bytes) => bytes as Uint8Array);
  if (contents.some(({ length }) => length > LIMITS.smallInHandBytesMax)) throw invalid("what is carried is not small");
  return contents.length > 0 ? { contents } : {};
}

function checkDeadline(value: unknown): number {
  const deadlineMs = checkFinite(value, "item deadline");
  if (deadlineMs <= 0) throw invalid("an item deadline is not above 0");
  return deadlineMs;
}

function readHeld(value: unknown): HeldShard {
  const f = value as Fields;
  const items = checkList(f.items, "items", LIMITS.jobItemsMax, item);
  return { shardId: shardId(f.shardId), jobId: jobId(f.jobId), items, ...readBases(f.bases, items.length) };
}

function readPlan(f: Fields): Plan {
  return {
    jobId: jobId(f.jobId),
    madeAtMs: checkFinite(f.madeAtMs, "madeAtMs"),
    term: checkCount(f.term, "term"),
    shares: checkList(f.shares, "shares", LIMITS.nodesMax, (value) => {
      const share = value as Fields;
      return {
        nodeId: checkNodeId(share.nodeId, "node"),
        name: checkText(share.name, "name"),
        items: item(share.items),
        itemsPerSecond: checkFinite(share.itemsPerSecond, "rate"),
        reason: checkText(share.reason, "reason", 1_024),
        computeSeconds: checkFinite(share.computeSeconds, "computeSeconds"),
        transferSeconds: checkFinite(share.transferSeconds, "transferSeconds"),
        queueSeconds: checkFinite(share.queueSeconds, "queueSeconds"),
        handOverSeconds: checkFinite(share.handOverSeconds, "handOverSeconds"),
        derating: share.derating === undefined ? 1 : checkFinite(share.derating, "derating"),
        endSeconds: checkFinite(share.endSeconds, "endSeconds"),
      };
    }),
    expectedSeconds: checkFinite(f.expectedSeconds, "expectedSeconds"),
    singleBestSeconds: checkFinite(f.singleBestSeconds, "singleBestSeconds"),
    keptWhole: f.keptWhole as boolean,
    summary: checkText(f.summary, "summary", 4_096),
    ways: checkList(f.ways, "ways", WAYS.length, (value) => {
      const one = value as Fields;
      const name = checkText(one.name, "name");
      return {
        way: wayOf(one.way),
        seconds: checkFinite(one.seconds, "seconds"),
        nodes: checkCount(one.nodes, "nodes", LIMITS.nodesMax),
        ...(name !== "" && { name }),
      };
    }),
    // Of an agent that did not compare them.
    chosen: f.chosen === "" ? (f.keptWhole ? "one" : "split") : wayOf(f.chosen),
    boundSeconds: checkFinite(f.boundSeconds, "boundSeconds"),
  };
}

function wayOf(value: unknown): Way {
  const way = WAYS.find((one) => one === value);
  if (!way) throw invalid("a way of splitting is not known");
  return way;
}

const readPredictionError = (value: unknown): PredictionError & { nodeId: NodeId } => {
  const f = value as Fields;
  return {
    nodeId: checkNodeId(f.nodeId, "node"),
    pipeline: checkText(f.pipeline, "pipeline"),
    median: checkFinite(f.median, "median"),
    shards: checkCount(f.shards, "shards"),
  };
};

/** Every request between agents, question and answer, both ways. */
export const PEER_WIRE: Wire = {
  lease: {
    question: half(
      "LeaseRequest",
      ({ contents = [], ...lease }) => ({ ...leaseFields(lease), contents }),
      (f) => ({ ...readLease(f), ...carried(f.contents) }),
    ),
    answer: half(
      "LeaseAnswer",
      (answer) => answer,
      (f) => ({ accepted: f.accepted as boolean, reason: checkText(f.reason, "reason", 1_024) }),
    ),
  },
  takeBack: {
    question: half(
      "TakeBackRequest",
      (question) => question,
      (f) => ({
        term: checkCount(f.term, "term"),
        shardIds: checkList(f.shardIds, "shards", SHARDS_MAX, shardId),
        because: checkText(f.because, "because", 1_024),
      }),
    ),
    answer: empty,
  },
  report: {
    question: half(
      "ReportRequest",
      ({ results, bases, contents = [] }) => ({
        results: results.map(resultFields),
        bases: basesFields(bases),
        contents,
      }),
      (f) => {
        const results = checkList(f.results, "results", LIMITS.resultsPerEntryMax, (r) => checkResult(r as Fields));
        return { results, ...readBases(f.bases, results.length), ...carried(f.contents) };
      },
    ),
    answer: half(
      "ReportAnswer",
      (answer) => answer,
      (f) => ({ recordedAtIndex: checkCount(f.recordedAtIndex, "index") }),
    ),
  },
  holding: {
    question: half(
      "HoldingRequest",
      (question) => question,
      (f) => ({ term: checkCount(f.term, "term") }),
    ),
    answer: half(
      "HoldingAnswer",
      ({ shards }) => ({ shards: shards.map(({ bases, ...shard }) => ({ ...shard, bases: basesFields(bases) })) }),
      (f) => ({ shards: checkList(f.shards, "shards", SHARDS_MAX, readHeld) }),
    ),
  },
  propose: {
    question: half(
      "ProposeRequest",
      (question) => question,
      (f) => ({ entry: f.entry as Uint8Array }),
    ),
    answer: half(
      "ProposeAnswer",
      (answer) => answer,
      (f) => ({ index: checkCount(f.index, "index"), term: checkCount(f.term, "term") }),
    ),
  },
  copy: {
    question: half(
      "CopyRequest",
      (question) => ({ ...question, blobs: bytesList(question.blobs) }),
      (f) => ({
        blobs: hashes(f.blobs),
        inline: checkList(f.inline, "inline", BLOBS_MAX, (bytes) => bytes as Uint8Array),
        from: checkNodeIds(f.from, "from"),
      }),
    ),
    answer: half(
      "HeldAnswer",
      (answer) => ({ ...answer, held: bytesList(answer.held) }),
      (f) => ({ held: hashes(f.held), reason: checkText(f.reason, "reason", 1_024) }),
    ),
  },
  have: {
    question: half(
      "HaveRequest",
      (question) => ({ blobs: bytesList(question.blobs) }),
      (f) => ({ blobs: hashes(f.blobs) }),
    ),
    answer: half(
      "HeldAnswer",
      (answer) => ({ held: bytesList(answer.held) }),
      (f) => ({ held: hashes(f.held) }),
    ),
  },
  pieces: {
    question: half(
      "PiecesRequest",
      (question) => ({ blob: hashToBytes(question.blob) }),
      (f) => ({ blob: hashFromBytes(f.blob, "blob") }),
    ),
    answer: half(
      "PiecesAnswer",
      (answer) => answer,
      (f) => ({ whole: f.whole as boolean, here: f.here as Uint8Array, coming: f.coming as Uint8Array }),
    ),
  },
  readSmall: {
    question: half(
      "ReadSmallRequest",
      (question) => ({ blobs: bytesList(question.blobs) }),
      (f) => ({
        blobs: checkList(f.blobs, "blobs", LIMITS.smallInHandAskedMax, (blob) => hashFromBytes(blob, "blob")),
      }),
    ),
    answer: half(
      "ReadSmallAnswer",
      (answer) => answer,
      (f) => ({
        contents: checkList(f.contents, "contents", LIMITS.smallInHandAskedMax, (bytes) => bytes as Uint8Array),
      }),
    ),
  },
  check: {
    question: half(
      "CheckRequest",
      (question) => ({ blobs: bytesList(question.blobs) }),
      (f) => ({ blobs: checkList(f.blobs, "blobs", LIMITS.checkBlobsMax, (b) => hashFromBytes(b, "blob")) }),
    ),
    answer: half(
      "CheckAnswer",
      ({ sound, damaged, missing }) => ({
        sound: bytesList(sound),
        damaged: bytesList(damaged),
        missing: bytesList(missing),
      }),
      (f) => ({ sound: hashes(f.sound), damaged: hashes(f.damaged), missing: hashes(f.missing) }),
    ),
  },
  recompute: {
    question: half(
      "RecomputeRequest",
      (question) => ({ ...question, blob: hashToBytes(question.blob) }),
      (f) => ({
        pipeline: checkText(f.pipeline, "pipeline"),
        name: checkText(f.name, "input name"),
        blob: hashFromBytes(f.blob, "input blob"),
        from: checkNodeIds(f.from, "from"),
      }),
    ),
    answer: half(
      "RecomputeAnswer",
      (answer) => ({
        output: hashToBytes(answer.output),
        inline: answer.inline,
        ...(answer.madeWith ? { madeWith: hashToBytes(answer.madeWith) } : {}),
      }),
      (f) => ({
        output: hashFromBytes(f.output, "output"),
        inline: f.inline as Uint8Array,
        ...(f.madeWith ? { madeWith: hashFromBytes(f.madeWith, "madeWith") } : {}),
      }),
    ),
  },
  standOn: {
    question: half(
      "StandOnRequest",
      (question) => ({ blobs: bytesList(question.blobs) }),
      (f) => ({ blobs: hashes(f.blobs) }),
    ),
    answer: half(
      "StandOnAnswer",
      (answer) => ({ ...answer, needed: bytesList(answer.needed) }),
      (f) => ({ needed: hashes(f.needed), atMs: checkFinite(f.atMs, "atMs") }),
    ),
  },
  doubt: {
    question: half(
      "DoubtRequest",
      (question) => ({ blob: hashToBytes(question.blob) }),
      (f) => ({ blob: hashFromBytes(f.blob, "blob") }),
    ),
    answer: empty,
  },
  snapshotNews: {
    question: half(
      "SnapshotNewsRequest",
      (question) => question,
      (f) => ({
        index: checkCount(f.index, "index"),
        failed: f.failed as boolean,
        reason: checkText(f.reason, "reason", 1_024),
      }),
    ),
    answer: empty,
  },
  snapshot: {
    question: half(
      "SnapshotRequest",
      (question) => question,
      (f) => ({ index: checkCount(f.index, "index") }),
    ),
    answer: half(
      "SnapshotAnswer",
      (answer) => answer,
      (f) => (f.snapshot ? { snapshot: checkSnapshot(f.snapshot as Fields) } : {}),
    ),
  },
  handOver: {
    question: half(
      "HandOverRequest",
      (question) => question,
      (f) => (f.to === undefined ? {} : { to: checkNodeId(f.to, "node") }),
    ),
    answer: half(
      "HandOverAnswer",
      (answer) => answer,
      (f) => ({ leader: checkNodeId(f.leader, "leader"), term: checkCount(f.term, "term") }),
    ),
  },
  workAt: {
    question: half(
      "WorkAtRequest",
      (question) => question,
      (f) => ({ nodeId: checkNodeId(f.nodeId, "node") }),
    ),
    answer: half(
      "WorkAtAnswer",
      (answer) => answer,
      (f) => ({ items: checkCount(f.items, "items") }),
    ),
  },
  standing: {
    question: empty,
    answer: half(
      "StandingAnswer",
      (answer) => answer,
      (f) => ({
        term: checkCount(f.term, "term"),
        lastTerm: checkCount(f.lastTerm, "last term"),
        lastIndex: checkCount(f.lastIndex, "last index"),
        commit: checkCount(f.commit, "commit"),
        applied: checkCount(f.applied, "applied"),
        leads: f.leads as boolean,
        keepsLog: f.keepsLog as boolean,
      }),
    ),
  },
  jobNews: {
    question: half(
      "JobNewsRequest",
      (question) => question,
      (f) => ({ jobId: jobId(f.jobId) }),
    ),
    answer: half(
      "JobNewsAnswer",
      (answer) => answer,
      (f) => ({
        ...(f.plan ? { plan: readPlan(f.plan as Fields) } : {}),
        leased: checkList(f.leased, "leased", LIMITS.nodesMax, (value) => {
          const leased = value as Fields;
          return { nodeId: checkNodeId(leased.nodeId, "node"), items: item(leased.items) };
        }),
        predictionErrors: checkList(
          f.predictionErrors,
          "prediction errors",
          LIMITS.predictionErrorsMax,
          readPredictionError,
        ),
      }),
    ),
  },
  story: {
    question: half(
      "StoryRequest",
      (question) => question,
      (f) => ({ jobId: jobId(f.jobId) }),
    ),
    answer: half(
      "StoryAnswer",
      (answer) => answer,
      (f) => ({ storyJson: checkText(f.storyJson, "story", LIMITS.storyBytesMax) }),
    ),
  },
  fleetNews: {
    question: half(
      "FleetNewsRequest",
      (question) => question,
      (f) => ({ rosterIndex: checkCount(f.rosterIndex, "roster index") }),
    ),
    answer: half("FleetNews", fleetNewsFields, checkFleetNews),
  },
  record: {
    question: half(
      "ProposeRequest",
      (question) => question,
      (f) => ({ entry: f.entry as Uint8Array }),
    ),
    answer: half(
      "RecordAnswer",
      (answer) => answer,
      (f) => ({ existing: f.existing as boolean, ...(f.jobId ? { jobId: jobId(f.jobId) } : {}) }),
    ),
  },
  speed: {
    question: half(
      "SpeedRequest",
      (question) => question,
      (f) => ({ bytes: checkCount(f.bytes, "bytes", LIMITS.speedBytesMax) }),
    ),
    answer: half(
      "SpeedAnswer",
      (answer) => answer,
      (f) => ({ payload: f.payload as Uint8Array }),
    ),
  },
  infer: {
    question: half(
      "InferRequest",
      (question) => question,
      (f) => ({
        pipeline: checkText(f.pipeline, "pipeline"),
        name: checkText(f.name, "name"),
        input: f.input as Uint8Array,
        deadlineMs: Math.min(checkFinite(f.deadlineMs, "deadline"), TIMING.onlineDeadlineMs),
      }),
    ),
    answer: half(
      "InferAnswer",
      (answer) => answer,
      (f) => ({ output: f.output as Uint8Array, durationMs: checkFinite(f.durationMs, "duration") }),
    ),
  },
  fitPlaces: {
    question: jsonHalf((value) => ({ dataset: checkDatasetName(checkRecord(value, "question").dataset) })),
    answer: jsonHalf((value) => ({ datasets: readDatasetViews(checkRecord(value, "answer").datasets) })),
  },
  fitRound: {
    question: jsonHalf((value) => ({ request: checkFitRound(checkRecord(value, "question").request) })),
    answer: jsonHalf((value) => ({ part: readFitPart(checkRecord(value, "answer").part) })),
  },
  deputy: {
    question: half(
      "DeputyRequest",
      (question) => question,
      (f) => ({
        call: checkText(f.call, "call"),
        argumentsJson: checkText(f.argumentsJson, "arguments", LIMITS.deputyArgumentsBytesMax),
        ticket: checkText(f.ticket, "ticket"),
        offset: checkCount(f.offset, "offset", LIMITS.deputyAnswerBytesMax),
      }),
    ),
    answer: half(
      "DeputyAnswer",
      (answer) => answer,
      (f) => ({
        ticket: checkText(f.ticket, "ticket"),
        piece: f.piece as Uint8Array,
        bytes: checkCount(f.bytes, "bytes", LIMITS.deputyAnswerBytesMax),
      }),
    ),
  },
  fault: {
    question: half(
      "FaultRequest",
      (question) => ({ ...question, deed: FAULT_DEEDS.indexOf(question.deed) }),
      (f) => ({
        drillId: checkText(f.drillId, "drill id"),
        deed: FAULT_DEEDS[checkCount(f.deed, "deed", FAULT_DEEDS.length - 1)]!,
        inMs: checkCount(f.inMs, "inMs", TIMING.drillHoldMsMin),
        forMs: checkCount(f.forMs, "forMs", TIMING.drillHoldMsMax),
      }),
    ),
    answer: half(
      "FaultAnswer",
      (answer) => answer,
      (f) => ({
        beginsInMs: checkCount(f.beginsInMs, "beginsInMs", TIMING.drillHoldMsMax),
        how: checkText(f.how, "how", 1_024),
      }),
    ),
  },
};
