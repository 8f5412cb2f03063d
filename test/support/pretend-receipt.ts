import type { Signer } from "../../agent/ports/index.ts";
import { toBase64 } from "../../shared/base64.ts";
import type { FleetId, NodeId } from "../../shared/ids.ts";
import type { JobView, Receipt, RecordedResult } from "../../shared/job.ts";
import { receiptStatement } from "../../shared/receipt.ts";
import { resultStatement } from "../../shared/statement.ts";
import { blob } from "./nouns.ts";
import { pretendSigner } from "./pretend-signer.ts";

export const PRETEND_FLEET = "f".repeat(32) as FleetId;

/** A receipt as `writtenBy` would write it, each result signed by the node that it names. */
export function pretendReceipt(
  job: JobView,
  recorded: readonly RecordedResult[],
  writtenBy: NodeId,
  signerOf: (node: NodeId) => Pick<Signer, "sign"> = pretendSigner,
): Receipt {
  const results = recorded.map((result) => {
    const made = { ...result, madeWith: blob(7) };
    const statement = resultStatement({ fleetId: PRETEND_FLEET, jobId: job.jobId, input: made.input }, made);
    const signature = toBase64(signerOf(made.node).sign(statement));
    return { ...made, signature, signatureState: "valid" as const };
  });
  const receipt: Omit<Receipt, "signature"> = {
    version: 1,
    fleetId: PRETEND_FLEET,
    fleetName: "home",
    job,
    submittedAtIndex: 100,
    results,
    ignoredReports: [],
    losses: [],
    copiesMin: 2,
    copiesMax: 3,
    writtenBy,
    writtenAtMs: 1_700_000_005_000,
  };
  return { ...receipt, signature: toBase64(signerOf(writtenBy).sign(receiptStatement(receipt))) };
}
