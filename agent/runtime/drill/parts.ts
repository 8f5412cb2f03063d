import type { NodeView } from "../../../shared/fleet.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { JobSpec } from "../../../shared/job.ts";
import type { Ledger } from "../../core/ledger/index.ts";
import type { BlobAccess } from "../blob-access.ts";
import type { Events } from "../events.ts";
import type { Handover } from "../handover.ts";
import type { Peers } from "../peers.ts";
import type { Proposer } from "../proposer.ts";
import type { Standing } from "../standing.ts";

/** What a drill needs of the agent around it. */
export interface DrillParts {
  ledger: Ledger;
  standing: Standing;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  blobAccess: BlobAccess;
  handover: Handover;
  nodes: () => NodeView[];
  submit: (spec: JobSpec) => Promise<{ jobId: JobId; existing: boolean }>;
}
