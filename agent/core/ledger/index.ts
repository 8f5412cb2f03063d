/**
 * The ledger: what the agreed log means. It holds the roster, the invitations, the jobs and what is recorded of them, and
 * knows nothing of Raft, of leases or of time. Every node applies the same entries in the same order and so believes the same.
 */
export { blobsOf, type JobRecord, unrecordedItems } from "./job.ts";
export { Ledger, type LedgerContents } from "./ledger.ts";
export { lossesWithout } from "./losses.ts";
export { LostResults } from "./lost-results.ts";
export type { LedgerEvent, LedgerOutcome } from "./outcome.ts";
export { findModel, findPipeline, type Planning } from "./planning.ts";
export { LedgerBuilder } from "./restore.ts";
export { type SomeTasks, Speculation } from "./speculation.ts";
export { isOpenItem, openItems, partOf, runsAs, stagesOf, taskOf, taskParts } from "./stages.ts";
export { LedgerStill } from "./still.ts";
