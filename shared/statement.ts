/** What a node says of a result with its signature, as bytes that are the same wherever they are put together. */
import { fromBase64 } from "./base64.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type ErrorBody, type ErrorCode, VERDICTS } from "./errors.ts";
import { type BlobHash, type FleetId, type JobId, type NodeId, stageJobId } from "./ids.ts";
import type { ItemResult, SignatureState } from "./job.ts";
import type { CompiledPipeline } from "./pipeline/compiled.ts";

/** Says what the bytes are for, so that a signature under them can never pass for another's. */
const MARK = "skein result 1";

/** What a result is of. */
export interface ResultPlace {
  fleetId: FleetId;
  jobId: JobId;
  input: BlobHash;
}

/** UTF-8 of a JSON list: the mark, then each fact in this order, null where it is absent. */
export function resultStatement({ fleetId, jobId, input }: ResultPlace, result: ItemResult): Uint8Array {
  const { error, signedTask, madeWith, node, shardId, durationMs, finishedAtMs } = result;
  const { item, output, outputBytes, code } = signedTask ?? { ...result, code: error && codeStated(error) };
  const of = signedTask ? stageJobId(jobId, signedTask.segment) : jobId;
  const made = [output, outputBytes, code, madeWith].map((fact) => fact ?? null);
  const facts = [MARK, fleetId, of, item, input, ...made, node, shardId, durationMs, finishedAtMs];
  return new TextEncoder().encode(JSON.stringify(facts));
}

/** A verdict quotes the code that the item's node signed. */
export function codeStated({ code, facts }: ErrorBody): string | undefined {
  if (!VERDICTS.some((verdict) => verdict === code)) return code;
  return typeof facts.reported === "string" ? facts.reported : undefined;
}

/** Found by whoever records what a task gave, or gave up, and by no node. */
const FOUND_IN_RECORDS: readonly ErrorCode[] = ["FANOUT_TOO_LARGE", "FANOUT_UNSOUND"];

/** Whether the item ended as its task was stated to end. */
const isOfTask = ({ error, signedTask }: ItemResult): boolean =>
  signedTask === undefined ||
  (error !== undefined && (FOUND_IN_RECORDS.includes(error.code) || codeStated(error) === signedTask.code));

/** A pipeline as results name it: SHA-256 over its statement. */
export function pipelineStatement(pipeline: {
  name: string;
  version: string;
  models: readonly { name: string; sha256: string }[];
}): Uint8Array {
  const models = pipeline.models.map(({ name, sha256 }) => [name, sha256]);
  return new TextEncoder().encode(JSON.stringify(["skein pipeline 1", pipeline.name, pipeline.version, models]));
}

/** The same of a pipeline of stages, whichever of them ran: what it consists of goes by names and versions, each given once. */
export const stagesStatement = (pipeline: CompiledPipeline): Uint8Array =>
  new TextEncoder().encode(canonicalJson(["skein pipeline of stages 1", pipeline]));

/** Whether `node` signed the statement. */
export type Verify = (node: NodeId, statement: Uint8Array, signature: Uint8Array) => Promise<boolean>;

/** Whether the node that is said to have made a result says so too. */
export async function signatureState(place: ResultPlace, result: ItemResult, verify: Verify): Promise<SignatureState> {
  if (result.signature === undefined) return "absent";
  const signature = fromBase64(result.signature);
  const isValid =
    signature !== undefined &&
    isOfTask(result) &&
    (await verify(result.node, resultStatement(place, result), signature));
  return isValid ? "valid" : "wrong";
}
