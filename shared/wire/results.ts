import { toBase64 } from "../base64.ts";
import { ERRORS, type ErrorBody, type ErrorCode } from "../errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../ids.ts";
import type { ItemResult, LostAttempt } from "../job.ts";
import { LIMITS } from "../limits.ts";
import {
  checkCount,
  checkFinite,
  checkList,
  checkNodeId,
  checkNodeIds,
  checkText,
  type Fields,
  hashFromBytes,
  hashToBytes,
  invalid,
} from "./codec.ts";

/** A result on its way to the ledger: what a worker reports and what an entry records. */
export type ReportedResult = ItemResult & { jobId: JobId; holders: NodeId[] };

export function resultFields(result: ReportedResult): object {
  const { output, error, madeWith: _madeWith, signature: _signature, ...rest } = result;
  return {
    ...rest,
    ...(output ? { output: hashToBytes(output) } : {}),
    ...(error ? { error: errorFields(error) } : {}),
    ...proofFields(result),
  };
}

/** What made a result and who says so; and what else comes behind it. */
type Proof = Pick<ItemResult, "madeWith" | "signature" | "lostAttempts" | "elements">;

export const proofFields = ({ madeWith, signature }: Pick<ItemResult, "madeWith" | "signature">): object => ({
  ...(madeWith ? { madeWith: hashToBytes(madeWith) } : {}),
  // protobufjs reads a text in a field of bytes as base64.
  ...(signature ? { signature } : {}),
});

/** @throws FRAME_INVALID */
export function checkProof(fields: Fields): Proof {
  const lostAttempts = checkList(fields.lostAttempts, "lost attempts", LIMITS.lostAttemptsMax, (one) =>
    checkLostAttempt(one as Fields),
  );
  return {
    ...(fields.madeWith ? { madeWith: hashFromBytes(fields.madeWith, "madeWith") } : {}),
    ...checkSignature(fields.signature),
    ...(lostAttempts.length > 0 ? { lostAttempts } : {}),
    ...checkElements(fields.elements),
  };
}

/** A list may be longer than anybody may run over: that is for the ledger to say. */
function checkElements(value: unknown): { elements?: number[] } {
  const elements = checkList(value, "elements", LIMITS.pipelineStagesMax, (length) => checkCount(length, "elements"));
  return elements.length > 0 ? { elements } : {};
}

/** Of an Ed25519 signature (RFC 8032). */
const SIGNATURE_BYTES = 64;

function checkSignature(value: unknown): { signature?: string } {
  if (!(value instanceof Uint8Array) || value.length === 0) return {};
  if (value.length !== SIGNATURE_BYTES) throw invalid("a signature has 64 bytes");
  return { signature: toBase64(value) };
}

const checkLostAttempt = (f: Fields): LostAttempt => ({
  node: checkNodeId(f.node, "node"),
  shardId: checkText(f.shardId, "shard id") as ShardId,
  leasedAtMs: checkFinite(f.leasedAtMs, "leasedAtMs"),
  endedAtMs: checkFinite(f.endedAtMs, "endedAtMs"),
  because: checkText(f.because, "because", LIMITS.becauseBytesMax),
  isHedge: f.isHedge as boolean,
});

/** An error may quote a library's whole complaint; what is recorded of it is bounded, or no reader would take it. */
export function errorFields({ code, message, facts }: ErrorBody): object {
  const factsJson = JSON.stringify(facts);
  return {
    code,
    message: message.slice(0, LIMITS.errorMessageBytesMax),
    factsJson: factsJson.length > LIMITS.errorFactsBytesMax ? "{}" : factsJson,
  };
}

export function checkResult(fields: Fields): ReportedResult {
  if (Boolean(fields.output) === Boolean(fields.error)) throw invalid("a result has either an output or an error");
  return {
    jobId: checkText(fields.jobId, "job id") as JobId,
    item: checkCount(fields.item, "item", LIMITS.jobTasksMax),
    ...(fields.output ? { output: hashFromBytes(fields.output, "output") as BlobHash } : {}),
    outputBytes: checkCount(fields.outputBytes, "output bytes", LIMITS.blobBytesMax),
    ...(fields.error ? { error: checkErrorBody(fields.error as Fields) } : {}),
    node: checkNodeId(fields.node, "node"),
    shardId: checkText(fields.shardId, "shard id") as ShardId,
    durationMs: checkFinite(fields.durationMs, "duration"),
    finishedAtMs: checkFinite(fields.finishedAtMs, "finishedAtMs"),
    holders: checkNodeIds(fields.holders, "holders"),
    ...checkProof(fields),
  };
}

export function checkErrorBody(fields: Fields): ErrorBody {
  const code = checkText(fields.code, "error code");
  if (!Object.hasOwn(ERRORS, code)) throw invalid(`error code ${code} is unknown`);
  return {
    code: code as ErrorCode,
    message: checkText(fields.message, "error message", LIMITS.errorMessageBytesMax),
    facts: checkFacts(fields.factsJson),
  };
}

function checkFacts(json: unknown): Record<string, unknown> {
  try {
    const facts: unknown = JSON.parse(checkText(json, "error facts", LIMITS.errorFactsBytesMax));
    if (typeof facts === "object" && facts && !Array.isArray(facts)) return facts as Record<string, unknown>;
  } catch {
    // Falls through: not JSON is as invalid as JSON of another shape.
  }
  throw invalid("error facts are not a JSON object");
}
