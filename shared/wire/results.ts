import { ERRORS, type ErrorBody, type ErrorCode } from "../errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../ids.ts";
import type { ItemResult } from "../job.ts";
import { LIMITS } from "../limits.ts";
import {
  checkCount,
  checkFinite,
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
  const { output, error, ...rest } = result;
  return {
    ...rest,
    ...(output ? { output: hashToBytes(output) } : {}),
    ...(error ? { error: errorFields(error) } : {}),
  };
}

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
    item: checkCount(fields.item, "item", LIMITS.jobItemsMax),
    ...(fields.output ? { output: hashFromBytes(fields.output, "output") as BlobHash } : {}),
    outputBytes: checkCount(fields.outputBytes, "output bytes", LIMITS.blobBytesMax),
    ...(fields.error ? { error: checkErrorBody(fields.error as Fields) } : {}),
    node: checkNodeId(fields.node, "node"),
    shardId: checkText(fields.shardId, "shard id") as ShardId,
    durationMs: checkFinite(fields.durationMs, "duration"),
    finishedAtMs: checkFinite(fields.finishedAtMs, "finishedAtMs"),
    holders: checkNodeIds(fields.holders, "holders"),
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
