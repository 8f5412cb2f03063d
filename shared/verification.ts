/** What may be wrong with what is recorded of a job, and what its verification found. */
import { checkKeys, checkRecord, checkWhole } from "./checks.ts";
import type { BlobHash, JobId, NodeId } from "./ids.ts";
import { LIMITS } from "./limits.ts";

/** Each with what becomes of it, or what to do. */
export const FAULTS = {
  receiptChanged:
    "The file is not what its writer signed. Ask the fleet for a new one: `skein receipt JOB --out FILE`.",
  countWrong: "The receipt contradicts itself. Ask the fleet for a new one: `skein receipt JOB --out FILE`.",
  ledgerDiffers: "The fleet's ledger tells it otherwise. Trust the ledger, and ask who wrote the receipt.",
  signatureAbsent:
    "Nobody can prove who made it. Results are signed since this version; hand the item in again if it matters.",
  signatureWrong: "It was changed after its node signed it. `--recompute` tells whether its output is right.",
  copyDamaged: "Set aside on that node; the leader copies it again from a sound holder.",
  copyMissing: "Struck from the record; the leader copies it again from a sound holder.",
  holderSilent: "Nothing is known of its copies until it can be reached. Verify again then.",
  copiesShort: "The leader makes more copies as soon as a box has room. Verify again later.",
  blobLost: "No reachable node has a sound copy. Bring its holders back, or hand the item in again.",
  recomputeDiffers: "One of the two nodes computes wrongly. `--recompute` again, and look at both boxes.",
  recomputeFailed: "Nothing is known of this item's output. Verify again later.",
} as const;
export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  what: FaultKind;
  item?: number;
  /** Of the item's input. */
  name?: string;
  /** The node at which it was found, or which is said to have made it. */
  node?: NodeId;
  blob?: BlobHash;
  /** The fault itself, as the end of a sentence. */
  reason: string;
}

/** The part of a job that one call verified. */
export interface VerifyPage {
  jobId: JobId;
  /** Items from this on are still to be verified; absent when all are. */
  nextItem?: number;
  itemsVerified: number;
  copiesSound: number;
  bytesRead: number;
  signaturesValid: number;
  recomputed: number;
  /** Recomputed outputs that are not the same bytes, and the same within the pipeline's tolerance. */
  recomputedAlike: number;
  faults: Fault[];
}

export interface VerifyRequest {
  /** Where to go on; default: from the first item. */
  fromItem?: number;
  /** How many of the items from there on are computed again, drawn by chance; default: none. */
  recompute?: number;
}

/** @throws BAD_REQUEST */
export function checkVerifyRequest(value: unknown): VerifyRequest {
  const record = checkRecord(value ?? {}, "");
  checkKeys(record, "", ["fromItem", "recompute"]);
  const { fromItem, recompute } = record;
  return {
    ...(fromItem === undefined ? {} : { fromItem: checkWhole(fromItem, "fromItem", 0, LIMITS.jobItemsMax) }),
    ...(recompute === undefined ? {} : { recompute: checkWhole(recompute, "recompute", 0, LIMITS.jobItemsMax) }),
  };
}
