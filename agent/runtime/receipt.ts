import { toBase64 } from "../../shared/base64.ts";
import { type FleetId, isBlobHash, type NodeId } from "../../shared/ids.ts";
import type { JobView, NodeLoss, Receipt, ReceiptItem, RecordedResult } from "../../shared/job.ts";
import { receiptStatement } from "../../shared/receipt.ts";
import { signatureState } from "../../shared/statement.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Surroundings } from "./surroundings.ts";
import { resultsOf } from "./views.ts";

/** Signatures checked at a time: the threads that do it write the journal too, and it shall not wait for thousands. */
const STRETCH = 64;

export interface ReceiptInit {
  ledger: Ledger;
  blobAccess: BlobAccess;
  fleetId: FleetId;
  reachable: () => NodeId[];
}

/** Everything that can be proved of a job, signed by this node. Copies are counted by asking every reachable node, not by believing the record. */
export async function receiptOf(
  world: Surroundings,
  init: ReceiptInit,
  job: JobRecord,
  view: JobView,
): Promise<Receipt> {
  const { ledger, blobAccess, fleetId, reachable } = init;
  const recorded = resultsOf(job, ledger);
  const outputs = recorded.map((result) => result.output).filter(isBlobHash);
  const held = await blobAccess.whoHolds(outputs, [world.network.self, ...reachable()]);
  const receiptItem = async (result: RecordedResult): Promise<ReceiptItem> => {
    const place = { fleetId, jobId: job.jobId, input: result.input };
    const state = await signatureState(place, result, (...asked) => world.signer.verify(...asked));
    return { ...result, holders: result.output ? (held.get(result.output) ?? []) : [], signatureState: state };
  };
  const results: ReceiptItem[] = [];
  for (let at = 0; at < recorded.length; at += STRETCH)
    results.push(...(await Promise.all(recorded.slice(at, at + STRETCH).map(receiptItem))));
  const copies = results.filter((result) => result.output).map((result) => result.holders.length);
  const receipt: Omit<Receipt, "signature"> = {
    version: 1,
    fleetId,
    fleetName: ledger.fleetName,
    job: view,
    submittedAtIndex: job.submittedAtIndex,
    results,
    ignoredReports: job.ignoredReports.slice(),
    losses: lossesOf(results),
    copiesMin: copies.length > 0 ? Math.min(...copies) : 0,
    copiesMax: copies.length > 0 ? Math.max(...copies) : 0,
    writtenBy: world.network.self,
    writtenAtMs: world.clock.nowMs(),
  };
  return { ...receipt, signature: toBase64(world.signer.sign(receiptStatement(receipt))) };
}

/** Per node, the costliest first. The items of a shard were lost together, so its time counts once. */
export function lossesOf(results: readonly RecordedResult[]): NodeLoss[] {
  const attempts = results.flatMap(({ lostAttempts }) => lostAttempts ?? []);
  const losses = new Map<NodeId, NodeLoss>();
  const shards = new Map<string, { node: NodeId; fromMs: number; toMs: number }>();
  for (const { node, shardId, leasedAtMs, endedAtMs, isHedge } of attempts) {
    const loss = losses.get(node) ?? { node, attempts: 0, hedges: 0, lostMs: 0 };
    losses.set(node, { ...loss, attempts: loss.attempts + 1, hedges: loss.hedges + Number(isHedge) });
    const key = `${node} ${shardId}`;
    const { fromMs, toMs } = shards.get(key) ?? { fromMs: leasedAtMs, toMs: endedAtMs };
    shards.set(key, { node, fromMs: Math.min(fromMs, leasedAtMs), toMs: Math.max(toMs, endedAtMs) });
  }
  for (const { node, fromMs, toMs } of shards.values()) losses.get(node)!.lostMs += Math.max(0, toMs - fromMs);
  return [...losses.values()].sort((a, b) => b.lostMs - a.lostMs);
}
