/** A receipt as a document: how it is written and signed, and what can be checked of it without the fleet. */
import { fromBase64 } from "./base64.ts";
import { canonicalJson } from "./canonical-json.ts";
import { checkList, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import { isBlobHash, isNodeId } from "./ids.ts";
import { isOpen, JOB_STATES, type Receipt, type ReceiptItem } from "./job.ts";
import { LIMITS } from "./limits.ts";
import { signatureState, type Verify } from "./statement.ts";
import type { Fault } from "./verification.ts";

/** What the node that writes it signs: a mark, and all of it but the signature. */
export function receiptStatement({
  signature: _,
  ...receipt
}: Omit<Receipt, "signature"> & { signature?: string }): Uint8Array {
  return new TextEncoder().encode(`skein receipt 1\n${canonicalJson(receipt)}`);
}

/** Every byte counts: the same receipt is the same text. */
export const writeReceipt = (receipt: Receipt): string => `${canonicalJson(receipt)}\n`;

/** @throws BAD_REQUEST for anything but a receipt as `writeReceipt` writes it. */
export function readReceipt(text: string): Receipt {
  const value = parsed(text);
  const receipt = checkRecord(value, "receipt");
  if (receipt.version !== 1) refuse("version", "is not 1, the only one that this version of skein knows");
  for (const name of ["fleetId", "fleetName", "signature"]) checkText(receipt[name], name, LIMITS.nameBytesMax);
  if (!isNodeId(receipt.writtenBy)) refuse("writtenBy", "must be a node id");
  checkNumber(receipt.writtenAtMs, "writtenAtMs", 0, Number.MAX_SAFE_INTEGER);
  const job = checkRecord(receipt.job, "job");
  checkText(job.jobId, "job.jobId", LIMITS.nameBytesMax);
  checkOneOf(job.state, "job.state", JOB_STATES);
  for (const name of ["items", "itemsRecorded", "itemsFailed"])
    checkWhole(job[name], `job.${name}`, 0, LIMITS.jobItemsMax);
  checkList(job.shares, "job.shares", 2 * LIMITS.nodesMax, (share, path) => {
    checkText(checkRecord(share, path).nodeId, `${path}.nodeId`, LIMITS.nameBytesMax);
    checkText(checkRecord(share, path).name, `${path}.name`, LIMITS.nameBytesMax);
  });
  checkList(receipt.results, "results", LIMITS.jobItemsMax, checkItem);
  if (writeReceipt(value as Receipt) !== text) refuse("receipt", "is not written as skein writes it");
  return value as Receipt;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse("receipt", "is not JSON");
  }
}

function checkItem(value: unknown, path: string): void {
  const result = checkRecord(value, path);
  checkWhole(result.item, `${path}.item`, 0, LIMITS.jobItemsMax);
  checkText(result.name, `${path}.name`, LIMITS.nameBytesMax);
  if (!isBlobHash(result.input)) refuse(`${path}.input`, "must be a SHA-256");
  if (!isNodeId(result.node)) refuse(`${path}.node`, "must be a node id");
  if (result.output !== undefined && !isBlobHash(result.output)) refuse(`${path}.output`, "must be a SHA-256");
  if (result.signature !== undefined) checkText(result.signature, `${path}.signature`, LIMITS.nameBytesMax);
  if (result.signedTask !== undefined) checkSignedTask(result.signedTask, `${path}.signedTask`);
  if (result.error !== undefined) checkText(checkRecord(result.error, `${path}.error`).code, `${path}.error.code`, 64);
}

function checkSignedTask(value: unknown, path: string): void {
  const task = checkRecord(value, path);
  checkWhole(task.segment, `${path}.segment`, 0, LIMITS.pipelineStagesMax);
  checkWhole(task.item, `${path}.item`, 0, LIMITS.jobTasksMax);
  if (task.output !== undefined && !isBlobHash(task.output)) refuse(`${path}.output`, "must be a SHA-256");
  checkWhole(task.outputBytes, `${path}.outputBytes`, 0, LIMITS.blobBytesMax);
  if (task.code !== undefined) checkText(task.code, `${path}.code`, LIMITS.nameBytesMax);
}

/** What is wrong with a receipt by itself: the signature of its writer and of each node, and its sums. Says nothing of who they are. */
export async function receiptFaults(receipt: Receipt, verify: Verify): Promise<Fault[]> {
  const signature = fromBase64(receipt.signature);
  const isWhole = signature !== undefined && (await verify(receipt.writtenBy, receiptStatement(receipt), signature));
  const changed: Fault[] = isWhole
    ? []
    : [{ what: "receiptChanged", node: receipt.writtenBy, reason: "its writer's signature does not fit it" }];
  const ofItems = await Promise.all(receipt.results.map((result) => itemFaults(receipt, result, verify)));
  return [...changed, ...countFaults(receipt), ...ofItems.flat()];
}

function countFaults({ job, results }: Receipt): Fault[] {
  const reasons: string[] = [];
  if (new Set(results.map(({ item }) => item)).size !== results.length) reasons.push("it has an item twice");
  if (results.some(({ item }) => item >= job.items)) reasons.push("it has an item that the job has not");
  if (results.length !== job.itemsRecorded)
    reasons.push(`it has ${results.length} items of ${job.itemsRecorded} recorded`);
  if (!isOpen(job.state) && job.state === "done" && results.length !== job.items)
    reasons.push(`the job is done with ${results.length} of ${job.items} items`);
  if (results.filter(({ error }) => error).length !== job.itemsFailed)
    reasons.push("it counts failures that it does not have");
  return reasons.map((reason) => ({ what: "countWrong", reason }));
}

/** Of one result: whether its node stands for it. */
async function itemFaults(
  { fleetId, job }: Pick<Receipt, "fleetId" | "job">,
  result: ReceiptItem,
  verify: Verify,
): Promise<Fault[]> {
  const { item, name, node } = result;
  const state = await signatureState({ fleetId, jobId: job.jobId, input: result.input }, result, verify);
  if (state === "absent") return [{ what: "signatureAbsent", item, name, node, reason: "it is not signed" }];
  if (state === "wrong") return [{ what: "signatureWrong", item, name, node, reason: "its signature does not fit it" }];
  return result.signatureState === state
    ? []
    : [
        {
          what: "countWrong",
          item,
          name,
          node,
          reason: `its signature is ${state} and said to be ${result.signatureState}`,
        },
      ];
}
