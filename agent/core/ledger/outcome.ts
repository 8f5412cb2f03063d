import { SkeinError } from "../../../shared/errors.ts";
import type { FleetRecovery } from "../../../shared/fleet.ts";
import type { BlobHash, JobId } from "../../../shared/ids.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import type { HoldersChanged, ModelAdded } from "../../../shared/ledger-entry.ts";
import type { JobRecord } from "./job.ts";

/** What happened, for those who listen to the ledger. */
export type LedgerEvent =
  | { kind: "fleetFounded" }
  | { kind: "rosterChanged" }
  | { kind: "fleetRecovered"; recovery: FleetRecovery }
  | { kind: "jobSubmitted"; job: JobRecord }
  | { kind: "resultsRecorded"; job: JobRecord; results: RecordedResult[] }
  /** With its stage jobs, of which nothing is told. */
  | { kind: "jobPaused"; job: JobRecord }
  | { kind: "jobEnded"; job: JobRecord }
  /** It is known how a staged job is cut. Its open tasks, and those of its stage jobs, are told by `tasksOpened`. */
  | { kind: "jobFormed"; job: JobRecord; stages: readonly JobRecord[] }
  /** Of a staged job or of a stage job: all that these start from is there, for the first time or again. */
  | { kind: "tasksOpened"; job: JobRecord; items: number[] }
  /** They are not to be leased, or no longer: a part is lost and comes again, or their item has ended. */
  | { kind: "tasksClosed"; job: JobRecord; items: number[] }
  /** Of a stage job: they are recorded no more. Nothing stands on these blobs any more. */
  | { kind: "resultsLost"; job: JobRecord; items: number[]; blobs: BlobHash[] }
  /** Of a job that has ended: what its stage jobs made. Nothing stands on these blobs any more. */
  | { kind: "stagesLetGo"; job: JobRecord; blobs: BlobHash[] }
  /** No job stands on these blobs any more. */
  | { kind: "jobsForgotten"; jobIds: JobId[]; blobs: BlobHash[] }
  | { kind: "drillChanged" }
  | { kind: "modelAdded"; model: ModelAdded }
  /** Nothing stands on these blobs any more. */
  | { kind: "modelRemoved"; model: ModelAdded; blobs: BlobHash[] }
  | { kind: "pipelinesChanged" }
  | { kind: "rulesChanged" }
  | { kind: "placementDecided" }
  /** `changes` says how, unless it was a node that went with all it held. */
  | { kind: "holdersChanged"; blobs: BlobHash[]; changes: HoldersChanged["changes"] };

/** The answer to whoever proposed an entry. A refusal is a recorded no-op: every node refuses alike. */
export type LedgerOutcome =
  | { applied: true; jobId?: JobId; existing?: boolean; events: LedgerEvent[] }
  | { applied: false; error: SkeinError; events: LedgerEvent[] };

/** Of a job. */
export const unknown = (jobId: JobId): LedgerOutcome => ({
  applied: false,
  error: new SkeinError("JOB_UNKNOWN", { jobId }),
  events: [],
});
export const applied = (events: LedgerEvent[]): LedgerOutcome => ({ applied: true, events });
/** A recorded no-op, for a reason that only its proposer has to know. */
export const refused = (reason: string): LedgerOutcome => ({
  applied: false,
  error: new SkeinError("PROPOSAL_DROPPED", { reason }),
  events: [],
});
export const tooMany = (what: string, limit: number): SkeinError =>
  new SkeinError("TOO_LARGE", { what: `the number of ${what}`, actual: limit + 1, limit });
