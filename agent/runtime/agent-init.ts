import type { NodePart, RosterNode } from "../../shared/fleet.ts";
import type { JournalContents, ProbeResult } from "../ports/index.ts";
import type { ReportReader } from "./gossip-loop.ts";
import type { FleetIdentity } from "./membership.ts";
import type { Operators } from "./pipelines/catalogue.ts";
import type { SnapshotLimits } from "./snapshot-taking.ts";

/** What an agent is begun with, besides the world it lives in. */
export interface AgentInit {
  name: string;
  agentVersion: string;
  apiUrl: string;
  identity: FleetIdentity;
  /** Known members until the ledger says better: what the welcome told, or this node alone for a founder. */
  roster: RosterNode[];
  founder: boolean;
  part: NodePart;
  probed: ProbeResult;
  contents: JournalContents;
  /** Default: as in shared/limits.ts. */
  snapshotLimits?: Partial<SnapshotLimits>;
  /** Default: as in shared/limits.ts. */
  sweepMs?: number;
  /** Default: decodes each. A simulator hands the same bytes to a thousand agents. */
  readReport?: ReportReader;
  /** What stages may run besides models. Default: those that every box has. */
  operators?: Operators;
  onStopRequested: () => void;
  /** This box has left the fleet: its folder must not be started again. */
  onLeft: () => Promise<void>;
  onFatal: (error: unknown) => void;
}
