import type { JobId } from "../../../shared/ids.ts";
import type { LeasedPart } from "../../../shared/peer-requests.ts";
import type { JobRecord } from "./job.ts";
import type { Ledger } from "./ledger.ts";

/** Of the segment in that place. */
export const stageJobId = (jobId: JobId, segment: number): JobId => `${jobId}/${segment}` as JobId;

/** The stage jobs of a job that is cut in several segments, by segment; none of others. */
export declare function stagesOf(ledger: Ledger, job: JobRecord): JobRecord[];

/** What an item of this job runs, as it stands in a lease: of a job in several segments the last one; of a stage job its own. */
export const runsAs = (job: JobRecord): string => job.form?.segments.at(-1)?.name ?? job.pipeline;

/**
 * What a task starts from, in the order: the item's input, then what other segments gave, by segment and by slice.
 * Undefined: the item's input as it is; of a job that is not staged, or runs as a whole.
 */
export declare function taskParts(ledger: Ledger, job: JobRecord, item: number): LeasedPart[] | undefined;

/** Items of an open job, or tasks of a stage job, that are not recorded and may be leased: all that they start from is there. */
export declare function openItems(ledger: Ledger, job: JobRecord): number[];

/** Whether `openItems` would name it. */
export declare function isOpenItem(ledger: Ledger, job: JobRecord, item: number): boolean;
