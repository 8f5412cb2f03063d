/** What a worker notes for its next life; see agent/runtime/worker-memory.ts. */
import type { PipelineRate } from "../capacity.ts";
import type { Lease } from "../peer-requests.ts";
import { checkCount, checkFinite, checkVersion, codec, type Fields, invalid } from "./codec.ts";
import { leaseFields, readLease } from "./peer.ts";
import { checkResult, type ReportedResult, resultFields } from "./results.ts";

const VERSION = 1;
const notedResult = codec("NotedResult");
const notedRate = codec("NotedRate");

/** A finished result, and the lease it came from with its item alone. */
export interface NotedResult {
  lease: Lease;
  result: ReportedResult;
}

export const encodeNotedResult = ({ lease, result }: NotedResult): Uint8Array =>
  notedResult.encode({ version: VERSION, lease: leaseFields(lease), result: resultFields(result) });

/** @throws FRAME_INVALID */
export function decodeNotedResult(bytes: Uint8Array): NotedResult {
  const fields = notedResult.decode(bytes);
  checkVersion(fields, VERSION, "noted result");
  if (!fields.lease || !fields.result) throw invalid("a noted result has a lease and a result");
  const [lease, result] = [readLease(fields.lease as Fields), checkResult(fields.result as Fields)];
  const isOfLease = lease.items.length === 1 && lease.items[0]!.item === result.item && lease.jobId === result.jobId;
  if (!isOfLease) throw invalid("a noted result is of the one item of its lease");
  return { lease, result };
}

/** How fast a pipeline runs here. */
export interface NotedRate {
  executors: number;
  /** On one executor, with all of them busy. */
  secondsPerItem: number;
  source: PipelineRate["source"];
}

export const encodeNotedRate = (rate: NotedRate): Uint8Array => notedRate.encode({ version: VERSION, ...rate });

/** @throws FRAME_INVALID */
export function decodeNotedRate(bytes: Uint8Array): NotedRate {
  const fields = notedRate.decode(bytes);
  checkVersion(fields, VERSION, "noted rate");
  const secondsPerItem = checkFinite(fields.secondsPerItem, "seconds");
  if (secondsPerItem <= 0) throw invalid("an item takes some time");
  if (fields.source !== "calibration" && fields.source !== "work") throw invalid("a rate says where it comes from");
  return { executors: checkCount(fields.executors, "executors"), secondsPerItem, source: fields.source };
}
